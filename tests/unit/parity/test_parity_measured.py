"""Readiness: what a close look has found of the storage, its age, and what follows from many of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tanist.model.codec import decode, encode
from tanist.model.definition import StoragePolicy
from tanist.model.hardware import FileSystemHealth, Space
from tanist.model.measured import DiskHealth, Looked, Measured, Sample, Scrub, Share, Speed, Switch
from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.readout import Readout
from tanist.model.unread import Unread
from tanist.parity.kinds import KINDS, STORAGE
from tanist.parity.measured import days_until
from tanist.parity.readiness import assess
from tests.unit.parity.hardwares import ARRAY, GIB, GOOD
from tests.unit.parity.pairs import NOW, OWNER, TAKER
from tests.unit.parity.test_parity_storage import ON_MD, STANDBY, pair

DAY = 86400.0
DISK = DiskHealth(disk="mpath0", serial="3510-0", hours=9000, tested=8900)
SPEED = Speed(at=NOW - 3600, fsyncs_per_s=800.0, fsync_worst_ms=4.0, write_mib_per_s=200.0, read_mib_per_s=300.0)
LOOKED = Looked(
    at=NOW - 3600,
    disks=(DISK,),
    supplies=("PS1 Status: Presence detected", "PS2 Status: Presence detected"),
    switches=(Switch(port="eth0", name="switch-a"), Switch(port="eth1", name="switch-b")),
    shares=(),
)
SCRUBS = (Scrub(array="md127", at=NOW - 20 * DAY),)
WELL = Measured(looked=LOOKED, speeds=(SPEED,), scrubs=SCRUBS)
HARDWARE = replace(GOOD, filesystem=FileSystemHealth(fstype="ext4", checked=NOW - 90 * DAY))


def measured(one: Measured | Unread | None, *, hardware: Any = HARDWARE, policy: StoragePolicy | None = None) -> Pair:
    made = pair(hardware, STANDBY, replace(ON_MD, storage=policy) if policy else ON_MD)
    return replace(made, owner=replace(OWNER, storage=hardware, measured=one))


def not_good(it: Pair) -> list[Found]:
    return [one for one in assess(it).found if one.grade != "good"]


def looked(**changes: Any) -> Pair:
    return measured(replace(WELL, looked=replace(LOOKED, **changes)))


def disk(**changes: Any) -> Pair:
    return looked(disks=(replace(DISK, **changes),))


def room(free: int, inodes: int = 10**6) -> Any:
    return replace(HARDWARE, room=Space(path="/var/opt/sun/xvm", free=free, size=100 * GIB, inodes_free=inodes))


def shrinking(days: int, each: int, inodes: int = 0) -> tuple[Sample, ...]:
    """The room of the last days: it has shrunk by `each` GiB a day to 50 GiB."""
    return tuple(
        Sample(at=NOW - n * DAY, free=(50 + n * each) * GIB, inodes_free=10**5 + n * inodes) for n in range(days, 0, -1)
    )


def test_what_was_looked_at_and_is_well_is_told_and_nothing_is_to_mend() -> None:
    found = assess(measured(WELL)).found
    assert [one.name for one in found if one.grade != "good"] == []
    said = {one.name: one.says for one in found}
    assert said["storage speed ec-a"].startswith("ec-a: 800 fsyncs per second, the slowest of them 4.0 ms, 200 MiB/s")
    assert "mpath0 (3510-0) calls itself sound" in said["disk health mpath0 on ec-a"]
    assert "100.0 of 146.0 GiB are free" in said["capacity ec-a"]


WRONG: dict[str, tuple[Callable[[], Pair], str, str]] = {
    "never looked": (lambda: measured(replace(WELL, looked=None)), "storage check ec-a", "nobody looked closely"),
    "looked long ago": (lambda: looked(at=NOW - 9 * DAY), "storage check ec-a", "the last close look"),
    "looked tomorrow": (lambda: looked(at=NOW + 2 * DAY), "storage check ec-a", "the last close look"),
    "unread": (lambda: measured(Unread("torn")), "storage check ec-a", "torn"),
    "a sick disk": (lambda: disk(wrong=("3 grown defects",)), "disk health mpath0 on ec-a", "3 grown defects"),
    "disks unread": (lambda: looked(disks=Unread("smartctl hangs")), "disk health ec-a", "smartctl hangs"),
    "an old self-test": (lambda: disk(tested=100), "media check ec-a", "8900 powered-on hours ago"),
    "no self-test": (lambda: disk(tested=-1), "media check ec-a", "knows of no self-test"),
    "no scrub": (lambda: measured(replace(WELL, scrubs=())), "media check ec-a", "md127 was never seen at a check"),
    "an old scrub": (
        lambda: measured(replace(WELL, scrubs=(Scrub(array="md127", at=NOW - 400 * DAY),))),
        "media check ec-a",
        "md127 was checked last 20",
    ),
    "an old fsck": (
        lambda: measured(WELL, hardware=replace(GOOD, filesystem=FileSystemHealth(fstype="ext4", checked=1.7e9))),
        "media check ec-a",
        "ext4 was checked last 2023",
    ),
    "no power": (
        lambda: looked(
            supplies=("PS1 Status: Presence detected", "PS2 Status: Presence detected, Power Supply AC lost")
        ),
        "power supply ec-a",
        "PS2 Status: Presence detected, Power Supply AC lost",
    ),
    "one supply": (
        lambda: looked(supplies=("PS1 Status: Presence detected",)),
        "power supply ec-a",
        "one power supply",
    ),
    "supplies unread": (lambda: looked(supplies=Unread("no answer")), "power supply ec-a", "no answer"),
    "one switch": (
        lambda: looked(switches=(Switch(port="eth0", name="s"), Switch(port="eth1", name="s"))),
        "switch svc0 of ec-a",
        "hangs on one switch: eth0 on s, eth1 on s",
    ),
    "switches unread": (lambda: looked(switches=Unread("no socket")), "switch ec-a", "no socket"),
    "sharenfs on the tree": (
        lambda: looked(shares=(Share(dataset="x", mountpoint=ON_MD.tree, sharenfs="on"),)),
        "sharenfs x on ec-a",
        "sharenfs=on",
    ),
    "sharenfs above": (
        lambda: looked(shares=(Share(dataset="x", mountpoint="/var/opt", sharenfs="on"),)),
        "sharenfs x on ec-a",
        "is shared by ZFS itself",
    ),
    "shares unread": (lambda: looked(shares=Unread("no pool")), "sharenfs ec-a", "no pool"),
    "slower than asked for": (
        lambda: measured(WELL, policy=StoragePolicy(min_fsyncs_per_s=900, min_read_mib_per_s=250)),
        "storage speed ec-a",
        "the definition asks for 900 fsyncs per second",
    ),
    "slower than it was": (
        lambda: measured(replace(WELL, speeds=(*[replace(SPEED, write_mib_per_s=500.0)] * 3, SPEED))),
        "storage speed ec-a",
        "less than half of what it was: 500 MiB/s written",
    ),
    "asked for and never measured": (
        lambda: measured(replace(WELL, speeds=()), policy=StoragePolicy(min_fsyncs_per_s=1)),
        "storage speed ec-a",
        "has not measured it",
    ),
    "not measured": (lambda: measured(replace(WELL, speeds=(), skipped="no room")), "storage speed ec-a", "no room"),
    "little room": (lambda: measured(WELL, hardware=room(8 * GIB)), "capacity ec-a", "8.0 of 100.0 GiB are free"),
    "few inodes": (lambda: measured(WELL, hardware=room(50 * GIB, 900)), "capacity ec-a", "900 inodes are left"),
    "no room": (lambda: measured(WELL, hardware=room(0)), "tree full ec-a", "0.0 of 100.0 GiB"),
    "no inodes": (lambda: measured(WELL, hardware=room(50 * GIB, 0)), "tree full ec-a", "0 inodes"),
    "room unread": (lambda: measured(WELL, hardware=replace(HARDWARE, room=Unread("df"))), "capacity ec-a", "df"),
    "full in ten days": (
        lambda: measured(replace(WELL, samples=shrinking(9, 5)), hardware=room(50 * GIB)),
        "capacity ec-a",
        "its room will be used up in 10 days",
    ),
    "inodes for four days": (
        lambda: measured(replace(WELL, samples=shrinking(9, 0, 25000)), hardware=room(50 * GIB, 10**5)),
        "capacity ec-a",
        "its inodes will be used up in 4 days",
    ),
}


@pytest.mark.requirement("A17", "A18", "A19", "A23", "A47")
@pytest.mark.parametrize("case", WRONG)
def test_just_that_is_found_with_its_weight_and_what_mends_it(case: str) -> None:
    build, name, says = WRONG[case]
    (found,) = not_good(build())
    assert found.name == name and says in found.says
    assert found.grade == KINDS[found.kind].weight and found.mend and KINDS[found.kind].why


def test_every_kind_of_storage_finding_is_one_and_the_new_ones_were_seen() -> None:
    assert set(KINDS) >= STORAGE
    seen = {found.kind for build, _, _ in WRONG.values() for found in not_good(build())}
    assert seen == {
        *("storage check", "capacity", "tree full", "storage speed", "disk health", "media check", "power supply"),
        *("switch", "sharenfs"),
    }


def test_a_share_elsewhere_is_no_matter() -> None:
    assert not not_good(looked(shares=(Share(dataset="x", mountpoint="/export/home", sharenfs="on"),)))


def test_an_array_that_is_being_checked_needs_no_check() -> None:
    busy = replace(HARDWARE, arrays=(replace(ARRAY, action="check"),))
    assert not not_good(measured(replace(WELL, scrubs=()), hardware=busy))


@pytest.mark.requirement("A19")
@pytest.mark.parametrize(
    ("points", "days"),
    [
        ([(n * DAY, 100.0 - n) for n in range(11)], 90.0),
        ([(n * DAY, 100.0 + n) for n in range(11)], -1.0),
        ([(n * DAY, 100.0) for n in range(11)], -1.0),
        ([(n * DAY, 100.0 - n) for n in range(3)], -1.0),  # too few
        ([(n * 3600.0, 100.0 - n) for n in range(11)], -1.0),  # of less than a day
        ([], -1.0),
    ],
)
def test_the_days_until_it_is_full_follow_the_line_through_what_was_seen(
    points: list[tuple[float, float]], days: float
) -> None:
    assert days_until(points) == pytest.approx(days)


@pytest.mark.requirement("A29")
def test_with_the_owner_dead_its_last_look_counts_with_its_age() -> None:
    dead = replace(disk(wrong=("3 grown defects",)), owner_why="silence", remembered="07:00 UTC")
    assert {one.name for one in not_good(dead)} == {"owner", "disk health mpath0 on ec-a"}


def test_what_was_measured_comes_back_from_the_other_node_as_it_was() -> None:
    for one in (WELL, replace(WELL, looked=replace(LOOKED, disks=Unread("x"), supplies=None)), Measured(), Unread("y")):
        readout = replace(TAKER, measured=one)
        assert decode(Readout, encode(readout), "readout") == readout
