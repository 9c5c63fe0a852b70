"""A drill: what was rehearsed, what it showed, and how long a real takeover would take by it."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass
from tanist.model.host import Address

DrillKind = Literal["isolated", "switchover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellInterface:
    """An interface of the node as the cell has it again, wired to nothing."""

    name: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellJob:
    """What the cell is told: plain values, by a file that it finds at a fixed place."""

    run: str
    who: str
    reason: str
    store: str  # the capture, as a path inside the cell
    interfaces: tuple[CellInterface, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPlan:
    """What whoever makes the cell is told, in namespaces of its own already."""

    directory: str  # where its layers go; a file system in memory that nobody else sees is mounted there
    clones: tuple[str, ...]  # mount points of this node that it has again, beside "/"
    machine: str
    hostname: str
    ssh_unit: str
    program: str  # this tool, as the cell starts it
    exchange: str  # outside
    captures: str  # outside
    tree: tuple[str, str]  # the copy outside, and where the cell has it
    seconds: float  # that all may take
    own_users: bool  # in a user namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWord:
    """What the cell answers beside its journal."""

    failure: str  # empty: everything was done and seen
    words: str  # the last lines of the failed unit's journal
    checked: tuple[str, ...]  # what was looked at in the end, a sentence each


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillStep:
    says: str
    seconds: float
    ok: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a real takeover. `seconds` below 0: not known, and `source` says why."""

    name: str
    seconds: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    run: str
    kind: DrillKind
    node: str
    who: str
    reason: str
    began: float  # seconds since the epoch
    seconds: float
    result: Literal["passed", "failed"]
    says: str
    words: str  # of the unit that failed
    capture: str
    data: str  # where the copy of the tree came from, and what that is worth
    steps: tuple[DrillStep, ...]
    checked: tuple[str, ...]
    forecast: tuple[Stage, ...]

    @property
    def foretold(self) -> float:
        """Seconds of the stages that are known."""
        return sum(stage.seconds for stage in self.forecast if stage.seconds > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """The drills of one node, for readiness. Times in seconds since the epoch, 0.0: never."""

    good: float = 0.0
    last: float = 0.0
    result: str = ""
    says: str = ""
