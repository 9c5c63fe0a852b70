"""Findings that a person accepted for a while, one by one. Added at the end of a file, never taken out of it; and each
is an entry of the history, which the other node and the asset have as well."""

from __future__ import annotations

import hashlib
import json
import re

from tanist.host.clock import timestamp
from tanist.model.accepted import BOUND, LONGEST, Accepted
from tanist.model.codec import decode, encode
from tanist.model.errors import Failed, Refused
from tanist.model.times import render_moment, render_time
from tanist.parity.kinds import KINDS
from tanist.plan import places
from tanist.runs.history import ACCEPT, Account, read_copy, save_entry
from tanist.runs.seen import read_epoch_seen
from tanist.runs.session import TOOL, Session, name_run

SPANS = {"h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(\d{1,4})([hd])")


def accept(session: Session, finding: str, *, reason: str, span: str) -> Accepted:
    """Refused without a reason, for a finding that there is not, and for too long."""
    kind = find_kind(finding)
    if not kind:
        raise Refused(f"there is no finding {finding!r}", next_step=f"tanist check {session.name} names them")
    if not reason.strip():
        raise Refused("a finding is accepted with a reason", next_step='add --reason "..."')
    until = session.host.now() + parse_span(span)
    said = find_said(session, finding)
    one = Accepted(
        finding=finding,
        who=f"{session.who} on {session.node}",
        reason=reason.strip(),
        since=timestamp(session.host),
        until=until,
        until_text=render_time(until),
        said=said if kind in BOUND else (),
    )
    session.host.files.make_directory(f"{places.STATE}/{session.name}", 0o700)
    line = json.dumps(encode(one)).encode()
    save_entry(session, describe_accepted(session, one, said, line))  # first: none holds that the history does not have
    cut_torn_line(session)
    session.host.files.append(places.accepted(session.name), line + b"\n")
    return one


def describe_accepted(session: Session, one: Accepted, said: tuple[str, ...], line: bytes) -> Account:
    """As an entry of the history, a run without steps: with what the finding said when it was looked at last."""
    known = {entry.run for entry in read_copy(session, places.history(session.name)).entries}
    now = render_moment(session.host.now())
    return Account(
        run=name_run(session, ACCEPT, known.__contains__),
        kind=ACCEPT,
        controller=session.name,
        node=session.node,
        who=session.who,
        reason=one.reason,
        epoch=read_epoch_seen(session),
        outcome="accepted",
        summary=f"{one.finding}, until {one.until_text}" + (f"; it said: {' | '.join(said)}" if said else ""),
        began=now,
        ended=now,
        tool=TOOL,
        journal=hashlib.sha256(line).hexdigest(),
    )


def find_said(session: Session, finding: str) -> tuple[str, ...]:
    """In the last check, of each node that could take over; () where it did not find it."""
    from tanist.runs.readiness import load_readiness

    kept = load_readiness(session)
    items = [item for one in (kept[-1].found if kept else ()) for item in one["findings"]]
    says = (str(item["says"]) for item in items if item["name"] == finding and item["grade"] != "good")
    return tuple(dict.fromkeys(says))


def cut_torn_line(session: Session) -> None:
    """What a write that was cut off has left would spoil the line that follows it."""
    files, path = session.host.files, places.accepted(session.name)
    data = files.read(path) if files.exists(path) else b""
    if data and not data.endswith(b"\n"):
        files.write(path, data[: data.rfind(b"\n") + 1], 0o600)


def find_kind(finding: str) -> str:
    """The kind of a finding's whole name, "" for none: kinds may have spaces in them."""
    return next((name for name in KINDS if finding == name or finding.startswith(f"{name} ")), "")


def parse_span(text: str) -> float:
    """Seconds of "12h" or "30d". Refused for anything else, and for more than 90 days."""
    match = _SPAN.fullmatch(text)
    seconds = int(match[1]) * SPANS[match[2]] if match else 0.0
    if not 0 < seconds <= LONGEST:
        raise Refused(f"{text!r} is no time that a finding can be accepted for", next_step="--for 12h, or up to 90d")
    return seconds


def load_accepted(session: Session) -> tuple[Accepted, ...]:
    """All that were ever accepted here, the oldest first; those that have expired too. A torn last line is none."""
    try:
        lines = session.host.files.read(places.accepted(session.name)).split(b"\n")
    except FileNotFoundError:
        return ()
    found = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            found.append(decode(Accepted, json.loads(line), f"line {number}"))
        except ValueError as error:
            raise Failed(
                f"{places.accepted(session.name)} is damaged: {error}",
                node=session.node,
                next_step="move it away; nothing is accepted then",
            ) from error
    return tuple(found)
