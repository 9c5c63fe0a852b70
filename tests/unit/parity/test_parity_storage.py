"""Readiness: what the asset stands on. One thing wrong with good hardware, and just that is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tanist.model.codec import decode, encode
from tanist.model.definition import Asset, Controller, StoragePolicy
from tanist.model.hardware import (
    BlockDevice,
    Carrier,
    DiskPath,
    FileSystemHealth,
    Identity,
    Opened,
    Port,
    StorageReadout,
)
from tanist.model.layers import MdLayer
from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.readout import Readout
from tanist.model.unread import Unread
from tanist.parity.kinds import KINDS
from tanist.parity.readiness import assess, assess_without
from tanist.parity.redundancy import Stack
from tests.unit.parity.besides import OPSCENTER
from tests.unit.parity.hardwares import ARRAY, DISKS, GIB, GOOD, HBAS, MIRROR, multipath, one_disk
from tests.unit.parity.pairs import OWNER, PAIR, TAKER

MEMBERS = ("/dev/mapper/mpath0", "/dev/mapper/mpath1")
LAYER = MdLayer(device="/dev/md/asset", uuid="01234567:89abcdef:01234567:89abcdef", members=MEMBERS)
ON_MD = replace(OPSCENTER, asset=Asset(kind="filesystem", device="/dev/md/asset", fstype="ext4", layers=(LAYER,)))
BARE = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"
ON_DISK = replace(OPSCENTER, asset=Asset(kind="filesystem", device=BARE, fstype="ext4"))
STANDBY = replace(GOOD, top="", devices=DISKS, arrays=(), room=None)  # nothing is put together there


def pair(owner: StorageReadout, taker: StorageReadout, controller: Controller = ON_MD) -> Pair:
    return replace(
        PAIR, controller=controller, owner=replace(OWNER, storage=owner), taker=replace(TAKER, storage=taker)
    )


def not_good(it: Pair) -> list[Found]:
    return [one for one in assess(it).found if one.grade != "good"]


@pytest.mark.requirement("A14", "A16", "A18")
def test_two_nodes_at_one_redundant_storage_have_nothing_to_mend() -> None:
    found = assess(pair(GOOD, STANDBY)).found
    assert [one.name for one in found if one.grade != "good"] == []
    said = {one.name: one.says for one in found}
    assert "serial 3510-0" in said["shared disk /dev/mapper/mpath0"]
    assert said["redundancy"].startswith("no single disk that ec-a sees")


def devices(*changed: BlockDevice, of: StorageReadout = GOOD) -> StorageReadout:
    names = {one.name: one for one in changed}
    return replace(of, devices=tuple(names.get(one.name, one) for one in of.devices))  # type: ignore[union-attr]


def array(**changes: Any) -> StorageReadout:
    return replace(GOOD, arrays=(replace(ARRAY, **changes),))


def carrier(kind: str, *ports: Port) -> StorageReadout:
    return replace(GOOD, carriers=(Carrier(interface="svc0", kind=kind, ports=ports),))


ETH0, ETH1 = Port(name="eth0", adapter="0000:01:00"), Port(name="eth1", adapter="0000:02:00")
SAME_HBA = tuple(DiskPath(name=name, adapter=HBAS[0], state="running") for name in ("sda", "sdb"))
FAILED = (DiskPath(name="sda", adapter=HBAS[0], state="running"), DiskPath(name="sdb", adapter=HBAS[1], state="failed"))
PATHS, ARRAYS, NET = "paths ec-a", "array md127 on ec-a", "network path svc0 of ec-a"
DISK_B = replace(GOOD, opened=(GOOD.opened[0], Opened(path=MEMBERS[1], why="dd: error reading: Input/output error")))
WRONG: dict[str, tuple[Callable[[], Pair], str, str]] = {
    "another disk": (
        lambda: pair(GOOD, devices(replace(DISKS[0], wwn="0x600c0ff000000009"), of=STANDBY)),
        f"shared disk {MEMBERS[0]}",
        "another WWN",
    ),
    "another serial number": (
        lambda: pair(GOOD, devices(replace(DISKS[1], wwn="", serial="3510-7"), of=STANDBY)),
        f"shared disk {MEMBERS[1]}",
        "serial 3510-7",
    ),
    "a disk that can't be opened": (
        lambda: pair(GOOD, replace(STANDBY, opened=DISK_B.opened)),
        f"shared disk {MEMBERS[1]} on ec-b",
        "ec-b can't read /dev/mapper/mpath1: dd: error reading",
    ),
    "another array": (
        lambda: pair(GOOD, replace(STANDBY, identities=(Identity(what="array /dev/md/asset", uuid="ffff"),))),
        "shared disk array /dev/md/asset",
        "ffff on ec-b",
    ),
    "storage unread": (
        lambda: replace(PAIR, taker=replace(TAKER, storage=Unread("no sysfs"))),
        "shared disk ec-b",
        "no sysfs",
    ),
    "sectors that differ": (lambda: pair(array(mismatches=128), STANDBY), ARRAYS, "128 sectors that differ"),
    "arrays unread": (lambda: pair(GOOD, replace(STANDBY, arrays=Unread("no dmsetup"))), "array ec-b", "no dmsetup"),
    "one adapter": (
        lambda: pair(devices(multipath(0, *SAME_HBA), multipath(1, *SAME_HBA)), STANDBY),
        PATHS,
        "every path goes by the adapter 0000:3b:00",
    ),
    "a failed path": (lambda: pair(devices(multipath(0, *FAILED)), STANDBY), PATHS, "sdb of mpath0 is failed"),
    "a path that is not used": (
        lambda: pair(devices(multipath(0, *DISKS[0].paths, DiskPath(name="sdx", used=False))), STANDBY),
        PATHS,
        "sdx leads to mpath0, too, and is not used",
    ),
    "one card": (lambda: pair(carrier("nic", ETH0), STANDBY), NET, "one card"),
    "a bond of one": (lambda: pair(carrier("bond", ETH0), STANDBY), NET, "a bond of 1: eth0"),
    "a bond with one link": (
        lambda: pair(carrier("bond", ETH0, replace(ETH1, up=False)), STANDBY),
        NET,
        "only eth0 of it has a link",
    ),
    "a bond of one card": (
        lambda: pair(carrier("bond", ETH0, replace(ETH1, adapter=ETH0.adapter)), STANDBY),
        NET,
        "all on the card 0000:01:00",
    ),
    "a virtual interface": (lambda: pair(carrier("virtual", Port(name="svc0")), STANDBY), NET, "virtual"),
    "carriers unread": (
        lambda: pair(replace(GOOD, carriers=Unread("no sysfs")), STANDBY),
        "network path ec-a",
        "no sysfs",
    ),
    "I/O errors": (lambda: pair(devices(replace(DISKS[0], io_errors=3)), STANDBY), "I/O errors ec-a", "3 of mpath0"),
    "errors of the file system": (
        lambda: pair(replace(GOOD, filesystem=FileSystemHealth(fstype="ext4", errors=2, last_error=1.79e9)), STANDBY),
        "file system errors",
        "2 errors on ext4, the last one 2026-09-21",
    ),
    "a marked file system": (
        lambda: pair(replace(GOOD, filesystem=FileSystemHealth(fstype="ext4", marked=True)), STANDBY),
        "file system errors",
        "marked as having errors",
    ),
    "a file system that can't be read": (
        lambda: pair(replace(GOOD, filesystem=Unread("torn")), replace(STANDBY, filesystem=Unread("torn"))),
        "file system errors",
        "cannot tell: ec-a: torn",
    ),
    "a group without a disk": (
        lambda: pair(replace(GOOD, missing=("/dev/sdq",)), STANDBY),
        "volume group /dev/sdq on ec-a",
        "has lost /dev/sdq",
    ),
}


@pytest.mark.requirement("A14", "A16", "A23")
@pytest.mark.parametrize("case", WRONG)
def test_just_that_is_found_with_what_was_seen_and_what_mends_it(case: str) -> None:
    build, name, says = WRONG[case]
    (found,) = not_good(build())
    assert found.name == name and says in found.says
    assert found.grade == KINDS[found.kind].weight and found.mend and KINDS[found.kind].why


@pytest.mark.requirement("A18")
def test_a_mirror_with_a_dead_leg_has_one_disk_left_to_fail() -> None:
    found = not_good(pair(array(in_sync=("dm-1",), others=("dm-0: faulty",), action="recover", done="5 of 9"), STANDBY))
    said = {one.name: one.says for one in found}
    assert set(said) == {ARRAYS, "redundancy"}
    assert "1 of 2 disks in sync (dm-0: faulty); recover 5 of 9" in said[ARRAYS]
    assert said["redundancy"].endswith("mpath1 (3510-1)"), "the one that is left is named"


@pytest.mark.requirement("A14", "A18")
def test_an_owner_tells_of_its_own_half_mirror_where_nothing_is_known_of_the_other_node() -> None:
    half = array(in_sync=("dm-1",), others=("dm-0: faulty",))
    alone = replace(pair(half, half), taker=replace(OWNER, storage=half), owner=None)
    found = assess_without(alone, "ec-b", "ssh: no end within 45 s")
    assert (found.taker, found.owner, found.owner_seen) == ("ec-b", "ec-a", "now")
    said = {one.name: one.says for one in found.found if one.grade != "good"}
    assert said["standby ec-b"] == "ec-b can't be asked: ssh: no end within 45 s"
    assert "1 of 2 disks in sync (dm-0: faulty)" in said[ARRAYS] and "redundancy" in said
    assert not any("{controller}" in one.mend for one in found.found)


@pytest.mark.requirement("A18", "A24")
def test_a_single_disk_is_named_unless_the_definition_says_what_keeps_it() -> None:
    """A24: one array as JBOD, one port for each node."""
    said = {one.name: one.says for one in not_good(pair(one_disk(), one_disk(), ON_DISK))}
    assert set(said) == {"redundancy", "paths ec-a", "paths ec-b"}
    assert "sda (Z1D2)" in said["redundancy"] and said["paths ec-b"] == "ec-b: sda (Z1D2) has one path"
    stated = replace(ON_DISK, storage=StoragePolicy(redundant_by="RAID 5 in the array"))
    found = assess(pair(one_disk(), one_disk(), stated)).found
    assert "RAID 5 in the array, as the definition says" in {one.kind: one.says for one in found}["redundancy"]
    assert "redundancy" not in {one.kind for one in not_good(pair(one_disk(), one_disk(), stated))}


def test_two_partitions_of_one_disk_are_no_mirror() -> None:
    disk = replace(one_disk().devices[0])  # type: ignore[index]
    parts = [BlockDevice(name=f"sda{n}", title=f"sda{n}", kind="part", size=GIB, below=("sda",)) for n in (1, 2)]
    mirror = replace(MIRROR, below=("sda1", "sda2"))
    stack = Stack((mirror, *parts, disk), (replace(ARRAY, in_sync=("sda1", "sda2")),))
    assert stack.fails_with_disk(("md127",)) == (disk,)


@pytest.mark.requirement("A18")
@pytest.mark.parametrize(
    ("level", "disks", "in_sync", "weak"),
    [
        *[("raid5", 3, 3, 0), ("raid5", 3, 2, 2), ("raid6", 4, 3, 0), ("raid6", 4, 2, 2), ("raid10", 4, 4, 0)],
        *[("raid10", 4, 3, 3), ("raid0", 2, 2, 2), ("raid1", 3, 2, 0), ("raid1", 2, 1, 1), ("raid4", 3, 3, 0)],
    ],
)
def test_each_level_can_lose_what_it_can_lose(level: str, disks: int, in_sync: int, weak: int) -> None:
    legs = [replace(one_disk().devices[0], name=f"sd{n}", title=f"sd{n}") for n in range(disks)]  # type: ignore[index]
    names = tuple(one.name for one in legs)
    top = replace(MIRROR, kind=level, below=names)
    stack = Stack((top, *legs), (replace(ARRAY, level=level, disks=disks, in_sync=names[:in_sync]),))
    in_use = {one.name for one in stack.fails_with_disk(("md127",))} & set(names[:in_sync])
    assert len(in_use) == weak


def test_a_linear_volume_falls_with_each_of_its_disks() -> None:
    legs = [replace(one_disk().devices[0], name=name, title=name) for name in ("sda", "sdb")]  # type: ignore[index]
    volume = BlockDevice(name="dm-9", title="vg-lv", kind="lvm", size=GIB, below=("sda", "sdb"))
    assert Stack((volume, *legs), ()).fails_with_disk(("dm-9",)) == tuple(legs)


@pytest.mark.requirement("A18")
def test_a_btrfs_that_keeps_one_copy_is_told() -> None:
    btrfs = FileSystemHealth(fstype="btrfs", profiles=("data single", "metadata raid1"), tells=False)
    directory = replace(OPSCENTER, asset=Asset(kind="directory"))
    (found,) = not_good(pair(replace(GOOD, filesystem=btrfs), replace(STANDBY, filesystem=None), directory))
    assert found.kind == "redundancy" and "btrfs on ec-a keeps data single" in found.says
    stated = replace(directory, storage=replace(directory.storage, redundant_by="two array boxes"))
    assert not_good(pair(replace(GOOD, filesystem=btrfs), replace(STANDBY, filesystem=None), stated)) == []
    mirrored = replace(btrfs, profiles=("data raid1", "metadata raid1"))
    assert not not_good(pair(replace(GOOD, filesystem=mirrored), replace(STANDBY, filesystem=None), directory))


def test_a_virtual_disk_is_not_called_good() -> None:
    disk = one_disk(virtual=True)
    said = {one.name: one.says for one in not_good(pair(disk, disk, ON_DISK))}
    assert "sda is virtual" in said["paths ec-a"] and "redundancy" in said


@pytest.mark.requirement("A14")
def test_disks_without_names_of_their_own_are_told_by_what_lies_on_them() -> None:
    bare = one_disk(wwn="", serial="")
    said = {one.name: one for one in assess(pair(bare, bare, ON_DISK)).found}
    assert said[f"shared disk {BARE}"].grade == "good"
    assert "neither WWN nor serial number" in said[f"shared disk {BARE}"].says


def test_before_it_is_put_together_a_mirror_is_judged_by_its_members() -> None:
    released = pair(STANDBY, STANDBY)
    assert not_good(released) == []
    half = replace(STANDBY, opened=DISK_B.opened)
    assert "redundancy" in {one.kind for one in not_good(pair(half, half))}


@pytest.mark.requirement("A14", "A23")
def test_with_the_owner_dead_the_own_half_and_what_it_told_last_are_compared() -> None:
    dead = replace(pair(devices(replace(DISKS[0], io_errors=3)), STANDBY), owner_why="silence", remembered="07:00 UTC")
    assert {"owner", "I/O errors ec-a"} == {one.name for one in not_good(dead)}
    alone = replace(dead, owner=None, remembered="")
    assert not {one.kind for one in not_good(alone)} & {"shared disk", "redundancy", "paths", "I/O errors"}


def test_hardware_comes_back_from_the_other_node_as_it_was() -> None:
    for one in (GOOD, STANDBY, replace(GOOD, devices=Unread("x"), carriers=Unread("y"), filesystem=Unread("z"))):
        readout = replace(OWNER, storage=one)
        assert decode(Readout, encode(readout), "readout") == readout
