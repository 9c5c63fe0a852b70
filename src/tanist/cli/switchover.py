"""tanist switchover NAME [--to NODE]: a planned move; failback is the same command."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.switchover import switchover


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--to", default="", metavar="NODE", help="needed only where there are more than two nodes")
    parser.add_argument("--reason", default="", help="why, for the history")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    switchover(session, args.to, args.reason)
    return 0
