"""Thousands of fault schedules by seed, with operators who attest only what is so. A red one prints itself."""

from __future__ import annotations

import pytest

from tests.seeds import read_seed
from tests.sim.chance import HONEST, KNOWN, NEW, how_many, play_all, report


@pytest.mark.requirement("A05", "A42", "A61", "A62", "A63")
def test_no_schedule_of_faults_breaks_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    count = how_many(HONEST // 2)
    played = play_all(range(KNOWN, KNOWN + count))
    with capsys.disabled():
        report(played, KNOWN, count)
    assert played.caught == 0
    for event in ("takeover: done", "release: done", "boot: inert", "boot: active", "resume: done", "undo: done"):
        assert played.events[event] > count // 50, played.events


@pytest.mark.requirement("A05", "A42", "A61", "A62", "A63")
def test_no_schedule_that_nobody_has_played_yet_breaks_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Others with each commit."""
    count, first = how_many(NEW), read_seed()
    played = play_all(range(first, first + count))
    with capsys.disabled():
        report(played, first, count)
    assert played.caught == 0
