"""tanist hooks [NAME --test]: who is told of runs and of readiness; or tells them something, to see that it arrives."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from tanist.cli.context import open_session, the_only_controller
from tanist.host.local import LocalHost
from tanist.runs.hooks import read_hooks
from tanist.runs.notify import DIRECTORY, WEBHOOKS


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--test", action="store_true", help="send the event test to all of them, and say who took it")


def run(args: argparse.Namespace) -> int:
    """Exit status 0; 1 when one of them can't be used, or did not take the test."""
    hooks = read_hooks(LocalHost())
    if args.test:
        from tanist.runs.courier import build_test_event, deliver

        session = open_session(args.name or the_only_controller())
        well = deliver(session.host, hooks, iter([build_test_event(session)]), say)
        if well:
            print(f"{len(hooks.programs) + len(hooks.webhooks)} took it")
        return 0 if well else 1
    for path in hooks.programs:
        print(f"program  {path}")
    for one in hooks.webhooks:
        print(f"webhook  {one.name}  {', '.join(one.events) or 'every event'}{'; signed' if one.secret else ''}")
    for why in hooks.wrong:
        print(f"NOT USED {why}")
    if not (hooks.programs or hooks.webhooks or hooks.wrong):
        print(f"none: programs go into {DIRECTORY}, webhooks into {WEBHOOKS}")
    return 1 if hooks.wrong else 0


def say(text: str, _: Mapping[str, str], __: int) -> None:
    print(text)
