"""A journal whose last record was cut off at any byte: status, resume and undo go by the records before it.

tanist is killed behind each record of a takeover and of a release, and the record is torn: at every byte the same
journal is read, the same is told of it, and from a byte that differs with each record the run is ended both ways.
TANIST_EVERY_POINT=1 takes every second record, without it every fifth; they are resumed and undone at others.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tanist.journal.journal import Journal, runs_directory
from tanist.journal.records import parse_journal
from tanist.runs.status import Status, read_status
from tests.sim.folders import MEMORY
from tests.sim.play import RECORD, Play
from tests.sim.world import OC, SimWorld, Trap, slim
from tests.unit.runs.world import ASSETS

ME = "ec-b"
EVERY = 2 if os.environ.get("TANIST_EVERY_POINT") else 5
TAKEN = ("power ec-a off", f"{ME} takeover --attest")
RELEASED = (*TAKEN, f"{ME} release")
DEFINITION = slim(OC.read_text()).format(mode="host", asset=ASSETS["filesystem"]).encode()


@pytest.fixture(scope="module")
def world() -> Iterator[SimWorld]:
    with tempfile.TemporaryDirectory(prefix="tanist-sim-", dir=MEMORY) as top:
        yield SimWorld(Path(top), size="slim")


def find_journal(world: SimWorld) -> Path | None:
    """The open one, where the file is."""
    found = list(Path(world.nodes[ME].files.real(runs_directory("oc"))).glob("*.jsonl"))
    assert len(found) < 2
    return found[0] if found else None


def kill_behind(world: SimWorld, commands: tuple[str, ...], record: int) -> tuple[Play, Path | None]:
    """A play whose last command is killed right behind that record, the first of it being 1."""
    world.begin()
    play, node = Play(world), world.sim(ME)
    node.files.make_directory("/etc/tanist/controllers")
    node.files.write("/etc/tanist/controllers/oc.toml", DEFINITION)
    play.run(list(commands[:-1]))
    node.traps.append(Trap(RECORD, record, lambda: node.die("record")))
    play.do(commands[-1])
    node.traps.clear()
    node.revive()
    return play, find_journal(world)


def told(status: Status) -> tuple[object, ...]:
    return status.state, status.open_run, status.why


@pytest.mark.requirement("A62", "A63")
@pytest.mark.parametrize("commands", [TAKEN, RELEASED], ids=["takeover", "release"])
def test_a_journal_torn_at_every_byte_is_the_one_before_its_last_record(
    world: SimWorld, commands: tuple[str, ...]
) -> None:
    record, bytes_tried = 1 - EVERY, 0
    while True:
        record += EVERY
        _, path = kill_behind(world, commands, record)
        if path is None:
            break  # the run was over and filed away
        whole = path.read_bytes()
        lines = whole.splitlines(keepends=True)
        before = b"".join(lines[:-1])
        records, _ = parse_journal(before, "before")
        assert len(lines) == record
        path.write_bytes(before)
        expected = told(read_status(world.nodes[ME], "oc", ME))
        for cut in range(len(before), len(whole)):
            path.write_bytes(whole[:cut])
            assert parse_journal(whole[:cut], "torn") == (records, len(before)), cut
            if cut % 31 == record % 31:
                assert told(read_status(world.nodes[ME], "oc", ME)) == expected, cut
                assert path.read_bytes() == whole[:cut], "a look changes nothing"
                loaded = Journal.load(world.nodes[ME], f"{runs_directory('oc')}/{path.name}")
                assert tuple(loaded.records) == records and path.read_bytes() == before
        bytes_tried += len(lines[-1])
    assert record > 15 and bytes_tried > 400, (record, bytes_tried)


@pytest.mark.requirement("A62", "A63")
@pytest.mark.parametrize("commands", [TAKEN, RELEASED], ids=["takeover", "release"])
@pytest.mark.parametrize("way", ["resume", "undo"])
def test_a_run_whose_last_record_was_torn_ends_cleanly(world: SimWorld, commands: tuple[str, ...], way: str) -> None:
    """The act that the torn record tells of was done, or was about to be: what the host shows counts."""
    record = 0 if way == "resume" else 1 - EVERY
    while True:
        record += EVERY
        play, path = kill_behind(world, commands, record)
        if path is None:
            break
        whole = path.read_bytes()
        last = whole.splitlines(keepends=True)[-1]
        path.write_bytes(whole[: len(whole) - len(last) + record * 37 % len(last)])
        if play.is_open(ME):
            play.run([f"{ME} {way}"])
        play.way_out(way)
        assert world.violations == (), record
    assert record > 15
