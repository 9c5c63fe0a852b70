"""tanist chain NAME get|put|raw [START]: called by another node, for the history (runs/exchange.py)."""

from __future__ import annotations

import argparse
import sys

from tanist.cli.context import open_session
from tanist.runs.exchange import answer


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("what", choices=("get", "put", "raw"))
    parser.add_argument("start", type=int, nargs="?", default=0)


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    given = b"" if args.what == "raw" else sys.stdin.buffer.read()
    sys.stdout.buffer.write(answer(session, args.what, args.start, given))
    return 0
