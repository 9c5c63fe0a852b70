"""Every scenario folder: the events and the end are those expected, and the invariants hold after each event."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.chance import HASTY, HONEST, NEW, make_folder
from tests.sim.folders import MEMORY, SCENARIOS, Made, build_world, play, read_lines, read_state
from tests.sim.proofs import STRONG
from tests.sim.world import SimWorld

FOLDERS = sorted(SCENARIOS.iterdir())
Worlds = dict[Made, SimWorld]
SWITCHED_ON = "power-switched-on-behind-a-stalled-taker"  # the assumption about power: docs/design/exhaustion.md
PLAYED = (
    *("planned-there-and-back", "owner-loses-power", "zombie-clock-stood-still", "zombie-clock-jumped"),
    *("lie-about-a-frozen-owner-is-not-enough", "partition-and-both-want-it", "cut-in-the-middle-owner-thaws"),
    *("storage-lost-at-the-owner", "storage-lost-at-both", "thaw-between-fence-and-claim"),
)


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """Each kind of world is built once, in memory, and put back before each scenario."""
    with tempfile.TemporaryDirectory(prefix="tanist-sim-", dir=MEMORY) as top:
        kinds = sorted({read_state(folder) for folder in FOLDERS})
        yield {kind: build_world(Path(top), kind) for kind in kinds}


@pytest.mark.requirement("A05", "A42", "A59", "A61", "A62")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_scenario_goes_as_expected(worlds: Worlds, folder: Path) -> None:
    assert play(worlds[read_state(folder)], folder) == read_lines(folder / "expected")


def test_there_are_enough_scenarios_and_none_twice() -> None:
    texts = {(read_state(one), tuple(read_lines(one / "cmdlist"))) for one in FOLDERS}
    assert len(texts) == len(FOLDERS) >= 120


def test_the_note_says_how_many_scenarios_and_schedules_there_are() -> None:
    note = (Path(__file__).parents[2] / "docs/design/exhaustion.md").read_text()
    schedules = f"{HONEST + NEW + HASTY:,}".replace(",", " ")
    assert f"{len(FOLDERS)} folders" in note
    assert f"`make test`: {schedules}, of which {NEW} are" in note


@pytest.mark.parametrize("seed", [3, 11, 42])
def test_what_a_red_seed_prints_is_a_scenario_that_goes_the_same_way(tmp_path: Path, seed: int) -> None:
    text = make_folder(seed)
    for name in ("state", "cmdlist"):
        (tmp_path / name).write_text(text.split(f"-- {name}\n")[1].split("\n-- ")[0] + "\n")
    with tempfile.TemporaryDirectory(prefix="tanist-sim-", dir=MEMORY) as top:
        played = play(build_world(Path(top), read_state(tmp_path)), tmp_path)
    so_far = text.split("-- so far\n")[1].splitlines()
    assert len(so_far) > 1 and played[: len(so_far)] == so_far


def test_only_a_lie_ever_makes_two_and_none_with_a_strong_proof() -> None:
    for folder in FOLDERS:
        violated = any(line.startswith("VIOLATION") for line in read_lines(folder / "expected"))
        lied = any("--lie" in line for line in read_lines(folder / "cmdlist"))
        may = lied and read_state(folder)[2] not in STRONG
        assert may or not violated or folder.name == SWITCHED_ON, folder.name


def test_each_strong_proof_has_its_takeover_its_zombies_and_its_losses() -> None:
    for kind in STRONG:
        names = {folder.name for folder in FOLDERS if read_state(folder)[2] == kind}
        assert {f"{kind}-{what}" for what in PLAYED} <= names
