"""One of the four labels that a device of a pool has (OpenZFS: module/zfs/vdev_label.c, include/sys/vdev_impl.h). Pure.

A label is 256 KiB: 8 KiB that ZFS leaves alone, 8 KiB for a boot loader, 112 KiB that say which pool it is, and 128 KiB
with a ring of uberblocks, one of which is written with each commit. Each part has a checksum that knows its own place.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import cast

from tanist.facts.zfs.nvlist import Values, parse_packed
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

SIZE = 256 << 10  # bytes
CONFIG, RING = 16 << 10, 128 << 10  # where they begin
CONFIG_SIZE, RING_SIZE = 112 << 10, 128 << 10
ACTIVE, EXPORTED = 0, 1  # pool_state_t
MAGIC = 0x210DA7AB10C7A11  # zio_eck_t: what stands before a checksum
UBERBLOCK, MMP = 0x00BAB10C, 0xA11CEA11
SMALLEST, LARGEST = 10, 13  # an uberblock's size: 1 KiB to 8 KiB, the sector of the top-level device


@dataclass(frozen=True, slots=True, kw_only=True)
class Uberblock:
    commit: int  # txg
    time: int  # seconds since the epoch, by its writer's clock
    guarded: bool  # multihost was on: its writer goes on writing while nothing changes
    interval: float  # seconds between two such writes, 0: not told


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    pool: str
    pool_id: str  # pool_guid, as zpool(8) shows it
    device_id: int  # guid
    state: int
    commit: int  # txg with which it was written
    host_id: int
    host_name: str
    tops: int  # how many top-level devices the pool has
    top_id: int
    leaves: frozenset[int]  # the devices of this top-level device
    layout: str  # of it: "mirror", "raidz2", "draid1", "single"; "" for a log, without which the pool keeps its data
    room: int  # bytes that its devices give it
    unit: int  # bytes in which it is used
    newest: Uberblock | None


def parse_label(data: bytes, place: int) -> Label | Unread:
    """`place`: the byte of the device at which `data` begins."""
    config = data[CONFIG : CONFIG + CONFIG_SIZE]
    if len(data) != SIZE or not has_checksum(config, place + CONFIG):
        return Unread("no ZFS label, or a damaged one")
    try:
        return _build_label(parse_packed(config), data[RING:], place + RING)
    except (ValueError, KeyError, TypeError) as error:
        return Unread(f"a ZFS label that says nothing of a pool ({error})")


def _build_label(told: Values, ring: bytes, place: int) -> Label:
    tree = cast("Values", told["vdev_tree"])
    return Label(
        pool=str(told["name"]),
        pool_id=str(told["pool_guid"]),
        device_id=_number(told["guid"]),
        state=_number(told["state"]),
        commit=_number(told["txg"]),
        host_id=_number(told.get("hostid", 0)),
        host_name=str(told.get("hostname", "")),
        tops=_number(told["vdev_children"]),
        top_id=_number(told["top_guid"]),
        leaves=frozenset(_leaves(tree)),
        layout=_layout(tree),
        room=_number(tree["asize"]),
        unit=1 << _number(tree["metaslab_shift"]),
        newest=find_newest(ring, place, _number(tree["ashift"])),
    )


def _layout(tree: Values) -> str:
    if tree.get("is_log"):
        return ""
    kind = str(tree["type"])
    return "single" if kind in ("disk", "file") else f"{kind}{tree.get('nparity', '')}"


def _leaves(tree: Values) -> Iterator[int]:
    children = tree.get("children", ())
    if not children:
        yield _number(tree["guid"])
    for child in cast("tuple[Values, ...]", children):
        yield from _leaves(child)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("not a number")
    return value


def find_newest(ring: bytes, place: int, ashift: int) -> Uberblock | None:
    """By commit, then by time, as an import chooses (vdev_uberblock_compare)."""
    size = 1 << min(max(ashift, SMALLEST), LARGEST)
    blocks = (parse_uberblock(ring[at : at + size], place + at) for at in range(0, RING_SIZE, size))
    return max((one for one in blocks if one is not None), key=lambda one: (one.commit, one.time), default=None)


def parse_uberblock(data: bytes, place: int) -> Uberblock | None:
    order = _order(data, UBERBLOCK, 0)
    if order is None or not has_checksum(data, place):
        return None
    commit, time = struct.unpack_from(f"{order}16xQ8xQ", data)
    mmp, delay, config = struct.unpack_from(f"{order}QQQ", data, 176)
    guarded = mmp == MMP and delay > 0
    return Uberblock(
        commit=commit,
        time=time,
        guarded=guarded,
        interval=(config >> 8 & 0xFFFFFF) / 1000 if guarded and config & 1 else 0.0,
    )


def has_checksum(data: bytes, place: int) -> bool:
    """Of a part that ends with its own: SHA-256 over all of it, its place taken for the checksum."""
    order = _order(data, MAGIC, len(data) - 40)
    if order is None:
        return False
    whole = data[:-32] + struct.pack(f"{order}QQQQ", place, 0, 0, 0)
    words = struct.unpack(">QQQQ", hashlib.sha256(whole).digest())
    return struct.pack(f"{order}QQQQ", *words) == data[-32:]


def _order(data: bytes, magic: int, at: int) -> str | None:
    """The byte order of the machine that wrote it."""
    if not 0 <= at <= len(data) - 8:
        return None
    return next((order for order in "<>" if struct.unpack_from(f"{order}Q", data, at)[0] == magic), None)
