"""tanist release NAME: stop here, let the asset go, be this node again."""

from __future__ import annotations

import argparse
import sys

from tanist.cli.context import open_session
from tanist.runs.release import release


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--reason", default="", help="why, for the history")
    parser.add_argument("--poweroff", action="store_true", help="switch this machine off afterwards")
    parser.add_argument("--planned", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name, sys.stdout if args.planned else sys.stderr)
    if args.planned:
        from tanist.runs.switchover import release_planned  # all that a takeover needs, too

        release_planned(session, args.reason)
    else:
        release(session, args.reason)
        session.note(f"\n{session.node} has released {session.name}; on the other node: tanist takeover {session.name}")
    if args.poweroff:
        session.host.run(["systemctl", "--no-block", "poweroff"])
    return 0
