"""tanist storage VERB NAME: bare disks into an asset, a tree onto it, larger disks used, a close look."""

from __future__ import annotations

import argparse
import sys

from tanist.cli.context import open_session
from tanist.model.errors import Refused, TanistError

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from tanist.plan.disks import Wanted
    from tanist.runs.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    move = verbs.add_parser("migrate", help="move an installed, running server's tree onto the asset")
    move.add_argument("name")
    move.add_argument("--back", action="store_true", help="back to its old place, with all that was written since")
    move.add_argument("--dry-run", action="store_true", help="say what would be done")
    move.add_argument("--reason", default="", help="why, for the history")
    plan = verbs.add_parser("plan", help="what would make the asset from bare disks, and what is in its way")
    plan.add_argument("name")
    add_wishes(plan)
    plan.add_argument("--propose", action="store_true", help="an [asset] table for the bare disks that all nodes see")
    plan.add_argument(
        "--disk", action="append", default=[], help="propose this one: path, serial number or WWN; twice: a mirror"
    )
    plan.add_argument("--fstype", choices=("ext4", "xfs"), default="ext4", help="to propose (default ext4)")
    plan.add_argument("--lvm", action="store_true", help="propose a volume below the file system")
    make = verbs.add_parser("prepare", help="make the asset that the definition states, from bare disks")
    make.add_argument("name")
    add_wishes(make)
    make.add_argument("--confirm", metavar="NAME", help="do it without asking: the controller's name once more")
    make.add_argument("--reason", default="", help="why, for the history")
    larger = verbs.add_parser("grow", help="use all of disks that became larger, while the server is at work")
    larger.add_argument("name")
    larger.add_argument(
        "--dry-run", action="store_true", help="ask the disks how large they are, say what would be done"
    )
    larger.add_argument("--leave", metavar="SIZE", default="", help="what a volume group is to keep free: 20G")
    larger.add_argument("--confirm", metavar="NAME", help="do it without asking: the controller's name once more")
    larger.add_argument("--reason", default="", help="why, for the history")
    check = verbs.add_parser("check", help="a close look: same disks, redundancy, health, room, speed")
    check.add_argument("name")
    check.add_argument("--json", action="store_true")
    check.add_argument("--all", action="store_true", help="what is good, too")
    how = check.add_mutually_exclusive_group()
    how.add_argument("--measure", action="store_true", help="measure now: a few seconds, at most 17 MiB written")
    how.add_argument("--no-measure", action="store_true", help="do not measure, even if it is time to")


def add_wishes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--erase", action="append", default=[], metavar="SERIAL", help="a disk that is not blank: what is on it may go"
    )
    parser.add_argument("--quota", action="store_true", help="ext4 with its quota feature")


def run(args: argparse.Namespace) -> int:
    verbs = {"migrate": migrate, "check": check, "plan": plan, "prepare": prepare, "grow": grow}
    return verbs[args.verb](args)


def plan(args: argparse.Namespace) -> int:
    """Exit status 0: prepare would do it; 1: something is in its way."""
    from tanist.runs.prepare import describe_prepare, propose

    session = open_session(args.name)
    if args.propose or args.disk or not session.controller.asset.device:
        print(propose(session, disks=tuple(args.disk), fstype=args.fstype, lvm=args.lvm))
        return 0
    text, obstacles = describe_prepare(session, read_wishes(args))
    print(text)
    for one in obstacles:
        print(f"in the way: {one}")
    return 1 if obstacles else 0


def prepare(args: argparse.Namespace) -> int:
    from tanist.runs import prepare as preparing

    session, wanted = open_session(args.name), read_wishes(args)
    outlook = preparing.Outlook(session, wanted, "RUN")
    print(outlook.render(session, wanted), flush=True)
    preparing.demand_clear(outlook.obstacles)
    demand_word(session, args.confirm, "prepare")
    preparing.prepare(session, wanted, outlook, args.reason)
    show_findings(session)
    return 0


def read_wishes(args: argparse.Namespace) -> Wanted:
    from tanist.plan.disks import Wanted

    return Wanted(erase=tuple(args.erase), quota=args.quota)


def grow(args: argparse.Namespace) -> int:
    """With --dry-run, exit status 0: grow would do it; 1: something is in its way, or there is nothing to do."""
    from tanist.runs import grow as growing

    session = open_session(args.name)
    outlook = growing.Outlook(session, growing.parse_size(args.leave) if args.leave else 0)
    print(outlook.render(session), flush=True)
    if args.dry_run:
        for one in outlook.obstacles:
            print(f"in the way: {one}")
        if not outlook.obstacles and not outlook.steps:
            print("nothing to grow: all is as large as what it lies on")
        return 0 if outlook.steps else 1
    growing.demand_clear(session, outlook)
    demand_word(session, args.confirm, "grow")
    growing.grow(session, outlook, args.reason)
    return 0


def demand_word(session: Session, typed: str | None, verb: str) -> None:
    """What is made here can't be made undone: the controller's name is typed, whoever asks."""
    if typed is None and sys.stdin.isatty():
        print(
            f"this writes to the disks above. Type the controller's name to go on ({session.name}): ",
            end="",
            flush=True,
        )
        typed = sys.stdin.readline().strip()
    if typed != session.name:
        raise Refused(
            "not confirmed: nothing was written",
            next_step=f"tanist storage {verb} {session.name} --confirm {session.name}",
        )


def show_findings(session: Session) -> None:
    """As `storage check`, without a measurement: what both nodes make of the new asset. The run has ended by then."""
    from tanist.cli.check import render
    from tanist.runs.storage_check import tell_storage

    try:
        print("\n\n".join(render(one, whole=False, verdict=False) for one in tell_storage(session)))
    except (OSError, TanistError) as error:
        print(f"the findings can't be told now ({error}): tanist storage check {session.name}")


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
