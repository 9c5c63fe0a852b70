"""A close look at a node's storage: what is kept of it, and when it is not measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tanist.cli.storage import configure
from tanist.host.measuring import Limits
from tanist.model.definition import StoragePolicy
from tanist.model.hardware import Array, Space, StorageReadout
from tanist.model.measured import Measured, Sample, Scrub, Speed
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs import measured
from tanist.runs.keeping import keep
from tanist.runs.session import Session
from tests.unit.parity.hardwares import GOOD
from tests.unit.runs.world import World

ROOM = Space(path="/var/opt/oc", free=50 << 30, size=100 << 30, inodes_free=10**6)
HOUR = 3600.0


def seen(room: Space | Unread | None = ROOM, **changes: object) -> StorageReadout:
    return replace(GOOD, room=room, **changes)  # type: ignore[arg-type]


@pytest.fixture
def active(world: World) -> Session:
    """The tree is in use on it."""
    session = world.session("ec-a")
    Path(session.host.files.real(session.controller.tree), ".tanist").mkdir(parents=True, exist_ok=True)
    return session


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "LIMITS", Limits(size=1 << 20, syncs=3))


@pytest.mark.requirement("A17")
def test_the_tree_is_measured_where_it_is_in_use_and_nothing_is_left_in_it(active: Session) -> None:
    found = measured.add_speed(active, Measured(skipped="before"), seen())
    assert (len(found.speeds), found.skipped) == (1, "")
    assert not active.host.files.exists(places.measuring(active.controller.tree))


@pytest.mark.requirement("A17", "A19")
@pytest.mark.parametrize(
    ("storage", "why"),
    [
        (seen(replace(ROOM, free=4 << 30)), "too little room: 4096 MiB are free"),
        (seen(replace(ROOM, size=20 << 20, free=3 << 20)), "too little room: 3 MiB"),
        (seen(replace(ROOM, inodes_free=99)), "too little room"),
        (seen(Unread("df: not found")), "df: not found"),
        (None, "can't be looked at"),
    ],
)
def test_nothing_is_written_where_room_is_short_or_not_known(
    active: Session, storage: StorageReadout | None, why: str
) -> None:
    before = list(Path(active.host.files.real(active.controller.tree)).rglob("*"))
    found = measured.add_speed(active, Measured(), storage)
    assert found.speeds == () and why in found.skipped
    assert list(Path(active.host.files.real(active.controller.tree)).rglob("*")) == before


def test_a_measurement_gives_way_to_a_run(active: Session) -> None:
    lock = active.host.lock(f"{places.runtime(active.name)}/lock", json.dumps({"what": "release"}))
    found = measured.add_speed(active, Measured(), seen())
    assert not isinstance(lock, str)
    lock.close()
    assert found.speeds == () and "is at work" in found.skipped


@pytest.mark.requirement("A17")
def test_a_standby_only_reads_the_disk(world: World) -> None:
    session = world.session("ec-b")
    said = "64+0 records out\n67108864 bytes (67 MB, 64 MiB) copied, 0.5 s, 134 MB/s"
    world.b.answer(["dd"], stderr=said)
    (speed,) = measured.add_speed(session, Measured(), seen(None)).speeds
    assert (speed.read_mib_per_s, speed.write_mib_per_s, speed.fsyncs_per_s) == (128.0, 0.0, 0.0)
    world.b.answer(["dd"], stderr="dd: error reading: Input/output error", status=1)
    assert "Input/output error" in measured.add_speed(session, Measured(), seen(None)).skipped


def test_it_is_measured_when_the_time_of_the_definition_has_passed(world: World) -> None:
    session = world.session("ec-a")
    old = Measured(speeds=(Speed(at=1000.0),))
    assert measured.is_due(session, Measured(), 1e9)
    assert not measured.is_due(session, old, 1000.0 + 24 * HOUR - 1)
    assert measured.is_due(session, old, 1000.0 + 24 * HOUR)
    assert measured.is_due(session, old, 999.0), "a clock that went back must not stop it for good"
    never = replace(session.controller, storage=StoragePolicy(measure_every_hours=0))
    assert not measured.is_due(replace(session, controller=never), Measured(), 1e9)


@pytest.mark.requirement("A19")
def test_the_room_is_noted_every_six_hours_and_for_a_month() -> None:
    samples: tuple[Sample, ...] = ()
    for number in range(200):
        samples = measured.add_sample(samples, seen(), number * 3 * HOUR)
    assert len(samples) == 100 and samples[1].at - samples[0].at == 6 * HOUR
    for number in range(100):
        samples = measured.add_sample(samples, seen(), 1e6 + number * 6 * HOUR)
    assert len(samples) == 120
    assert measured.add_sample(samples, seen(None), 1e9) == samples


def test_the_time_of_a_check_is_when_one_was_seen_at_work() -> None:
    def with_array(*, action: str, last_action: str = "") -> StorageReadout:
        array = Array(name="md127", level="raid1", disks=2, in_sync=(), action=action, last_action=last_action)
        return seen(arrays=(array,))

    assert measured.add_scrubs((), with_array(action="idle"), 5.0) == ()
    once = measured.add_scrubs((), with_array(action="check"), 5.0)
    assert once == (Scrub(array="md127", at=5.0),)
    assert measured.add_scrubs(once, with_array(action="idle", last_action="check"), 9.0) == once
    assert measured.add_scrubs((), with_array(action="idle", last_action="check"), 9.0)[0].at == 9.0


def test_what_was_kept_is_read_again_and_damage_is_told(world: World) -> None:
    session = world.session("ec-a")
    assert measured.load_measured(session) == Measured()
    kept = Measured(speeds=(Speed(at=1.0, fsyncs_per_s=2.0),), skipped="x")
    keep(session, places.measured(session.name), "measured", kept)
    assert measured.load_measured(session) == kept
    session.host.files.write(places.measured(session.name), b"{torn")
    assert isinstance(measured.load_measured(session), Unread)


@pytest.mark.parametrize("said", ["", "dd: failed", "5 bytes copied, 0 s, - B/s"])
def test_an_answer_of_dd_that_is_none_is_an_error(said: str) -> None:
    with pytest.raises(OSError):
        measured.parse_dd(said)


def test_measuring_and_not_measuring_exclude_each_other() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    configure(parser)
    assert parser.parse_args(["check", "oc", "--measure"]).measure
    with pytest.raises(SystemExit):
        parser.parse_args(["check", "oc", "--measure", "--no-measure"])
