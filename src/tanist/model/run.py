"""A run: one takeover, release, start or restore, from its reason to its outcome, as its journal tells it."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass
from tanist.model.evidence import Evidence, Verdict
from tanist.model.steps import Plan

RunKind = Literal[
    "init", "takeover", "release", "start", "restore", "drill", "migrate", "migrate-back", "prepare", "grow"
]
# failed: a drill, of which nothing stays, or a grow, of which all stays that was done
Outcome = Literal["done", "undone", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """Who, why and on what evidence: the first record of every run."""

    run: str
    kind: RunKind
    controller: str
    node: str
    who: str
    reason: str
    attested: str
    evidence: tuple[Evidence, ...]
    verdict: Verdict | None
    epoch: int  # the epoch that the run works for
    tool: str  # version of tanist
    in_force: str = ""  # release, start and restore: the run whose plan is in force on this node
    capture: str = ""  # takeover: the generation asked for, "" for the newest; restore: the one chosen
    reboot: bool = False  # takeover: by way of a restart of the machine
    fence: bool = False  # takeover: by way of a fence, because the verdict was not PROVED
    check: bool = False  # takeover: the whole file system is checked before it is used
    accepted: tuple[str, ...] = ()  # restore: as in PlanMade
    format: int = 1  # of the whole journal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMade:
    part: str  # "acquire", "assume", "release", ...
    plan: Plan
    capture: str = ""  # the capture it was built from
    accepted: tuple[str, ...] = ()  # differences from that capture's node which a person accepted, and who that was


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegun:
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    step: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    step: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUndoing:
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUndone:
    step: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """A person (or the boot) took the run up again."""

    direction: Literal["resume", "undo"]
    who: str
    reason: str
    evidence: tuple[Evidence, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """After a fence everything was looked at anew."""

    evidence: tuple[Evidence, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    outcome: Outcome
    summary: str
    seconds: float


Body = (
    RunStarted | PlanMade | StepBegun | StepDone | StepFailed | StepUndoing | StepUndone | Continued | Judged | RunEnded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A line of the journal: what `host` wrote it in which boot, and when (seconds since the epoch)."""

    n: int
    at: float
    boot: str
    body: Body
