"""tanist lease init|status|give-back NAME: what sanlock renews while a node is active, set up and told about."""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session
from tanist.runs.lease import describe_lease, give_back_lease, set_up_lease


def configure(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    init = verbs.add_parser("init", help="on each node: the daemon, the leases where their place is blank, and join")
    init.add_argument("name")
    init.add_argument("--without-watchdog", action="store_true", help="this machine has none: its lease is weaker")
    status = verbs.add_parser("status", help="who renews, and when a lease runs out")
    status.add_argument("name")
    back = verbs.add_parser("give-back", help="on a node that is not active and still has it")
    back.add_argument("name")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    if args.verb == "init":
        set_up_lease(session, watchdog=not args.without_watchdog)
    elif args.verb == "give-back":
        give_back_lease(session)
    print("\n".join(describe_lease(session)))
    return 0
