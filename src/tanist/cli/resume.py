"""tanist resume NAME."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.carry_on import resume


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument(
        "--attest", default="", metavar="TEXT", help="your word that the other node is down, kept for good"
    )


def run(args: argparse.Namespace) -> int:
    resume(open_session(args.name), attest=args.attest)
    return 0
