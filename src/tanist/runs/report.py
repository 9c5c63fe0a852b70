"""One run, for its post-mortem: from its journal on this node, else from its entry in the history. Changes nothing.

A run that was cut off, or is at work now, is reported as far as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tanist.journal.journal import done_directory, runs_directory
from tanist.journal.records import parse_journal
from tanist.journal.state import RunState, read_run
from tanist.model.codec import decode
from tanist.model.errors import Refused
from tanist.model.evidence import Evidence, Verdict
from tanist.model.report import Brief, Checked, Look, Moment, Noted, RunReport, Span
from tanist.model.run import Continued, Judged, Record, RunStarted
from tanist.model.times import render_span
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.report.follow import Follower, first_look
from tanist.report.stages import COPY, OTHER, sum_stages
from tanist.runs.drills import IN_CELL, load_result
from tanist.runs.history import ACCEPT, load_history
from tanist.runs.peers import read_lock
from tanist.runs.readiness import load_readiness
from tanist.runs.session import Session

EARLIER = 12  # runs that a report names beside its own
LIMIT = 64 << 20  # bytes of a journal


def build_report(session: Session, run: str = "") -> RunReport:
    """`run`: the newest of this node and of the history when it is empty. Refused where there is none of that name."""
    entries = [one for one in load_history(session) if "kind" in one]
    places_ = find_journals(session)
    if not run:
        run = max([*places_, *(str(one["run"]) for one in entries if one["kind"] != ACCEPT)], default="")
        if not run:
            raise Refused(f"{session.name} has had no run yet that this node knows of", next_step="tanist history NAME")
    others = [one for one in entries if one["run"] != run]
    if run in places_:
        return from_journal(session, places_[run], others)
    entry = next((one for one in entries if one["run"] == run), None)
    if entry is None:
        known = ", ".join(str(one["run"]) for one in entries[-5:]) or "none"
        raise Refused(f"this node knows of no run {run}", next_step=f"tanist history {session.name}; the last: {known}")
    return from_entry(session, entry, others)


def find_journals(session: Session) -> dict[str, str]:
    """Run -> path, filed away or not."""
    found = {}
    for directory in (places.drills(session.name), done_directory(session.name), runs_directory(session.name)):
        if session.host.files.exists(directory):
            names = [one for one in session.host.files.list(directory) if one.endswith(".jsonl")]
            found.update({one.removesuffix(".jsonl"): f"{directory}/{one}" for one in names})
    return found


# -- from the journal
def from_journal(session: Session, path: str, others: Sequence[dict[str, Any]]) -> RunReport:
    records, _ = parse_journal(session.host.files.read(path, LIMIT), path)
    if not records:
        raise Refused(f"{path} has no record yet: nothing was done", next_step=f"tanist status {session.name}")
    state, seen = read_run(records), Follower(records)
    started, ended = state.started, state.ended
    before = read_before(session, started, records)
    began = records[0].at + min((span.at for span in before), default=0.0)
    spans = (*before, *seen.spans)
    outcome, next_step = judge(session, state)
    return RunReport(
        run=started.run,
        kind=started.kind,
        controller=started.controller,
        node=started.node,
        outcome=outcome,
        summary=ended.summary if ended else state.error,
        next_step=next_step,
        who=started.who,
        reason=started.reason,
        attested=started.attested,
        accepted=state.accepted,
        epoch=started.epoch,
        tool=started.tool,
        began=began,
        ended=records[-1].at,
        seconds=records[-1].at - began,
        source=f"{path} on {session.node}",
        captures=tuple(dict.fromkeys(one.capture for one in state.parts.values() if one.capture)),
        looks=tuple(read_looks(records)),
        spans=spans,
        waits=tuple(seen.waits),
        moments=tuple(seen.moments),
        stages=sum_stages(spans),
        boots=len({one.boot for one in records}),
        checked=read_checked(session, began),
        earlier=briefs(others),
    )


def read_before(session: Session, started: RunStarted, records: Sequence[Record]) -> tuple[Span, ...]:
    """What was done before the first record: the owner was looked at, or a drill's cell was made."""
    if started.kind != "drill":
        look = first_look(started.run, records)
        return (look,) if look else ()
    result = load_result(session, started.run)
    if isinstance(result, Unread):
        return ()
    found, at = [], result.began - records[0].at
    for step in result.steps:
        if step.says.startswith(IN_CELL):
            break
        stage = COPY if step.says.startswith("copy ") else OTHER
        seconds = step.seconds if at + step.seconds <= 0 else max(-at, 0.0)  # the cell's own steps come after it
        if seconds > 0:
            found.append(
                Span(says=step.says, stage=stage, at=at, seconds=seconds, mark="done" if step.ok else "failed")
            )
        at += step.seconds
    return tuple(found)


def judge(session: Session, state: RunState) -> tuple[str, str]:
    if state.ended is not None:
        return state.ended.outcome, ""
    if read_lock(session):
        return "at work", f"tanist status {session.name}"
    return "cut off", f"tanist resume {session.name}   or   tanist undo {session.name}"


def read_looks(records: Sequence[Record]) -> list[Look]:
    found = []
    for record in records:
        match record.body:
            case RunStarted() as one if one.evidence or one.verdict:
                found.append(make_look("before the run", one.evidence, one.verdict))
            case Continued() as one if one.evidence or one.verdict:
                found.append(make_look(f"before the {one.direction} by {one.who}", one.evidence, one.verdict))
            case Judged() as one:
                found.append(make_look("after the fence", one.evidence, one.verdict))
            case _:
                pass
    return found


def make_look(title: str, evidence: tuple[Evidence, ...], verdict: Verdict | None) -> Look:
    if verdict is None:
        return Look(title=title, evidence=evidence)
    return Look(
        title=title,
        evidence=evidence,
        verdict=verdict.outcome.value,
        reasons=verdict.reasons,
        would_suffice=verdict.would_suffice,
    )


# -- from the history
def from_entry(session: Session, entry: dict[str, Any], others: Sequence[dict[str, Any]]) -> RunReport:
    """Of another node's run only what its entry has: lengths of steps, not when each began."""
    began, ended = read_time(entry["began"]), read_time(entry["ended"])
    steps = [(str(says), float(seconds)) for says, seconds in entry.get("steps", [])]
    spans = tuple(Span(says=says, stage=OTHER, at=-1.0, seconds=seconds, mark="done") for says, seconds in steps)
    return RunReport(
        run=str(entry["run"]),
        kind=str(entry["kind"]),
        controller=str(entry["controller"]),
        node=str(entry["node"]),
        outcome=str(entry["outcome"]),
        summary=str(entry.get("summary", "")),
        next_step="",
        who=str(entry["who"]),
        reason=str(entry["reason"]),
        attested=str(entry["attested"]),
        accepted=tuple(map(str, entry.get("accepted", ()))),
        epoch=int(entry["epoch"]),
        tool=str(entry["tool"]),
        began=began,
        ended=ended,
        seconds=float(entry["seconds"]),
        source=f"the history on {session.node}; the whole journal is on {entry['node']}",
        captures=(),
        looks=tuple(entry_looks(entry)),
        spans=spans,
        waits=(),
        moments=(
            Moment(at=began, after=0.0, mark="person", says=f"{entry['kind']} begun by {entry['who']}"),
            Moment(at=ended, after=ended - began, mark="ended", says=f"{entry['outcome']}: {entry.get('summary', '')}"),
        ),
        stages=sum_stages(spans),
        checked=read_checked(session, began),
        earlier=briefs(others),
    )


def entry_looks(entry: dict[str, Any]) -> list[Look]:
    found = []
    if entry["evidence"] or entry["verdict"]:
        found.append(
            Look(title="before the run", evidence=read_evidence(entry["evidence"]), verdict=str(entry["verdict"]))
        )
    for one in entry.get("continued", []):
        if one["evidence"]:
            title = f"before the {one['direction']} by {one['who']}"
            found.append(Look(title=title, evidence=read_evidence(one["evidence"])))
    return found


def read_evidence(bodies: Sequence[object]) -> tuple[Evidence, ...]:
    return tuple(decode(Evidence, one, "evidence") for one in bodies)


def read_time(text: object) -> float:
    return datetime.fromisoformat(str(text)).timestamp()


# -- beside the run
def briefs(others: Sequence[dict[str, Any]]) -> tuple[Brief, ...]:
    newest = sorted(others, key=lambda one: str(one["began"]), reverse=True)[:EARLIER]
    return tuple(
        Brief(
            run=str(one["run"]),
            kind=str(one["kind"]),
            node=str(one["node"]),
            outcome=str(one["outcome"]),
            began=str(one["began"]),
            seconds=float(one.get("seconds", 0.0)),
            summary=str(one.get("summary", "")),
        )
        for one in newest
    )


def read_checked(session: Session, began: float) -> tuple[Checked, ...]:
    """What readiness said on this node when the run began, or as near to that as it is known."""
    states = load_readiness(session)
    kept = next((one for one in reversed(states) if one.since <= began), states[0] if states else None)
    if kept is None:
        return ()
    nearest = min(max(began, kept.since), kept.at)
    apart = nearest - began
    if apart:
        when = f"{render_span(abs(apart))} {'after' if apart > 0 else 'before'} the run began"
    else:
        when = "it stood so when the run began"
    return tuple(
        Checked(
            at=nearest,
            when=when,
            taker=str(one["taker"]),
            verdict=str(one["verdict"]),
            good=sum(item["grade"] == "good" for item in one["findings"]),
            findings=tuple(
                Noted(
                    name=str(item["name"]),
                    grade=str(item["grade"]),
                    says=str(item["says"]),
                    mend=str(item["mend"]),
                    accepted=str(item["accepted"]),
                )
                for item in one["findings"]
                if item["grade"] != "good"
            ),
        )
        for one in kept.found
    )
