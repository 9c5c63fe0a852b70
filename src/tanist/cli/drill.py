"""tanist drill NAME: exit status 0 passed, 1 failed; 3, 7: there was no drill."""

from __future__ import annotations

import argparse
import json

from tanist.cli.context import open_session
from tanist.model.codec import encode
from tanist.model.drill import DrillResult
from tanist.model.errors import Refused
from tanist.plan.forecast import find_comparable, render_result
from tanist.runs.drills import drilling, load_results
from tanist.runs.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--last", action="store_true", help="what the last drill of this node showed")
    what.add_argument("--clean", action="store_true", help="remove what a drill that was killed left behind")
    what.add_argument("--scheduled", action="store_true", help="only if one is due by [drill] every (for the timer)")
    what.add_argument(
        "--destructive-switchover",
        action="store_true",
        help="there and back on the real thing; only in a [drill] window",
    )
    parser.add_argument("--reason", default="", help="why, for the history")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    session = open_session(args.name)
    if args.clean:
        return clean(session)
    if args.last:
        return last(session, as_json=args.json)
    if args.scheduled:
        from tanist.runs.drill_schedule import why_not_now

        if says := why_not_now(session):
            session.note(says)
            return 0
    before = find_comparable(load_results(session))
    if args.destructive_switchover:
        from tanist.runs.drill_switchover import drill_switchover

        result = drill_switchover(session, args.reason)
    else:
        from tanist.runs.drill import drill

        result = drill(session, args.reason or ("scheduled" if args.scheduled else ""))
    show(result, before, as_json=args.json)
    return 0 if result.result == "passed" else 1


def show(result: DrillResult, before: DrillResult | None, *, as_json: bool) -> None:
    print(json.dumps(encode(result), indent=1) if as_json else render_result(result, before))


def last(session: Session, *, as_json: bool) -> int:
    results = load_results(session)
    result = next(results, None)
    if result is None:
        raise Refused(
            f"there was no drill of {session.name} on {session.node}", next_step=f"tanist drill {session.name}"
        )
    show(result, find_comparable(results), as_json=as_json)
    return 0 if result.result == "passed" else 1


def clean(session: Session) -> int:
    """Taking the lock removes what is left."""
    with drilling(session):
        pass
    print(f"nothing of a drill of {session.name} is left on {session.node}")
    return 0
