"""tanist storage VERB NAME: the asset before it is a pair's."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session


def configure(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    move = verbs.add_parser("migrate", help="move an installed, running server's tree onto the asset")
    move.add_argument("name")
    move.add_argument("--back", action="store_true", help="back to its old place, with all that was written since")
    move.add_argument("--dry-run", action="store_true", help="say what would be done")
    move.add_argument("--reason", default="", help="why, for the history")


def run(args: argparse.Namespace) -> int:
    return migrate(args)


def migrate(args: argparse.Namespace) -> int:
    from tanist.runs import migrate as moving

    session = open_session(args.name)
    if args.dry_run:
        print(moving.describe_migrate(session, "migrate-back" if args.back else "migrate"))
    elif args.back:
        moving.migrate_back(session, args.reason)
    else:
        moving.migrate(session, args.reason)
    return 0
