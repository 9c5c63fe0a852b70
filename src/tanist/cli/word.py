"""tanist word NAME: what this node says of itself, for another node that asks."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.peers import read_word, render_word


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    print(render_word(read_word(open_session(args.name))))
    return 0
