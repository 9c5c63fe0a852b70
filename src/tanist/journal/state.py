"""What a journal says about its run: pure, from the records alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tanist.model.dataclasses import dataclass, field
from tanist.model.evidence import Evidence, Verdict
from tanist.model.run import (
    Continued,
    Judged,
    PlanMade,
    Record,
    RunEnded,
    RunStarted,
    StepBegun,
    StepDone,
    StepFailed,
    StepUndoing,
    StepUndone,
)
from tanist.model.steps import PlannedStep

FORMAT = 1
StepState = Literal["planned", "begun", "done", "failed", "undoing", "undone"]


@dataclass(slots=True)
class RunState:
    """The run so far. `steps` in the order of the plans; `boot` is that of the newest record."""

    started: RunStarted
    parts: dict[str, PlanMade] = field(default_factory=dict)
    status: dict[str, StepState] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    undoing: bool = False
    ended: RunEnded | None = None
    boot: str = ""
    since: float = 0.0
    error: str = ""
    resumed: bool = False  # what was seen at its start is of another time
    judged: Judged | None = None  # the newest verdict after a fence

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return self.judged.evidence if self.judged else self.started.evidence

    @property
    def verdict(self) -> Verdict | None:
        """What the run went on."""
        return self.judged.verdict if self.judged else self.started.verdict

    @property
    def accepted(self) -> tuple[str, ...]:
        """What differs from the node that made the capture, and who accepted it."""
        return (*self.started.accepted, *(one for part in self.parts.values() for one in part.accepted))

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        return tuple(step for part in self.parts.values() for step in part.plan.steps)

    @property
    def open(self) -> bool:
        return self.ended is None

    @property
    def touched(self) -> tuple[PlannedStep, ...]:
        """Steps that may have changed the host: begun at least once and not undone since."""
        return tuple(step for step in self.steps if self.status[step.id] not in ("planned", "undone"))


def read_run(records: Sequence[Record]) -> RunState:
    """ValueError when the first record is not a RunStarted."""
    if not records or not isinstance(records[0].body, RunStarted):
        raise ValueError("a journal begins with who, why and on what evidence")
    if records[0].body.format != FORMAT:
        raise ValueError(f"a journal of format {records[0].body.format}; this tanist knows {FORMAT}")
    state = RunState(started=records[0].body, since=records[0].at)
    for record in records:
        state.boot = record.boot
        _apply(state, record)
    return state


def _apply(state: RunState, record: Record) -> None:
    match record.body:
        case PlanMade() as made:
            state.parts[made.part] = made
            state.status.update({step.id: "planned" for step in made.plan.steps})
        case StepBegun(step=step):
            state.status[step] = "begun"
        case StepDone(step=step, seconds=seconds):
            state.status[step] = "done"
            state.seconds[step] = seconds
        case StepFailed(step=step, error=error):
            state.status[step] = "failed"
            state.error = error
        case StepUndoing(step=step):
            state.status[step] = "undoing"
            state.undoing = True
        case StepUndone(step=step):
            state.status[step] = "undone"
        case Continued(direction=direction):
            state.resumed = True
            state.undoing = state.undoing or direction == "undo"
        case Judged() as judged:
            state.judged = judged
        case RunEnded() as ended:
            state.ended = ended
        case RunStarted():  # pragma: no branch - there is no other kind
            pass
