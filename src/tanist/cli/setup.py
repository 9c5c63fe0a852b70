"""tanist setup --node NAME: commands into /usr/local/bin, units into /etc/systemd/system, and the name of this node."""

from __future__ import annotations

import argparse

from tanist.host.local import LocalHost
from tanist.runs.setup import setup


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--node", default="", help="what definitions call this node; kept when it is known already")


def run(args: argparse.Namespace) -> int:
    for line in setup(LocalHost(), args.node):
        print(line)
    return 0
