"""tanist rehearse NAME: a takeover's steps inside the cell of a drill. Called by the cell's own systemd."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.rehearse import rehearse


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    return rehearse(open_session(args.name))
