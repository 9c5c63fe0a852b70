"""habackup NAME, tanist capture NAME: silent on the standby, so that the timer may run on both nodes."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.backup import backup


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--no-mirror", action="store_true", help="do not send it to the other nodes")
    parser.add_argument("--no-commands", action="store_true", help="capture what [[capture.command]] said last")


def run(args: argparse.Namespace) -> int:
    backup(open_session(args.name), mirror=not args.no_mirror, commands=not args.no_commands)
    return 0
