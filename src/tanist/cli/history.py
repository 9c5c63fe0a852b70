"""tanist history NAME [--json] [verify]: newest last; or whether all copies are intact."""

from __future__ import annotations

import argparse
import json
import sys

from tanist.cli.context import open_session
from tanist.journal.chain import heads, in_order
from tanist.runs.exchange import verify_history
from tanist.runs.history import load_history
from tanist.runs.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("what", nargs="?", default="", help="verify: is every copy intact? Exit status 1 if not")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--steps", action="store_true", help="with the seconds of every step")
    parser.add_argument("--here", action="store_true", help="verify: without asking the other nodes")


def run(args: argparse.Namespace) -> int:
    name, what = (args.what, args.name) if args.name == "verify" and args.what else (args.name, args.what)
    session = open_session(name)
    if what == "verify":
        return verify(session, ask_peers=not args.here)
    if what:
        print(f"tanist history: {what!r}? There is: tanist history {name} verify", file=sys.stderr)
        return 2
    for entry in load_history(session):
        if args.json:
            print(json.dumps(entry, sort_keys=True))
        else:
            show(entry, steps=args.steps)
    return 0


def show(entry: dict[str, object], *, steps: bool) -> None:
    print(f"{entry['run']}  {entry['outcome']}  {entry.get('seconds', 0):.2f} s  {entry.get('summary', '')}")
    for key in ("who", "reason", "attested", "verdict"):
        if entry.get(key):
            print(f"    {key:<9} {entry[key]}")
    accepted = entry.get("accepted")
    for one in accepted if isinstance(accepted, list) else ():
        print(f"    accepted  {one}")
    found = entry.get("steps") if steps else ()
    for says, seconds in found if isinstance(found, list) else ():
        print(f"    {seconds:8.3f} s  {says}")


def verify(session: Session, *, ask_peers: bool) -> int:
    copies, findings = verify_history(session, ask_peers=ask_peers)
    for name, copy in copies.items():
        bad = any(one.grave for one in findings if one.copy == name)
        whose = name if name.startswith("the ") else f"the copy of {name}"
        print(f"{whose}: {len(copy.entries)} entries, {'NOT INTACT' if bad else 'intact'}")
    for one in sorted(findings, key=lambda one: not one.grave):
        mark = "NOT INTACT" if one.grave else "note"
        print(f"{mark}: {one.copy}: {one.says}" if one.copy else f"{mark}: {one.says}")
    for run, sum_ in heads(in_order(entry for copy in copies.values() for entry in copy.entries)):
        print(f"last: {run}  {sum_}")
    return 1 if any(one.grave for one in findings) else 0
