"""tanist courier NAME RUN AFTER: started by a run where hooks are set up; tells them what its journal says."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.courier import carry


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("what", help='a run, or "readiness"')
    parser.add_argument("after", nargs="?", type=int, default=0, help="records of its journal that were told before")


def run(args: argparse.Namespace) -> int:
    carry(open_session(args.name), args.what, args.after)
    return 0
