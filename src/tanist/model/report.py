"""One run as a post-mortem tells it: from its journal, or from its history entry where another node ran it."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass
from tanist.model.evidence import Evidence

Mark = Literal["done", "failed", "undone", "begun", "part", "person", "ended", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A step that was done, undone or cut off. `at`: seconds since the run's first record, -1 where only lengths are
    known. `stage`: what kind of work it is (report/stages.py)."""

    says: str
    stage: str
    at: float
    seconds: float
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A line of the timeline. `at`: seconds since the epoch; `after`: since the run's first record."""

    at: float
    after: float
    mark: Mark
    says: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The run lay still from `at` on (seconds since its first record): it was cut off, and a person took it up."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was observed, when (words for people), and what was concluded."""

    title: str
    evidence: tuple[Evidence, ...]
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    would_suffice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A readiness finding as it was checked last."""

    name: str
    grade: str
    says: str
    mend: str = ""
    accepted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    at: float  # seconds since the epoch
    when: str  # "3 min before the run began"
    taker: str
    verdict: str
    good: int
    findings: tuple[Noted, ...]  # without the good ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """Another run of the controller, from the history."""

    run: str
    kind: str
    node: str
    outcome: str
    began: str
    seconds: float
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    run: str
    kind: str
    controller: str
    node: str
    outcome: str  # "done", "undone", "at work", "cut off"
    summary: str
    next_step: str  # what to type; "" when nothing is open
    who: str
    reason: str
    attested: str
    epoch: int
    tool: str
    began: float  # seconds since the epoch
    ended: float  # of the newest record
    seconds: float  # from the first look at the owner, or the first record, to the newest record; waits included
    source: str  # where this was read
    captures: tuple[str, ...]
    looks: tuple[Look, ...]
    spans: tuple[Span, ...]
    waits: tuple[Wait, ...]
    moments: tuple[Moment, ...]
    stages: tuple[tuple[str, float], ...]  # in the order of their first step, seconds
    boots: int = 1  # of the node, that had a part in it
    accepted: tuple[str, ...] = ()  # differences of the node that a person had accepted
    checked: tuple[Checked, ...] = ()
    earlier: tuple[Brief, ...] = ()  # the newest first
