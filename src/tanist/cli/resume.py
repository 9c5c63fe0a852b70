"""tanist resume NAME."""

from __future__ import annotations

import argparse

from tanist.cli.context import add_attested_name, open_session
from tanist.runs.carry_on import resume


def configure(parser: argparse.ArgumentParser) -> None:
    add_attested_name(parser)


def run(args: argparse.Namespace) -> int:
    resume(open_session(args.name), attest=args.attest)
    return 0
