"""A journal's records as events for hooks and webhooks (docs/formats.md, "Events"). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tanist.model.run import (
    Continued,
    PlanMade,
    Record,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepUndoing,
)
from tanist.model.steps import PlannedStep
from tanist.model.times import render_moment

FORMAT = 1
NAMES = (
    *("run-began", "stage-began", "stage-done", "step-failed", "undo-began", "run-continued", "run-ended"),
    *("run-cut-off", "readiness", "test"),
)
Event = dict[str, Any]


class EventMaker:
    """Records in, in the journal's order; events out. It needs those from the first one on."""

    def __init__(self) -> None:
        self._about: dict[str, Any] = {}
        self._steps: dict[str, PlannedStep] = {}
        self._open: dict[str, tuple[str, set[str], float]] = {}  # part: title, steps to come, when it began
        self._undoing = False
        self._last = 0

    def take(self, records: Sequence[Record]) -> Iterator[Event]:
        for record in records:
            self._last = record.n
            yield from self._take(record)

    def cut_off(self, at: float) -> Event:
        says = f"tanist resume {self._about['controller']}   or   tanist undo {self._about['controller']}"
        return self._event("run-cut-off", at, says=says, id=f"{self._about['run']}/{self._last}/cut-off")

    def _take(self, record: Record) -> Iterator[Event]:
        match record.body:
            case RunStarted() as one:
                self._about = {"controller": one.controller, "node": one.node, "run": one.run, "kind": one.kind}
                verdict = one.verdict.outcome.value if one.verdict else ""
                more = {"who": one.who, "reason": one.reason, "attested": one.attested, "verdict": verdict}
                yield self._of(record, "run-began", says=f"{one.kind} on {one.node}", epoch=one.epoch, **more)
            case PlanMade(part=part, plan=plan):
                self._steps.update({step.id: step for step in plan.steps})
                self._open[part] = (plan.title, {step.id for step in plan.steps}, record.at)
                yield self._of(record, "stage-began", stage=part, says=plan.title)
            case StepDone(step=step):
                yield from self._stage_done(record, step)
            case StepFailed(step=step, error=error):
                says = self._steps[step].says if step in self._steps else step
                yield self._of(record, "step-failed", says=f"{says}: {error}")
            case StepUndoing():
                if not self._undoing:
                    self._undoing = True
                    yield self._of(record, "undo-began", says="what was begun is taken back")
            case Continued() as one:
                yield self._of(record, "run-continued", says=f"{one.direction} by {one.who}", who=one.who)
            case RunEnded() as one:
                yield self._of(record, "run-ended", outcome=one.outcome, says=one.summary, seconds=one.seconds)

    def _stage_done(self, record: Record, step: str) -> Iterator[Event]:
        for part, (title, left, began) in list(self._open.items()):
            if step in left and not left - {step}:
                del self._open[part]
                yield self._of(record, "stage-done", stage=part, says=title, seconds=round(record.at - began, 3))
            left.discard(step)

    def _of(self, record: Record, name: str, **more: Any) -> Event:
        return self._event(name, record.at, id=f"{self._about['run']}/{record.n}", **more)

    def _event(self, name: str, at: float, **more: Any) -> Event:
        return {"format": FORMAT, "event": name, "at": render_moment(at), **self._about, **more}


def readiness_event(controller: str, node: str, before: str, found: Sequence[dict[str, Any]], at: float) -> Event:
    """`before`: the verdicts that were told last, as render_verdicts() has them."""
    bad = [
        {"name": item["name"], "grade": item["grade"], "says": item["says"], "mend": item["mend"]}
        for one in found
        for item in one["findings"]
        if item["grade"] in ("blocks", "loss") and not item["accepted"]
    ]
    when, now = render_moment(at), render_verdicts(found)
    return {
        "format": FORMAT,
        "event": "readiness",
        "id": f"readiness/{controller}/{node}/{when}",
        "at": when,
        "controller": controller,
        "node": node,
        "verdict": now,
        "before": before,
        "says": f"{controller}: {now}",
        "findings": bad,
    }


def render_verdicts(found: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{one['taker']} {one['verdict']}" for one in found)
