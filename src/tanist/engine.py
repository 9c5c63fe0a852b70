"""The only loop that changes a host: plans in, journal records and changes out.

Every step is written to the journal before it begins and after it is done. `execute` runs a part of a run, or takes it
up where a crash left it; `undo` takes back everything that was begun, last first. Both may be killed and called again.
A step whose last act only has to be waited for goes on beside the following ones, begun in the journal until its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Literal

from tanist.journal.journal import Journal
from tanist.journal.state import RunState, read_run
from tanist.model.errors import Failed, Lost, TanistError
from tanist.model.event import Event as Event  # part of what the engine is called with
from tanist.model.event import Report as Report
from tanist.model.run import PlanMade, StepBegun, StepDone, StepFailed, StepUndoing, StepUndone
from tanist.model.steps import PlannedStep
from tanist.steps.context import Context, Handler
from tanist.steps.registry import handler_for


class StepFailure(Failed):
    """A step failed. `hold`: the run waits for a person; otherwise it is to be undone."""

    def __init__(self, step: PlannedStep, error: str, *, node: str, hold: bool, next_step: str) -> None:
        super().__init__(f"{step.says}: {error}", node=node, step=step.id, next_step=next_step)
        self.hold = hold


Guard = Callable[[RunState, PlannedStep], None]  # Lost or Failed where a step must not be done (runs/guard.py)


def unguarded(state: RunState, step: PlannedStep) -> None:
    """Nothing depends on a claim, or all of it is down already."""


class Engine:
    """`guard` is asked last before each act, after its record: what has the run been asleep through?"""

    def __init__(self, context: Context, journal: Journal, report: Report, guard: Guard = unguarded) -> None:
        self._context = context
        self._journal = journal
        self._report = report
        self._guard = guard
        self._going_on: list[tuple[PlannedStep, float, Callable[[], None]]] = []  # begun, waited for at the end

    @property
    def state(self) -> RunState:
        return read_run(self._journal.records)

    def execute(self, part: str, build: Callable[[], PlanMade]) -> None:
        """Run the steps of a part, made by `build` unless the journal already has it. StepFailure or Lost stops it."""
        state = self.state
        made = state.parts.get(part)
        if made is None:
            made = build()
            self._journal.append(made)
            state = self.state
        self._report(Event(kind="part", says=made.plan.title))
        try:
            for step in made.plan.steps:
                if state.status[step.id] == "done" and still_stands(step, self._context):
                    self._report(Event(kind="kept", says=step.says, step=step))
                else:
                    self._do(step)
        except (StepFailure, Lost):
            with contextlib.suppress(StepFailure):  # the first one counts; this one is in the journal
                self._end_going_on()
            raise
        self._end_going_on()

    def undo(self, *, without: tuple[type, ...] = ()) -> None:
        """Take back every step that was begun, last first. StepFailure when one can't be. `without`: kinds of steps
        that are left as they are."""
        for step in reversed([one for one in self.state.touched if not isinstance(one.spec, without)]):
            self._journal.append(StepUndoing(step=step.id))
            begun = self._context.host.monotonic()
            self._act(step, "undo" if step.direction == "apply" else "apply")
            seconds = self._context.host.monotonic() - begun
            self._journal.append(StepUndone(step=step.id, seconds=round(seconds, 4)))
            self._report(Event(kind="undone", says=step.says, seconds=seconds, step=step))

    def again(self, step: PlannedStep) -> None:
        """Do one step of the run once more, journalled as ever."""
        self._do(step)
        self._end_going_on()

    def repeat(self, kinds: tuple[type, ...]) -> None:
        """The run's steps of these kinds once more, in their order: what a boot has taken apart."""
        for step in self.state.touched:
            if isinstance(step.spec, kinds):
                self.again(step)

    def not_in_effect(self) -> tuple[str, ...]:
        """What the end state lacks: applied steps that the host does not show. Looks afresh, changes nothing."""
        state = self.state
        return tuple(
            step.says
            for step in state.steps
            if state.status[step.id] == "done" and not still_stands(step, self._context)
        )

    def _do(self, step: PlannedStep) -> None:
        self._journal.append(StepBegun(step=step.id))
        self._report(Event(kind="begun", says=step.says, step=step))
        begun = self._context.host.monotonic()
        begin = handler_of(step).begin_undo if step.direction == "undo" else None
        if begin is not None:
            with self._journalling_failure(step):
                self._guard(self.state, step)
                self._going_on.append((step, begun, begin(step.spec, self._context)))
            return
        self._act(step, step.direction)
        self._note_done(step, begun)

    def _end_going_on(self) -> None:
        """Wait for what still goes on beside the steps that came after it."""
        while self._going_on:
            step, begun, wait = self._going_on.pop(0)
            with self._journalling_failure(step):
                wait()
            self._note_done(step, begun)

    def _note_done(self, step: PlannedStep, begun: float) -> None:
        seconds = self._context.host.monotonic() - begun
        self._journal.append(StepDone(step=step.id, seconds=round(seconds, 4)))
        self._report(Event(kind="done", says=step.says, seconds=seconds, step=step))

    def _act(self, step: PlannedStep, direction: Literal["apply", "undo"]) -> None:
        handler = handler_of(step)
        with self._journalling_failure(step):
            self._guard(self.state, step)
            (handler.apply if direction == "apply" else handler.undo)(step.spec, self._context)

    @contextlib.contextmanager
    def _journalling_failure(self, step: PlannedStep) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            text = error.message if isinstance(error, TanistError) else f"{error}"
            self._journal.append(StepFailed(step=step.id, error=text))
            self._report(Event(kind="failed", says=f"{step.says}: {text}"))
            if isinstance(error, Lost):
                raise
            name = self._context.controller.name
            raise StepFailure(
                step,
                text,
                node=self._context.node,
                hold=handler_of(step).hold,
                next_step=f"tanist resume {name}   (once it is mended)   or   tanist undo {name}",
            ) from error


def still_stands(step: PlannedStep, context: Context) -> bool:
    """Does the host show what the step did? True where nothing can show it: then the journal is trusted."""
    look = handler_of(step).is_applied
    if look is None:
        return True
    try:
        seen = look(step.spec, context)
    except OSError:
        return False
    return seen is None or seen == (step.direction == "apply")


def handler_of(step: PlannedStep) -> Handler:
    return handler_for(type(step.spec))
