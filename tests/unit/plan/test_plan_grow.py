"""What is in the way of using larger disks, and the steps from the lowest layer up."""

from __future__ import annotations

import pytest

from tanist.facts.lvm import VolumeGroup, find_room, parse_group
from tanist.model.definition import Asset
from tanist.model.growing import (
    WORTH,
    GrowArray,
    GrowFileSystem,
    GrowMap,
    GrowPool,
    GrowReplica,
    GrowVolume,
    NodeSizes,
    Room,
)
from tanist.model.layers import DrbdLayer, LvmLayer, MdLayer, MultipathLayer, ZfsLayer
from tanist.model.unread import Unread
from tanist.plan.grow import build_grow, find_small, find_strangers, render_rooms, smallest

GIB, MIB = 1 << 30, 1 << 20
DISK = "/dev/disk/by-id/a"
LAYER = LvmLayer(group="vg", volume="lv", disk=DISK)
STACK = Asset(
    kind="filesystem",
    device="/dev/vg/lv",
    fstype="xfs",
    layers=(MdLayer(device="/dev/md/a", uuid="1", members=(DISK,)), LvmLayer(group="vg", volume="lv")),
)


def sees(node: str, size: int | Unread) -> NodeSizes:
    return NodeSizes(node=node, sizes=((DISK, size),))


def room(device: str, now: int, could: int) -> Room:
    return Room(device=device, now=now, could=could)


@pytest.mark.requirement("A14")
@pytest.mark.parametrize(
    ("there", "says"),
    [
        (Unread("no answer"), "ec-b can't be asked how large its disks are: no answer"),
        (sees("ec-b", GIB), f"{DISK} is {2 * GIB} bytes on ec-a, {GIB} bytes on ec-b: a node that does not see"),
        (sees("ec-b", Unread("no such disk")), f"ec-b: {DISK}: no such disk"),
        (NodeSizes(node="ec-b", sizes=()), f"ec-b: {DISK}: it says nothing of this disk"),
    ],
)
def test_a_standby_must_see_the_same_size(there: NodeSizes | Unread, says: str) -> None:
    nodes = {"ec-a": sees("ec-a", 2 * GIB), "ec-b": there}
    (found,) = find_strangers(nodes)
    assert found.startswith(says)
    assert tuple(find_strangers({"ec-a": sees("ec-a", GIB), "ec-b": sees("ec-b", GIB)})) == ()


def test_nothing_is_made_to_fit_a_disk_that_became_smaller() -> None:
    (found,) = find_small((room("/dev/a", 2 * GIB, GIB),))
    assert found == "/dev/a has 2.0 GiB, and what lies below it only 1.0 GiB: it became smaller"
    assert tuple(find_small((Unread("it is at work on itself"),))) == ("it is at work on itself",)
    assert tuple(find_small((room("/dev/a", GIB, GIB - 4096),))) == (), "what rounding takes"


def test_each_layer_that_can_have_more_has_a_step_the_lowest_first() -> None:
    rooms = (room("/dev/md/a", GIB, 2 * GIB), room("/dev/vg/lv", GIB, 2 * GIB), room("/dev/vg/lv", GIB, 2 * GIB))
    plan = build_grow(STACK, "/srv", rooms, "/dev/md/a")
    least = 2 * GIB - WORTH + 1
    assert [step.spec for step in plan.steps] == [
        GrowArray(device="/dev/md/a", size=least),
        GrowVolume(group="vg", volume="lv", device="/dev/vg/lv", disk="/dev/md/a", to=2 * GIB, size=least),
        GrowFileSystem(device="/dev/vg/lv", fstype="xfs", target="/srv", size=least),
    ]
    assert plan.steps[2].says == "grow xfs on /dev/vg/lv from 1.0 GiB to 2.0 GiB"
    assert "there is no way back" in plan.title
    rest = build_grow(STACK, "/srv", (room("/dev/md/a", GIB, GIB), *rooms[1:]), "/dev/md/a")
    assert [step.id for step in rest.steps] == ["grow.1", "grow.2"], "what has grown already is left out"
    assert all(one.now < one.lowest <= one.could for one in rooms)


def test_a_multipath_map_grows_before_what_lies_on_it() -> None:
    paths = MultipathLayer(device="/dev/mapper/a", wwid="36001405ab")
    asset = Asset(kind="filesystem", device="/dev/mapper/a", fstype="ext4", layers=(paths,))
    rooms = (room("/dev/mapper/a", GIB, 2 * GIB), room("/dev/mapper/a", GIB, 2 * GIB))
    plan = build_grow(asset, "/srv", rooms, "")
    least = 2 * GIB - WORTH + 1
    assert [(step.id, step.spec) for step in plan.steps] == [
        ("grow.1", GrowMap(device="/dev/mapper/a", size=least)),
        ("grow.2", GrowFileSystem(device="/dev/mapper/a", fstype="ext4", target="/srv", size=least)),
    ]
    assert plan.steps[0].says == "grow /dev/mapper/a from 1.0 GiB to 2.0 GiB"


def test_a_pool_has_one_step_and_its_data_sets_none() -> None:
    pool = ZfsLayer(dataset="ledger/tree", devices=(DISK,))
    asset = Asset(kind="filesystem", device="ledger/tree", fstype="zfs", layers=(pool,))
    (step,) = build_grow(asset, "/srv", (room("ledger", GIB, 2 * GIB),), "").steps
    assert step.spec == GrowPool(pool="ledger", devices=(DISK,), size=2 * GIB - WORTH + 1)
    assert step.says == "grow the pool ledger from 1.0 GiB to 2.0 GiB"
    assert build_grow(asset, "/srv", (room("ledger", GIB, GIB),), "").steps == ()


COPY = DrbdLayer(resource="r0", device="/dev/drbd0")


def has(node: str, size: int | Unread) -> NodeSizes:
    return NodeSizes(node=node, sizes=(), own=((COPY.device, size),))


def test_of_two_copies_the_smaller_disk_counts_and_both_must_be_told() -> None:
    nodes = {"ec-a": has("ec-a", 2 * GIB), "ec-b": has("ec-b", GIB)}
    assert tuple(find_strangers(nodes)) == () and smallest(nodes) == {COPY.device: GIB}
    assert render_rooms(nodes, ()).splitlines() == [
        "  ec-a has room for /dev/drbd0: 2.0 GiB",
        "  ec-b has room for /dev/drbd0: 1.0 GiB",
    ]
    deaf = {**nodes, "ec-b": has("ec-b", Unread("r0 has no disk on this node"))}
    assert tuple(find_strangers(deaf)) == ("ec-b: /dev/drbd0: r0 has no disk on this node",)
    assert "ec-b has room for /dev/drbd0: r0 has no disk on this node" in render_rooms(deaf, ())


def test_a_plan_says_what_a_copy_costs_while_it_is_made() -> None:
    asset = Asset(kind="filesystem", device=COPY.device, fstype="ext4", layers=(COPY,))
    rooms = (room(COPY.device, GIB, 2 * GIB), room(COPY.device, GIB, 2 * GIB))
    first, second = build_grow(asset, "/srv", rooms, "").steps
    least = 2 * GIB - WORTH + 1
    assert first.spec == GrowReplica(resource="r0", device=COPY.device, size=least)
    assert first.says.startswith("grow /dev/drbd0 from 1.0 GiB to 2.0 GiB; until the other copy has the new part")
    assert second.spec == GrowFileSystem(device=COPY.device, fstype="ext4", target="/srv", size=least)


def test_a_file_system_that_fills_its_device_is_left_alone() -> None:
    rooms = (room("/dev/md/a", GIB, GIB), room("/dev/vg/lv", GIB, GIB), room("/dev/vg/lv", GIB, GIB + WORTH - 1))
    assert build_grow(STACK, "/srv", rooms, "/dev/md/a").steps == ()


def test_a_layer_that_nothing_was_seen_of_is_an_error_and_not_left_out() -> None:
    with pytest.raises(ValueError, match="zip"):
        build_grow(STACK, "/srv", (room("/dev/md/a", GIB, 2 * GIB),), "/dev/md/a")


def test_a_size_that_a_node_can_not_tell_counts_for_nothing_and_is_shown_with_its_reason() -> None:
    nodes = {"ec-a": sees("ec-a", 3), "ec-b": sees("ec-b", Unread("no such disk"))}
    assert smallest(nodes) == {DISK: 3}
    assert smallest({"ec-b": nodes["ec-b"]}) == {}
    blocked = Room(device="/dev/vg/lv", now=GIB, could=GIB, why="another volume lies right behind it")
    shown = render_rooms({**nodes, "ec-c": Unread("no answer")}, (Unread("it is at work on itself"), blocked))
    assert shown.splitlines() == [
        f"  ec-a sees {DISK}: 0 MiB",
        f"  ec-b sees {DISK}: no such disk",
        "  /dev/vg/lv: 1.0 GiB, could not have more: another volume lies right behind it",
    ]


def test_the_smallest_that_any_node_sees_counts() -> None:
    assert smallest({"ec-a": sees("ec-a", 3), "ec-b": sees("ec-b", 2), "ec-c": Unread("?")}) == {DISK: 2}
    shown = render_rooms({"ec-a": sees("ec-a", GIB)}, (room(DISK, GIB, 2 * GIB), room("/dev/b", GIB, GIB)))
    assert f"ec-a sees {DISK}: 1.0 GiB" in shown and "1.0 GiB, could have 2.0 GiB" in shown and "all of it" in shown


def group(*, behind: str = "", count: int = 200) -> VolumeGroup:
    """Extents of 4 MiB; the volume has the first 100."""
    found = parse_group(
        f"""vg {{ id = "x" seqno = 3 status = ["RESIZEABLE"] extent_size = 8192
        physical_volumes {{ pv0 {{ pe_start = 2048 pe_count = {count} }} }}
        logical_volumes {{ lv {{ segment_count = 1 segment1 {{ start_extent = 0 extent_count = 100
        type = "striped" stripe_count = 1 stripes = ["pv0", 0] }} }} {behind} }} }}"""
    )
    assert isinstance(found, VolumeGroup)
    return found


def other(first: int) -> str:
    return f"""snap {{ segment_count = 1 segment1 {{ start_extent = 0 extent_count = 10 type = "striped"
        stripe_count = 1 stripes = ["pv0", {first}] }} }}"""


@pytest.mark.requirement("A14")
def test_a_volume_grows_only_into_what_is_free_right_behind_it() -> None:
    extent, size = 4 * MIB, MIB + 200 * 4 * MIB + 5
    found = find_room(group(), LAYER, size)
    assert found == Room(device="/dev/vg/lv", now=100 * extent, could=200 * extent)
    assert find_room(group(behind=other(150)), LAYER, size) == room("/dev/vg/lv", 100 * extent, 150 * extent)
    blocked = find_room(group(behind=other(100)), LAYER, size)
    assert isinstance(blocked, Room)
    assert (blocked.could, blocked.why) == (100 * extent, "another volume lies right behind it")
    small = find_room(group(), LAYER, MIB + 50 * extent)
    assert isinstance(small, Room)
    assert small.could == 50 * extent, "its disk became smaller: seen, and refused"
    assert isinstance(find_room(group(), LvmLayer(group="vg", volume="none"), size), Unread)
