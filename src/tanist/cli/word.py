"""tanist word NAME: what this node says of itself, for another node that asks."""

from __future__ import annotations

import argparse
import sys

from tanist.cli.context import open_session
from tanist.runs.peers import read_word, render_word


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--when-asked", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    if args.when_asked and not sys.stdin.readline():
        return 1  # called, and never asked
    print(render_word(read_word(session)))
    return 0
