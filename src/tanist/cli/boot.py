"""tanist boot NAME: called by tanist@NAME.service."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.boot import boot


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--attest", default="", metavar="TEXT", help="your word that the other node is down")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    session.note(f"{session.name} on {session.node}: {boot(session, args.attest)}")
    return 0
