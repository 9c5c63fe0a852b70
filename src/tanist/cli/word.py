"""tanist word NAME: what this node says of itself, for another node that asks."""

from __future__ import annotations

import argparse
import sys

from tanist.cli.context import open_session
from tanist.runs.peers import render_word
from tanist.runs.promise import give_word, parse_request


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--when-asked", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    line = sys.stdin.readline() if args.when_asked else ""
    if args.when_asked and not line:
        return 1  # called, and never asked
    print(render_word(give_word(session, parse_request(line))))
    return 0
