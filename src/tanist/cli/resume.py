"""tanist resume NAME."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.carry_on import resume


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    resume(open_session(args.name))
    return 0
