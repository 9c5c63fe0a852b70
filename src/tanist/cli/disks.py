"""tanist disks NAME: the disks of this node, for a storage plan on another one."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.disks import Look, read_survey, render_survey


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    for flag in ("every", "programs", "exclusive", "state"):
        parser.add_argument(f"--{flag}", action="store_true")


def run(args: argparse.Namespace) -> int:
    look = Look(every=args.every, programs=args.programs, exclusive=args.exclusive, state=args.state)
    print(render_survey(read_survey(open_session(args.name), look)))
    return 0
