"""tanist cell NAME FILE: makes the cell of a drill. Called by `tanist drill`, in namespaces of its own."""

from __future__ import annotations

import argparse

from tanist.host.local import LocalHost
from tanist.runs.drill_cell import run_cell


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("plan")


def run(args: argparse.Namespace) -> int:
    return run_cell(LocalHost(), args.name, args.plan)
