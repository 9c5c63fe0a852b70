"""The second half of the schedules (another worker plays it), some with operators who attest whatever they see."""

from __future__ import annotations

import pytest

from tests.sim.chance import HASTY, HONEST, KNOWN, KNOWN_HASTY, how_many, make_caught, play_all, report


@pytest.mark.requirement("A05", "A42", "A61", "A62", "A63")
def test_no_further_schedule_breaks_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    count, first = how_many(HONEST // 2), KNOWN + HONEST // 2
    played = play_all(range(first, first + count))
    with capsys.disabled():
        report(played, first, count)
    assert played.caught == 0


def test_two_actives_come_from_lies_only_and_the_invariant_sees_them(capsys: pytest.CaptureFixture[str]) -> None:
    count = how_many(HASTY)
    played = play_all(range(KNOWN_HASTY, KNOWN_HASTY + count), hasty=True)
    with capsys.disabled():
        report(played, KNOWN_HASTY, count)
    assert played.caught > 0, "an invariant that no lie ever broke would prove nothing"


def test_a_seed_is_the_same_schedule_each_time() -> None:
    first = make_caught(20)
    assert first == make_caught(20) and len(first) == 20
