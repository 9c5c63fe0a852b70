"""A pool as a layer: where it is, what is wrong with it, what keeps two nodes from having it at once, what room it has.
Only looks."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tanist.facts.device import Place, is_block_device
from tanist.facts.kinds import Guard, Marks
from tanist.facts.tool import read_text
from tanist.facts.zfs.label import SIZE, Label
from tanist.facts.zfs.marks import is_imported
from tanist.facts.zfs.pool import Pool, find_pool
from tanist.model.growing import Room
from tanist.model.hardware import Identity
from tanist.model.readout import LayerState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layers import ZfsLayer

HOST_ID = "/etc/hostid"  # spl(4): four bytes, in the machine's order
ASKED = "mountpoint,canmount,sync"
OWN = (4 << 20) + 2 * SIZE  # bytes of each device that ZFS keeps: two labels and its boot block, and two labels behind


def find_place(host: Host, layer: ZfsLayer, below: Place) -> Place | Unread:  # noqa: ARG001
    """A pool is read device by device; one of them stands for it."""
    there = next((device for device in layer.devices if is_block_device(host, device)), "")
    return Place(device=there, offset=0, size=0) if there else Unread(f"none of {', '.join(layer.devices)} is there")


def read_marks(host: Host, layer: ZfsLayer, below: Place) -> Marks:  # noqa: ARG001
    pool = find_pool(host, layer)
    if isinstance(pool, Unread):
        return Marks()
    return Marks(identities=(Identity(what=f"pool {layer.pool}", uuid=pool.id),))


def find_ends(host: Host, layer: ZfsLayer) -> dict[str, tuple[str, ...]]:  # noqa: ARG001
    return {device: (device,) for device in layer.devices}


def read_room(host: Host, layer: ZfsLayer, sizes: Mapping[str, int], below: int) -> Room | Unread:  # noqa: ARG001
    """Of the whole pool. A device that is missing would come back too small."""
    pool = find_pool(host, layer)
    if isinstance(pool, Unread):
        return pool
    if pool.wrong:
        return Unread(f"{layer.pool} is not whole: {'; '.join(pool.wrong)}: zpool status {layer.pool}")
    could = 0
    for label in tops(pool):
        fewest = min(sizes.get(one.path, 0) for one in pool.devices if one.newest.top_id == label.top_id)
        room = find_room(label, fewest)
        if isinstance(room, Unread):
            return room
        could += room
    return Room(device=layer.pool, now=read_capacity(pool), could=could)


def tops(pool: Pool) -> tuple[Label, ...]:
    """The newest label of each top-level device that has data."""
    found = {one.newest.top_id: one.newest for one in sorted(pool.devices, key=lambda one: one.newest.commit)}
    return tuple(label for label in found.values() if label.layout)


def read_capacity(pool: Pool) -> int:
    """Bytes, with what its redundancy takes: "size" of zpool-list(8)."""
    return sum(label.room // label.unit * label.unit for label in tops(pool))


def find_room(label: Label, fewest: int) -> int | Unread:
    """What a top-level device could have, the smallest of whose devices has `fewest` bytes (vdev_open, vdev_raidz_open
    in OpenZFS)."""
    if label.layout.startswith("draid"):
        return Unread("a dRAID is grown by hand: zpool online -e")
    each = fewest // SIZE * SIZE - OWN
    whole = each * len(label.leaves) if label.layout.startswith("raidz") else each
    return whole // label.unit * label.unit


def read_guards(host: Host, layer: ZfsLayer) -> Iterator[Guard]:
    pool = find_pool(host, layer)
    if isinstance(pool, Unread):
        yield Guard(about=layer.pool, fails=True, says=pool.why)
        return
    written = pool.written
    if written is None or not written.guarded:
        yield Guard(
            about=layer.pool,
            says="multihost is off: an import with -f takes the pool from a node that is at work",
            mend=f"zpool set multihost=on {layer.pool}",
        )
    else:
        says = f"multihost, written every {written.interval:g} s to each device"
        yield Guard(about=layer.pool, ready=True, says=says)


def read_states(host: Host, layer: ZfsLayer) -> Iterator[LayerState]:
    yield read_host_id(host)
    pool = find_pool(host, layer)
    if isinstance(pool, Unread):
        yield LayerState(kind="pool", name=layer.pool, says="", wrong=pool.why, mend="zpool import, which lists them")
        return
    yield _judge_devices(pool)
    if is_imported(host, layer.pool):
        yield from read_data_sets(host, layer)


def _judge_devices(pool: Pool) -> LayerState:
    says = f"{len(pool.devices)} devices of {pool.name} can be read"
    wrong = f"{says}; {'; '.join(pool.wrong)}" if pool.wrong else ""
    return LayerState(kind="pool", name=pool.name, says=says, wrong=wrong, mend="zpool status -P")


def read_host_id(host: Host) -> LayerState:
    """Two nodes with one id, as clones have it, are one to ZFS: it takes the pool from the living without a word."""
    mend = f"rm {HOST_ID}; zgenhostid; then restart the node"
    try:
        data = host.files.read(HOST_ID, 4)
    except OSError as error:
        data, why = b"", f"{HOST_ID}: {error.strerror or error}"
    else:
        why = f"{HOST_ID} holds no id"
    number = struct.unpack("=I", data)[0] if len(data) == 4 else 0
    if not number:
        wrong = f"{why}: ZFS can't tell this node from another"
        return LayerState(kind="host id", name="ZFS", says="", wrong=wrong, mend=mend)
    return LayerState(kind="host id", name="ZFS", says=f"its host id is {number:08x}", own=f"{number:08x}", mend=mend)


def read_data_sets(host: Host, layer: ZfsLayer) -> Iterator[LayerState]:
    """What an import without -N would mount, and what would lose acknowledged writes."""
    argv = ("zfs", "get", "-r", "-H", "-p", "-t", "filesystem", "-o", "name,property,value", ASKED, layer.pool)
    said = read_text(host, argv)
    if isinstance(said, Unread):
        yield LayerState(kind="pool", name=f"data sets of {layer.pool}", says="", wrong=said.why)
        return
    values = parse_values(said)
    for name, found in values.items():
        if found.get("mountpoint") not in ("legacy", "none") and found.get("canmount") == "on":
            wrong = f"{name} has the mount point {found.get('mountpoint')}: whoever imports the pool mounts it there"
            yield LayerState(
                kind="pool",
                name=name,
                says="",
                wrong=wrong,
                mend=f"zfs set mountpoint=legacy {name}, or canmount=noauto",
            )
    if values.get(layer.dataset, {}).get("sync") == "disabled":
        wrong = f"sync=disabled on {layer.dataset}: what was acknowledged in the last seconds is lost with its owner"
        yield LayerState(
            kind="pool", name=f"sync of {layer.dataset}", says="", wrong=wrong, mend="zfs set sync=standard"
        )


def parse_values(text: str) -> dict[str, dict[str, str]]:
    """zfs-get(8), -H: fields by one tab."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) == 3:
            found.setdefault(cells[0], {})[cells[1]] = cells[2]
    return found
