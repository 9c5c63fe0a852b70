"""tanist enable NAME: on every node."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.pairing import enable, find_self_starting


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    enable(session)
    found = find_self_starting(session)
    for one in found:
        print(f"warning: {one}")
    print(f"{session.name} is enabled on {session.node}")
    return 1 if found else 0
