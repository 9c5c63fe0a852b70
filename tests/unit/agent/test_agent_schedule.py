"""When something is due: a table of times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tanist.agent.schedule import (
    CHECK,
    EACH,
    FIRST_PROOFS,
    FIRST_STORAGE,
    GAP,
    LONGEST,
    PROOFS,
    QUIET,
    RETRY,
    SOON,
    SPREAD,
    STORAGE,
    Job,
    Schedule,
)

JOBS: tuple[Job, ...] = ("capture", "proofs", "storage", "check")


def settled(now: float = 100.0) -> Schedule:
    """Caught up and checked at `now`."""
    schedule = Schedule(now - 50)
    for job in JOBS:
        schedule.begin(job, now)
        schedule.ended(job, True, now)
    return schedule


def test_a_start_of_an_active_node_catches_up_and_then_checks() -> None:
    schedule = Schedule(0.0)
    assert schedule.due(QUIET) is None
    schedule.changed(0.0)
    assert schedule.due(0.1) is None
    assert schedule.due(QUIET) == "capture"
    schedule.begin("capture", QUIET)
    assert schedule.due(SOON) == "check"


def test_a_capture_waits_for_quiet_but_not_for_ever() -> None:
    schedule = settled()
    now = 100.0 + GAP
    schedule.changed(now)
    assert schedule.due(now + QUIET - 0.01) is None
    assert schedule.due(now + QUIET) == "capture"
    busy = settled()
    for tenth in range(60):
        busy.changed(now + tenth / 10)
    assert busy.due(now + LONGEST - 0.01) is None
    assert busy.due(now + LONGEST) == "capture"


def test_two_captures_keep_a_distance_and_a_failed_one_is_tried_again() -> None:
    schedule = settled()
    schedule.changed(100.1)
    assert schedule.due(100.0 + GAP - 0.01) is None
    assert schedule.due(100.0 + GAP) == "capture"
    schedule.begin("capture", 105.0)
    schedule.ended("capture", False, 106.0)
    assert schedule.due(106.0 + SOON) == "check"
    schedule.begin("check", 106.0 + SOON)
    assert schedule.due(106.0 + RETRY - 0.01) is None
    assert schedule.due(106.0 + RETRY) == "capture"


def test_what_changes_during_a_capture_is_for_the_next_one() -> None:
    schedule = settled()
    schedule.changed(200.0)
    schedule.begin("capture", 201.0)
    schedule.changed(201.5)
    schedule.ended("capture", True, 202.0)
    assert schedule.due(202.0 + GAP) == "capture"


def test_nothing_to_do_is_nothing_done_until_the_next_check() -> None:
    schedule = settled()
    assert schedule.wait(100.0) == CHECK
    assert schedule.due(100.0 + CHECK - 0.01) is None
    assert schedule.due(100.0 + CHECK) == "check"
    schedule.check_soon(120.0)
    assert schedule.due(120.0 + SOON) == "check"


def test_proofs_are_looked_at_after_the_start_then_every_six_hours_and_readiness_after_them() -> None:
    schedule = Schedule(0.0)
    for job in ("capture", "check"):
        schedule.begin(job, 1.0)
        schedule.ended(job, True, 1.0)
    assert schedule.due(FIRST_PROOFS - 0.01) is None
    assert schedule.due(FIRST_PROOFS) == "proofs"
    schedule.begin("proofs", FIRST_PROOFS)
    schedule.ended("proofs", True, FIRST_PROOFS)
    assert schedule.due(FIRST_PROOFS + SOON) == "check"
    schedule.begin("check", FIRST_PROOFS + SOON)
    for number in range(1, 200):
        schedule.begin("check", FIRST_PROOFS + SOON + number * CHECK)
    assert schedule.due(FIRST_PROOFS + PROOFS) == "proofs"


def test_the_storage_is_looked_at_long_after_the_start_then_every_six_hours_and_readiness_after_it() -> None:
    schedule = Schedule(0.0)
    for job in ("capture", "check", "proofs"):
        schedule.begin(job, FIRST_STORAGE - 10)
    assert schedule.due(FIRST_STORAGE - 0.01) is None
    assert schedule.wait(FIRST_STORAGE - 1) == 1.0
    assert schedule.due(FIRST_STORAGE) == "storage"
    schedule.begin("storage", FIRST_STORAGE)
    schedule.ended("storage", True, FIRST_STORAGE)
    assert schedule.due(FIRST_STORAGE + SOON) == "check"
    schedule.begin("check", FIRST_STORAGE + STORAGE)
    schedule.begin("proofs", FIRST_STORAGE + STORAGE)
    assert schedule.due(FIRST_STORAGE + STORAGE) == "storage"


def test_many_controllers_are_checked_more_rarely_and_not_all_at_once() -> None:
    schedules = [Schedule(0.0, place) for place in range(200)]
    for schedule in schedules:
        schedule.share(200)
        schedule.begin("capture", 0.0)
    assert sum(schedule.due(SOON + SPREAD / 2) == "check" for schedule in schedules) == 1
    first_round = SOON + 200 * SPREAD
    assert sum(schedule.due(first_round, captures=False) == "check" for schedule in schedules) == 200
    for schedule in schedules:
        schedule.begin("check", first_round)
    assert sum(schedule.due(first_round) == "proofs" for schedule in schedules) < 30
    schedules[0].begin("check", SOON)
    schedules[0].begin("proofs", SOON)
    assert schedules[0].due(SOON + CHECK) is None and schedules[0].due(SOON + 200 * EACH) == "check"
    schedules[0].share(3)
    schedules[0].begin("check", 0.0)
    assert schedules[0].due(CHECK) == "check"


@given(st.lists(st.floats(0, 1000), max_size=30))
def test_every_change_is_captured_within_the_bound(changes: list[float]) -> None:
    """No schedule of changes keeps a capture from being due within LONGEST, or GAP after the last one."""
    schedule = Schedule(0.0)
    schedule.begin("capture", 0.0)
    schedule.ended("capture", True, 0.0)
    waiting, ended = None, 0.0
    for now in sorted(changes):
        if waiting is not None and schedule.due(now) == "capture":
            schedule.begin("capture", now)
            schedule.ended("capture", True, now)
            waiting, ended = None, now
        assert waiting is None or now < max(waiting + LONGEST, ended + GAP)
        schedule.changed(now)
        waiting = now if waiting is None else waiting
    assert schedule.wait(2000.0) == 0.0
