"""The history as a chain: each entry names, by their SHA-256, those that its writer knew to be the last.

In: bytes of a copy of the history, or fields of an entry. Out: entries, or a line. Pure; check_chain.py says what is
wrong with copies. Two nodes that write at one moment, or while they cannot talk, make two branches; the next entry that
knows both names both, and the branches are joined. A line is canonical JSON, so that not a byte of it can change
unseen; one of format 1 (before the chain) has no sum and counts by the SHA-256 of its line.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tanist.model.dataclasses import dataclass

FORMAT = 2

Name = tuple[str, str]  # (run, sum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    run: str
    sum: str
    node: str
    ended: str
    previous: tuple[Name, ...]
    line: bytes  # with its newline

    @property
    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A line that is no entry. `run`: what it says that it is, "" when even that can't be read."""

    number: int
    run: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """`tail`: bytes behind the last newline, of a write that was cut off."""

    entries: tuple[Entry, ...] = ()
    damaged: tuple[Damaged, ...] = ()
    tail: bytes = b""


def canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def render_entry(fields: Mapping[str, Any], previous: Iterable[Name]) -> bytes:
    """The line of a new entry behind `previous`. `fields` has at least run, node and ended."""
    body = {**fields, "format": FORMAT, "previous": sorted([run, sum_] for run, sum_ in previous)}
    return canonical({**body, "sum": hashlib.sha256(canonical(body)).hexdigest()}) + b"\n"


def parse_entry(line: bytes) -> Entry:
    """ValueError for anything that was not written so."""
    body = json.loads(line)
    if not isinstance(body, dict):
        raise ValueError("not an object")
    if body.get("format") not in (1, FORMAT):
        raise ValueError(f"format {body.get('format')!r}, this tanist knows {FORMAT}")
    texts = [body.get(key) for key in ("run", "node", "ended")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("it does not say which run it is, of which node and when")
    stripped = line.rstrip(b"\n")
    chained = body["format"] != 1
    sum_ = _check_sum(body, stripped) if chained else hashlib.sha256(stripped).hexdigest()
    previous = _read_previous(body.get("previous")) if chained else ()
    run, node, ended = map(str, texts)
    return Entry(run=run, sum=sum_, node=node, ended=ended, previous=previous, line=stripped + b"\n")


def _check_sum(body: dict[str, Any], line: bytes) -> str:
    rest = {key: value for key, value in body.items() if key != "sum"}
    if body.get("sum") != hashlib.sha256(canonical(rest)).hexdigest():
        raise ValueError("its sum does not fit")
    if canonical(body) != line:
        raise ValueError("not a byte of it may differ from what was written, and some do")
    return str(body["sum"])


def _read_previous(found: object) -> tuple[Name, ...]:
    if isinstance(found, list) and all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(part, str) for part in one) for one in found
    ):
        return tuple((run, sum_) for run, sum_ in found)
    raise ValueError("it does not say what it follows")


def parse_copy(data: bytes) -> Copy:
    """Every line that can be read; the others named."""
    *lines, tail = data.split(b"\n")
    entries: list[Entry] = []
    damaged: list[Damaged] = []
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(parse_entry(line))
        except (ValueError, RecursionError) as error:
            why = "not JSON" if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) else f"{error}"
            damaged.append(Damaged(number=number, run=_guess_run(line), why=why))
    return Copy(entries=tuple(entries), damaged=tuple(damaged), tail=tail)


def _guess_run(line: bytes) -> str:
    """For people only: damage may be anywhere."""
    for mark in (b'"run":"', b'"run": "'):
        _, found, rest = line.partition(mark)
        name = rest.partition(b'"')[0]
        if found and 0 < len(name) < 100:
            return name.decode("ascii", "replace")
    return ""


def heads(entries: Iterable[Entry]) -> tuple[Name, ...]:
    """Those that no other names: what a new entry follows."""
    found = {entry.sum: entry.run for entry in entries}
    followed = {sum_ for entry in entries for _, sum_ in entry.previous}
    return tuple((run, sum_) for sum_, run in found.items() if sum_ not in followed)


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Each once, behind everything that it follows; between branches by time. A clock that was set back changes
    nothing within a branch."""
    known = {entry.sum: entry for entry in entries}
    waiting = {key: {sum_ for _, sum_ in entry.previous if sum_ in known} for key, entry in known.items()}
    followers: dict[str, list[str]] = {}
    for key, before in waiting.items():
        for sum_ in before:
            followers.setdefault(sum_, []).append(key)
    ready = [(known[key].ended, known[key].run, key) for key, before in waiting.items() if not before]
    heapq.heapify(ready)
    found: list[Entry] = []
    while ready:
        _, _, key = heapq.heappop(ready)
        found.append(known[key])
        for follower in followers.get(key, ()):
            waiting[follower].discard(key)
            if not waiting[follower]:
                heapq.heappush(ready, (known[follower].ended, known[follower].run, follower))
    return tuple(found)


def lacking(copy: Sequence[Entry], others: Iterable[Entry]) -> tuple[Entry, ...]:
    """What others have and this copy has not, in the order in which it is to be appended."""
    have = {entry.sum for entry in copy}
    return tuple(entry for entry in in_order([*copy, *others]) if entry.sum not in have)
