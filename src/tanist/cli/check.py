"""tanist check NAME: exit status 0 READY, 10 READY WITH LOSS, 20 NOT READY; of several standbys the best counts."""

from __future__ import annotations

import argparse
import json
import os

from tanist.cli.context import open_session
from tanist.model.errors import Refused
from tanist.model.readiness import Assessment, Found
from tanist.parity.encode import encode_assessment
from tanist.parity.kinds import KINDS
from tanist.parity.metrics import render_metrics
from tanist.runs.accept import accept, find_kind
from tanist.runs.check import check
from tanist.runs.readiness import save_readiness

EXIT = {"READY": 0, "READY WITH LOSS": 10, "NOT READY": 20}
MARKS = {"good": "ok", "warning": "warning", "loss": "LOSS", "blocks": "BLOCKS"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--all", action="store_true", help="what is good, too")
    parser.add_argument("--textfile", metavar="FILE", help="write the figures for node_exporter's textfile collector")
    parser.add_argument("--explain", metavar="FINDING", help="why it matters and what to do")
    parser.add_argument("--accept", metavar="FINDING", help="let this one not count for a while; needs --reason")
    parser.add_argument("--reason", default="")
    parser.add_argument("--for", dest="span", default="7d", metavar="TIME", help="how long: 12h, 30d (default 7d)")


def run(args: argparse.Namespace) -> int:
    if args.explain:
        print(explain(args.explain))
        return 0
    if not args.name:
        raise Refused("which controller?", next_step="tanist check NAME; or: tanist check --explain FINDING")
    session = open_session(args.name)
    if args.accept:
        print(accept(session, args.accept, reason=args.reason, span=args.span).describe())
        return 0
    found = check(session)
    save_readiness(session, found)
    if args.textfile:
        write_textfile(args.textfile, render_metrics(found, session.host.now()))
    if args.json:
        print(json.dumps([encode_assessment(one) for one in found], indent=1))
    else:
        print("\n\n".join(render(one, whole=args.all) for one in found))
    return min((EXIT[one.verdict] for one in found), default=EXIT["NOT READY"])


def explain(finding: str) -> str:
    kind = KINDS.get(find_kind(finding))
    if kind is None:
        raise Refused(f"there is no finding {finding!r}", next_step="there are: " + ", ".join(KINDS))
    grave = {"blocks": "NOT READY", "loss": "READY WITH LOSS", "warning": "READY, with a warning"}[kind.weight]
    return f"{kind.name}\n  why    {kind.why}\n  mend   {kind.mend.replace('{controller}', 'NAME')}\n  makes  {grave}"


def render(one: Assessment, *, whole: bool, verdict: bool = True) -> str:
    """Without `verdict`: some of the findings, by which nobody could tell whether a takeover would work."""
    since = "" if one.owner_seen == "now" else f", {one.owner} as of {one.owner_seen}"
    what = f"{one.taker} would take over from {one.owner}: {one.verdict}" if verdict else f"{one.owner} and {one.taker}"
    lines = [f"{one.controller}: {what}{since}"]
    shown = [found for found in one.found if whole or found.grade != "good"]
    for found in sorted(shown, key=lambda item: ("blocks", "loss", "warning", "good").index(item.grade)):
        lines += render_found(found)
    good = sum(found.grade == "good" for found in one.found)
    hint = "" if good == len(one.found) else "; why one matters: --explain FINDING"
    lines.append(f"  {good} of {len(one.found)} are good" + ("" if whole else "; all of them: --all") + hint)
    return "\n".join(lines)


def render_found(found: Found) -> list[str]:
    mark = "accepted" if found.accepted else MARKS[found.grade]
    lines = [f"  {mark:<8} {found.name}: {found.says}"]
    if found.accepted:
        lines.append(f"           {found.accepted}")
    elif found.grade != "good":
        lines.append(f"           {found.mend}")
    return lines


def write_textfile(path: str, text: str) -> None:
    """By rename, as the collector asks for: it never reads half a file."""
    part = f"{path}.{os.getpid()}"
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path)
