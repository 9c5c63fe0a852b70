"""tanist captures NAME [--verify]: the generations on the tree, or on a standby the mirrored ones."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.backup import list_captures, verify_captures


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--verify", action="store_true", help="read every byte; exit status 6 if one is bad")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    if args.verify:
        verdicts = verify_captures(session)
        for name, problem in verdicts:
            print(f"{name}  {problem or 'good'}")
        return 6 if any(problem for _, problem in verdicts) else 0
    for line in list_captures(session):
        print(line)
    return 0
