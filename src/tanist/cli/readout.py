"""tanist readout NAME: what this node tells of itself, for a readiness check on another node."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.readout import read_readout, render_readout


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    print(render_readout(read_readout(open_session(args.name))))
    return 0
