"""tanist sizes NAME: how large this node sees the asset's disks, for a storage grow on another one."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.sizes import read_own_sizes, render_sizes


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    print(render_sizes(read_own_sizes(open_session(args.name))))
    return 0
