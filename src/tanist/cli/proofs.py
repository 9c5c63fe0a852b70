"""tanist proofs NAME: what this pair has to prove an owner down, what it lacks, and what it costs.

Only looks, and keeps what it saw for readiness. --reserve and --clear change who may write to the asset's disks: by a
person's word only.
"""

from __future__ import annotations

import argparse
import json

from tanist.cli.context import open_session
from tanist.model.codec import encode
from tanist.runs.finding import Finding
from tanist.runs.proofs import Survey, survey
from tanist.runs.proofs_kept import save_proofs


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--json", action="store_true")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--reserve", action="store_true", help="on the active node: reserve the asset's disks for it now")
    what.add_argument("--clear", nargs="?", const="", metavar="KEY", help="take off left-over keys, or the one named")


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when each other node could be stopped from here and that would suffice, else 1."""
    session = open_session(args.name)
    if args.reserve or args.clear is not None:
        from tanist.runs.reservation import clear, reserve_now

        print("\n".join((reserve_now(session),) if args.reserve else clear(session, args.clear)))
        return 0
    found = survey(session)
    save_proofs(session, found)
    if args.json:
        body = {"format": 1, **encode(found)}
        body["findings"] = [{**encode(one), "strength": one.strength} for one in found.findings]
        print(json.dumps(body, indent=1))
    else:
        print(render(found))
    return 1 if found.lacking else 0


def render(found: Survey) -> str:
    sets = " or ".join("+".join(names) for names in found.policy)
    where = f"{found.controller} on {found.node}, {found.machine}"
    lines = [f"{where}; a takeover from an owner that did not let go asks for: {sets}"]
    for one in found.findings:
        lines += render_finding(one)
    for name in found.lacking:
        lines.append(f"{name} could not be stopped from here: if it hangs, a person must see it off")
    return "\n".join(lines)


def render_finding(one: Finding) -> list[str]:
    times = [f"answered in {one.seconds:.1f} s"] if one.seconds is not None else []
    times += [f"takes at most {one.at_most:.0f} s"] if one.at_most is not None else []
    lines = [f"  {one.engine:<12} {one.about:<14} {one.state.upper():<11} {'; '.join([one.detail, *times])}"]
    if one.state == "ready":
        lines.append(f"{'':42}{one.strength}")
    if one.mend:
        lines.append(f"{'':42}to mend it: {one.mend}")
    return lines
