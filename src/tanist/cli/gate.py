"""tanist gate NAME: called by tanist-gate@NAME.service, before cron and the NFS server."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.boot import gate


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    gate(open_session(args.name))
    return 0
