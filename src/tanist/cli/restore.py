"""harestore NAME, tanist restore NAME: on a standby a takeover; on the active node a capture's files once more."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.cli.render import print_dry_run
from tanist.cli.takeover import add_options
from tanist.runs.restore import dry_restore, harestore
from tanist.runs.session import read_active
from tanist.runs.takeover import TakeoverOptions


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    options = TakeoverOptions(reason=args.reason or "harestore", attest=args.attest, capture=args.capture)
    if not args.dry_run:
        harestore(session, options)
        return 0
    if not read_active(session):
        return print_dry_run(session, options)
    print(dry_restore(session, options))
    return 0
