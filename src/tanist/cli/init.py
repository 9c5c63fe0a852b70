"""tanist init NAME: on the node where the server was set up, once."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.first import init


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--reason", default="")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    init(session, args.reason)
    session.note(f"\n{session.node} is the active node of {session.name}")
    return 0
