"""A journal's records as spans, waits and moments. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tanist.model.report import Mark, Moment, Span, Wait
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
from tanist.report.stages import LOOK, VERIFY, stage_of

LONGEST_LOOK = 600.0  # seconds: more is a clock that was set


class Follower:
    """`spans`, `waits` and `moments` of a whole journal, in its order."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.spans: list[Span] = []
        self.waits: list[Wait] = []
        self.moments: list[Moment] = []
        self._zero = records[0].at
        self._steps: dict[str, PlannedStep] = {}
        self._begun: dict[str, float] = {}
        self._last = self._zero
        self._worked = 0.0  # when the newest step ended
        for record in records:
            self._take(record)
            self._last = record.at
        for step, at in self._begun.items():  # cut off in it, or at work in it now
            self._span(step, at, max(self._last - self._zero - at, 0.0), "begun")

    def _take(self, record: Record) -> None:
        match record.body:
            case RunStarted() as begun:
                self._look_first(begun)
            case PlanMade(part=part, plan=plan):
                self._steps.update({step.id: step for step in plan.steps})
                self._say(record, "part", plan.title if plan.title.startswith(part) else f"{part}: {plan.title}")
            case StepBegun(step=step) | StepUndoing(step=step):
                self._begun[step] = record.at - self._zero
            case StepDone(step=step, seconds=seconds):
                self._end(record, step, seconds, "done")
            case StepUndone(step=step, seconds=seconds):
                self._end(record, step, seconds, "undone")
            case StepFailed(step=step, error=error):
                self._end(record, step, max(record.at - self._zero - self._begun.get(step, 0.0), 0.0), "failed", error)
            case Continued(direction=direction, who=who, reason=reason):
                self._wait(record)
                self._say(record, "person", f"{direction} by {who}" + (f": {reason}" if reason else ""))
            case Judged(verdict=verdict):
                self._say(record, "note", f"everything was looked at anew: {verdict.outcome.value}")
            case RunEnded() as ended:
                self._verified(record)
                self._say(record, "ended", f"{ended.outcome}: {ended.summary}", ended.seconds)

    def _look_first(self, begun: RunStarted) -> None:
        says = f"{begun.kind} begun by {begun.who}" + (f": {begun.reason}" if begun.reason else "")
        self.moments.append(Moment(at=self._zero, after=0.0, mark="person", says=says))

    def _say(self, record: Record, mark: Mark, says: str, seconds: float = 0.0) -> None:
        after = record.at - self._zero
        self.moments.append(Moment(at=record.at, after=after, mark=mark, says=says, seconds=seconds))

    def _end(self, record: Record, step: str, seconds: float, mark: Mark, error: str = "") -> None:
        at = self._begun.pop(step, record.at - self._zero - seconds)
        self._span(step, at, seconds, mark)
        self._say(record, mark, self._says(step) + (f": {error}" if error else ""), seconds)
        self._worked = record.at - self._zero

    def _span(self, step: str, at: float, seconds: float, mark: Mark) -> None:
        planned = self._steps.get(step)
        stage = stage_of(planned.spec) if planned else LOOK
        self.spans.append(Span(says=self._says(step), stage=stage, at=at, seconds=seconds, mark=mark))

    def _says(self, step: str) -> str:
        planned = self._steps.get(step)
        return step if planned is None else planned.says

    def _wait(self, record: Record) -> None:
        """Until a person took it up: since the newest record."""
        for step, at in self._begun.items():
            self._span(step, at, max(self._last - self._zero - at, 0.0), "begun")
        self._begun = {}
        self.waits.append(Wait(at=self._last - self._zero, seconds=max(record.at - self._last, 0.0)))
        self._worked = record.at - self._zero

    def _verified(self, record: Record) -> None:
        """From the last step to the end the end state was looked at, and what was due noted."""
        seconds = record.at - self._zero - self._worked
        if self.spans and seconds > 0:
            says = "the end state looked at"
            self.spans.append(Span(says=says, stage=VERIFY, at=self._worked, seconds=seconds, mark="done"))


def first_look(run: str, records: Sequence[Record]) -> Span | None:
    """From the run's beginning, which its name tells (UTC, to the millisecond), until its first record."""
    stamp = run.partition("-")[0]
    try:
        begun = datetime.strptime(f"{stamp[:15]}.{stamp[15:]}+0000", "%Y%m%dT%H%M%S.%f%z").timestamp()
    except ValueError:
        return None
    seconds = records[0].at - begun
    if not 0.0005 < seconds < LONGEST_LOOK:
        return None
    says = "the owner looked at, before the first record"
    return Span(says=says, stage=LOOK, at=-seconds, seconds=seconds, mark="done")
