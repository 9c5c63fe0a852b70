"""The evidence of every ended run, chained (journal/chain.py), in copies: this node's, the asset's, the other nodes'.

A run is entered once, on the node that ran it. Copies that lack entries get them: the asset's whenever this node has
the tree, the other nodes' by runs/exchange.py. Nothing is ever taken out of a copy here, except a torn last line.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tanist.journal.chain import (
    Copy,
    Damaged,
    Entry,
    canonical,
    heads,
    in_order,
    lacking,
    parse_copy,
    parse_entry,
    render_entry,
)
from tanist.journal.journal import Journal
from tanist.journal.state import RunState, read_run
from tanist.model.codec import encode
from tanist.model.dataclasses import dataclass, field, fields
from tanist.model.errors import Busy, TanistError
from tanist.model.run import Continued, Record
from tanist.model.times import render_moment
from tanist.plan import places
from tanist.runs.session import Session
from tanist.steps.storage import mounted_at

LIMIT = 256 << 20  # bytes of a copy
PATIENCE = 10.0  # seconds
ACCEPT = "accept"  # kind of an entry that is no run: a finding that a person accepted (runs/accept.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What an entry says, field by field as in docs/formats.md. What has a default here, only a run has."""

    run: str
    kind: str
    controller: str
    node: str
    who: str
    reason: str
    epoch: int
    outcome: str
    summary: str
    began: str
    ended: str
    tool: str
    journal: str
    attested: str = ""
    verdict: str = ""
    evidence: tuple[dict[str, Any], ...] = ()
    accepted: tuple[str, ...] = ()
    continued: tuple[dict[str, Any], ...] = ()
    plans: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    steps: tuple[tuple[str, float], ...] = ()


def save_history(session: Session, journal: Journal) -> None:
    """On this node always, and once, however often it is called; on the asset while the tree is here."""
    save_entry(session, describe_run(session, read_run(journal.records), journal))


def save_entry(session: Session, account: Account) -> None:
    """One of a run that is known already is not entered again."""
    with writing(session):
        _enter(session, account)
        _save_on_asset(session)


def _enter(session: Session, account: Account) -> None:
    mine = mend_tail(session, places.history(session.name))
    theirs = read_copy(session, asset_path(session)) if tree_is_here(session) else Copy()
    known = (*mine.entries, *theirs.entries)
    new = lacking(mine.entries, theirs.entries)
    if all(entry.run != account.run for entry in known):
        told = {one.name: getattr(account, one.name) for one in fields(account)}
        new = (*new, parse_entry(render_entry(told, heads(known))))
    append(session, places.history(session.name), new)


@contextlib.contextmanager
def writing(session: Session) -> Iterator[None]:
    """One process at a time changes this node's copies: a run that ends, or another node's entries that arrive."""
    path = f"{places.runtime(session.name)}/history.lock"
    deadline = session.host.monotonic() + PATIENCE
    while isinstance(lock := session.host.lock(path, session.who), str):
        if session.host.monotonic() >= deadline:
            raise Busy(f"the history of {session.name} is being written by {lock} for more than {PATIENCE:g} s")
        session.host.sleep(0.02)
    try:
        yield
    finally:
        lock.close()


def describe_run(session: Session, state: RunState, journal: Journal) -> Account:
    """Who, why, what was seen, when, with which tool, the verdict, what was planned, and how it ended."""
    started, ended = state.started, state.ended
    return Account(
        run=started.run,
        kind=started.kind,
        controller=started.controller,
        node=started.node,
        who=started.who,
        reason=started.reason,
        attested=started.attested,
        verdict=state.verdict.outcome.value if state.verdict else "",
        evidence=tuple(encode(state.evidence)),
        accepted=tuple(state.accepted),
        continued=tuple(describe_continuation(record) for record in journal.records if is_continuation(record)),
        epoch=started.epoch,
        plans={name: hashlib.sha256(canonical(encode(part.plan))).hexdigest() for name, part in state.parts.items()},
        outcome=ended.outcome if ended else "",
        summary=ended.summary if ended else "",
        began=render_moment(state.since),
        ended=render_moment(journal.records[-1].at),
        seconds=ended.seconds if ended else 0.0,
        steps=tuple((step.says, state.seconds.get(step.id, 0.0)) for step in state.steps),
        tool=started.tool,
        journal=hashlib.sha256(session.host.files.read(journal.path, LIMIT)).hexdigest(),
    )


def is_continuation(record: Record) -> bool:
    return isinstance(record.body, Continued)


def describe_continuation(record: Record) -> dict[str, Any]:
    body = encode(record.body)
    return {"at": render_moment(record.at), **{key: body[key] for key in ("direction", "who", "reason", "evidence")}}


# -- copies
def asset_path(session: Session) -> str:
    return f"{session.controller.tree}/.tanist/history.jsonl"


def tree_is_here(session: Session) -> bool:
    tree = session.controller.tree
    here = session.controller.asset.kind == "directory" or mounted_at(session.host, tree) is not None
    return here and session.host.files.exists(f"{tree}/.tanist/claim")


def read_copy(session: Session, path: str) -> Copy:
    """One that is not there is empty. What can't be read at all counts as damaged: the asset may be."""
    try:
        return parse_copy(session.host.files.read(path, LIMIT))
    except FileNotFoundError:
        return Copy()
    except OSError as error:
        return Copy(damaged=(Damaged(number=1, run="", why=f"{path} can't be read: {error}"),))


def append(session: Session, path: str, entries: Iterable[Entry]) -> None:
    """On disk when it returns, all of them in one write. The copy has no torn tail."""
    text = b"".join(entry.line for entry in entries)
    if text:
        session.host.files.append(path, text)


def mend_tail(session: Session, path: str) -> Copy:
    """The copy, ready to be appended to. A torn last line was never acknowledged: its run is entered again, because
    its journal is filed away only afterwards."""
    files = session.host.files
    copy = read_copy(session, path)
    if not copy.tail:
        return copy
    data = files.read(path, LIMIT)
    try:
        parse_entry(copy.tail)
    except (ValueError, RecursionError):
        files.write(path, data[: len(data) - len(copy.tail)], 0o600)
    else:
        files.append(path, b"\n")  # whole but for its end
    return read_copy(session, path)


def _save_on_asset(session: Session) -> None:
    """The asset's copy gets what it lacks, while the tree is here. A full asset must not spoil a finished run."""
    if not tree_is_here(session):
        return
    try:
        there = mend_tail(session, asset_path(session))
        mine = read_copy(session, places.history(session.name))
        append(session, asset_path(session), lacking(there.entries, mine.entries))
    except (OSError, TanistError) as error:
        session.note(f"warning: the asset's copy of the history could not be written: {error}")


def take_entries(session: Session, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """What another copy has and this node's lacks, added, on the asset too; what that was."""
    with writing(session):
        mine = mend_tail(session, places.history(session.name))
        new = lacking(mine.entries, entries)
        append(session, places.history(session.name), new)
        _save_on_asset(session)
    return new


def read_copies(session: Session) -> dict[str, Copy]:
    """This node's, and the asset's where the tree is here."""
    copies = {session.node: read_copy(session, places.history(session.name))}
    if tree_is_here(session):
        copies["the asset"] = read_copy(session, asset_path(session))
    return copies


def load_history(session: Session) -> tuple[dict[str, Any], ...]:
    """In the order of the chain, the newest last. Lines that can't be read say so and hide no other."""
    copies = read_copies(session)
    found = [entry.fields for entry in in_order([one for copy in copies.values() for one in copy.entries])]
    for name, copy in copies.items():
        found += [
            {"run": f"{name}:{one.number}", "outcome": f"unreadable line: {one.why}", "summary": one.run}
            for one in copy.damaged
        ]
    return tuple(found)
