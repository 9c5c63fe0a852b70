"""tanist storage VERB NAME: a server's tree onto the asset, and a close look at what that stands on."""

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
    check = verbs.add_parser("check", help="a close look: same disks, redundancy, health, room, speed")
    check.add_argument("name")
    check.add_argument("--json", action="store_true")
    check.add_argument("--all", action="store_true", help="what is good, too")
    how = check.add_mutually_exclusive_group()
    how.add_argument("--measure", action="store_true", help="measure now: a few seconds, at most 17 MiB written")
    how.add_argument("--no-measure", action="store_true", help="do not measure, even if it is time to")


def run(args: argparse.Namespace) -> int:
    return {"migrate": migrate, "check": check}[args.verb](args)


def check(args: argparse.Namespace) -> int:
    """Exit status 0: nothing to mend, or all of it accepted; 1: something."""
    from tanist.runs.storage_check import check_storage

    found = check_storage(
        open_session(args.name), measuring=True if args.measure else False if args.no_measure else None
    )
    if args.json:
        import json

        from tanist.parity.encode import encode_assessment

        print(json.dumps([encode_assessment(one) for one in found], indent=1))
    else:
        from tanist.cli.check import render

        print("\n\n".join(render(one, whole=args.all, verdict=False) for one in found))
    return int(any(item.counts for one in found for item in one.found))


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
