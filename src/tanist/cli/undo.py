"""tanist undo NAME."""

from __future__ import annotations

import argparse

from tanist.cli.context import add_attested_name, open_session
from tanist.runs.carry_on import undo


def configure(parser: argparse.ArgumentParser) -> None:
    add_attested_name(parser)
    parser.add_argument(
        "--asset-lost",
        default="",
        metavar="TEXT",
        help="your word that the asset is gone for good, kept for good: this node gets its own back all the same",
    )


def run(args: argparse.Namespace) -> int:
    undo(open_session(args.name), attest=args.attest, lost=args.asset_lost)
    return 0
