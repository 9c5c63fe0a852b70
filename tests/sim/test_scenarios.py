"""Every scenario folder: the events and the end are those expected, and the invariants hold after each event."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.folders import MEMORY, SCENARIOS, play, read_lines, read_state
from tests.sim.world import SimWorld

FOLDERS = sorted(SCENARIOS.iterdir())
Worlds = dict[tuple[str, str], SimWorld]


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """Each kind of world is built once, in memory, and put back before each scenario."""
    with tempfile.TemporaryDirectory(prefix="tanist-sim-", dir=MEMORY) as top:
        kinds = sorted({read_state(folder) for folder in FOLDERS})
        yield {kind: SimWorld(Path(top) / "-".join(kind), mode=kind[0], size=kind[1]) for kind in kinds}


@pytest.mark.requirement("A05", "A42", "A59", "A61", "A62")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_scenario_goes_as_expected(worlds: Worlds, folder: Path) -> None:
    assert play(worlds[read_state(folder)], folder) == read_lines(folder / "expected")


def test_there_are_enough_scenarios_and_none_twice() -> None:
    texts = {(read_state(one), tuple(read_lines(one / "cmdlist"))) for one in FOLDERS}
    assert len(texts) == len(FOLDERS) >= 120


def test_only_a_lie_ever_makes_two() -> None:
    for folder in FOLDERS:
        violated = any(line.startswith("VIOLATION") for line in read_lines(folder / "expected"))
        lied = any("--lie" in line for line in read_lines(folder / "cmdlist"))
        assert lied or not violated, folder.name
