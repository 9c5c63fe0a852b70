"""Record sequences and what they say about their run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist.journal.state import RunState, read_run
from tanist.model import run as r
from tanist.model.evidence import Evidence, Outcome, Says, Verdict
from tanist.model.steps import Announce, Plan, PlannedStep
from tests.unit.model.examples import STARTED

Event = r.Body
PLAN = Plan(
    title="p",
    steps=tuple(
        PlannedStep(id=f"p.{n}", says=f"step {n}", direction="apply", spec=Announce(addresses=())) for n in (1, 2, 3)
    ),
)
MADE = r.PlanMade(part="p", plan=PLAN)


def begun(n: int) -> Event:
    return r.StepBegun(step=f"p.{n}")


def done(n: int) -> Event:
    return r.StepDone(step=f"p.{n}", seconds=float(n))


def failed(n: int) -> Event:
    return r.StepFailed(step=f"p.{n}", error="why")


def undoing(n: int) -> Event:
    return r.StepUndoing(step=f"p.{n}")


def undone(n: int) -> Event:
    return r.StepUndone(step=f"p.{n}", seconds=1.0)


def continued(direction: str) -> Event:
    return r.Continued(direction="undo" if direction == "undo" else "resume", who="jan", reason="")


def read(*bodies: Event) -> RunState:
    records = [r.Record(n=n, at=float(n), boot=f"b{n}", body=body) for n, body in enumerate(bodies, start=1)]
    return read_run(records)


TABLE: list[tuple[tuple[Event, ...], str, str, bool]] = [
    # what was written, the state of each step, the steps that may have changed the host, undoing
    ((), "", "", False),
    ((MADE,), "planned planned planned", "", False),
    ((MADE, begun(1)), "begun planned planned", "1", False),
    ((MADE, begun(1), done(1)), "done planned planned", "1", False),
    ((MADE, begun(1), done(1), begun(2), failed(2)), "done failed planned", "1 2", False),
    ((MADE, begun(1), failed(1), continued("resume"), begun(1), done(1)), "done planned planned", "1", False),
    ((MADE, begun(1), done(1), continued("undo")), "done planned planned", "1", True),
    ((MADE, begun(1), done(1), undoing(1)), "undoing planned planned", "1", True),
    ((MADE, begun(1), done(1), undoing(1), undone(1)), "undone planned planned", "", True),
    ((MADE, begun(1), done(1), begun(2), undoing(2), undone(2)), "done undone planned", "1", True),
    ((MADE, begun(1), done(1), undoing(1), failed(1)), "failed planned planned", "1", True),
    ((MADE, begun(1), done(1), undoing(1), undone(1), begun(1)), "begun planned planned", "1", True),
    ((MADE, continued("undo"), continued("resume")), "planned planned planned", "", True),
]


@pytest.mark.parametrize(("bodies", "states", "touched", "undoing_"), TABLE)
def test_the_state_follows_from_the_records_alone(
    bodies: tuple[Event, ...], states: str, touched: str, undoing_: bool
) -> None:
    state = read(STARTED, *bodies)
    assert list(state.status.values()) == states.split()
    assert [step.id for step in state.touched] == [f"p.{n}" for n in touched.split()]
    assert state.undoing is undoing_
    assert state.open and state.started == STARTED
    assert (state.since, state.boot) == (1.0, f"b{len(bodies) + 1}")


def test_times_errors_and_the_end_are_kept() -> None:
    ended = r.RunEnded(outcome="done", summary="well", seconds=2.0)
    state = read(STARTED, MADE, begun(2), done(2), begun(3), failed(3), ended)
    assert state.seconds == {"p.2": 2.0} and state.error == "why"
    assert state.ended == ended and not state.open
    assert [step.id for step in state.steps] == ["p.1", "p.2", "p.3"]


def test_parts_keep_their_order() -> None:
    later = r.PlanMade(
        part="q",
        plan=Plan(title="q", steps=(PlannedStep(id="q.1", says="", direction="apply", spec=PLAN.steps[0].spec),)),
    )
    assert [step.id for step in read(STARTED, MADE, later).steps] == ["p.1", "p.2", "p.3", "q.1"]


@pytest.mark.parametrize("bodies", [(), (MADE,), (begun(1), STARTED)])
def test_a_journal_begins_with_who_why_and_on_what_evidence(bodies: tuple[Event, ...]) -> None:
    with pytest.raises(ValueError, match="who, why and on what evidence"):
        read(*bodies)


def test_a_journal_of_another_format_is_refused() -> None:
    begun = replace(STARTED, format=2)
    with pytest.raises(ValueError, match="a journal of format 2; this tanist knows 1"):
        read_run([r.Record(n=1, at=1.0, boot="b", body=begun)])


def test_a_verdict_of_after_a_fence_is_what_the_run_went_on() -> None:
    proved = Verdict(outcome=Outcome.PROVED, reasons=("ec-a has no power",))
    off = (Evidence(source="power", about="ec-a", says=Says.OFF, detail="says off", at=20.0),)
    before = read(STARTED)
    assert (before.verdict, before.evidence, before.resumed) == (STARTED.verdict, STARTED.evidence, False)
    after = read(STARTED, r.Judged(evidence=off, verdict=proved))
    assert (after.verdict, after.evidence) == (proved, off)
    assert read(STARTED, continued("resume")).resumed


def test_what_a_person_had_accepted_is_told_by_the_run_and_by_its_parts() -> None:
    begun = replace(STARTED, accepted=("debian 13; accepted by jo",))
    passed = replace(MADE, accepted=("version 2; accepted by mo",))
    assert read(begun, passed).accepted == ("debian 13; accepted by jo", "version 2; accepted by mo")
