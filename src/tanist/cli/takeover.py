"""tanist takeover NAME: refused unless the old owner is proved dead, let go, or a person attests that it is down."""

from __future__ import annotations

import argparse
import sys

from tanist.cli.context import open_session
from tanist.runs.ahead import begun_ahead
from tanist.runs.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument(
        "--fence", action="store_true", help="where the old owner is not proved down: stop it first, as defined"
    )
    parser.add_argument(
        "--check-filesystem",
        action="store_true",
        help="replay the journal and look at the whole file system before it is used; may take hours",
    )
    parser.add_argument("--reboot", action="store_true", help="restart this machine on the way, as the seed system did")
    parser.add_argument("--planned", action="store_true", help=argparse.SUPPRESS)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--dry-run", action="store_true", help="show evidence, verdict and both plans; change nothing")
    parser.add_argument("--reason", default="", help="why, for the history")
    parser.add_argument(
        "--attest", default="", metavar="TEXT", help="your word that the old owner is down, kept for good"
    )
    parser.add_argument("--capture", default="", metavar="GEN", help="this capture instead of the newest one")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name, sys.stdout if args.planned else sys.stderr)
    if args.dry_run or args.planned:
        return take(args, session)
    with begun_ahead(session) as ready:
        return take(args, ready)


def take(args: argparse.Namespace, session: Session) -> int:
    from tanist.runs.takeover import TakeoverOptions, takeover  # a tenth of a second, beside what was begun

    options = TakeoverOptions(
        reason=args.reason,
        attest=args.attest,
        capture=args.capture,
        reboot=args.reboot,
        fence=args.fence,
        check=args.check_filesystem,
    )
    if args.dry_run:
        from tanist.cli.render import print_dry_run

        return print_dry_run(session, options)
    if args.planned:
        from tanist.runs.switchover import take_planned

        take_planned(session, args.reason)
        return 0
    takeover(session, options)
    session.note(f"\n{session.node} is the active node of {session.name}")
    return 0
