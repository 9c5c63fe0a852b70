"""tanist drilldata NAME measure|tree|backup [NUMBER]: the active node gives out its tree for a drill."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.drill_source import give_backup, give_tree, measure, render_measured


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("what", choices=("measure", "tree", "backup"))
    parser.add_argument("number", nargs="?", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    if args.what == "measure":
        print(render_measured(measure(session)))
    elif args.what == "tree":
        give_tree(session)
    else:
        give_backup(session, args.number)
    return 0
