"""A node's storage as it should be: a mirror of two SAN disks, two adapters, a bond of two cards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tanist.model.hardware import (
    Array,
    BlockDevice,
    Carrier,
    DiskPath,
    FileSystemHealth,
    Identity,
    Opened,
    Port,
    Space,
    StorageReadout,
)

HBAS = ("0000:3b:00", "0000:af:00")
GIB = 1 << 30


def multipath(number: int, *paths: DiskPath) -> BlockDevice:
    ways = paths or tuple(
        DiskPath(name=f"sd{'abcd'[2 * number + way]}", adapter=HBAS[way], state="running") for way in (0, 1)
    )
    return BlockDevice(
        name=f"dm-{number}",
        title=f"mpath{number}",
        kind="mpath",
        size=146 * GIB,
        wwn=f"0x600c0ff00000000{number}",
        serial=f"3510-{number}",
        transport="fc",
        below=tuple(path.name for path in ways),
        paths=ways,
    )


MIRROR = BlockDevice(name="md127", title="md127", kind="raid1", size=146 * GIB, below=("dm-0", "dm-1"))
DISKS = (multipath(0), multipath(1))
ARRAY = Array(name="md127", level="raid1", disks=2, in_sync=("dm-0", "dm-1"), action="idle")
GOOD = StorageReadout(
    opened=(Opened(path="/dev/mapper/mpath0", name="dm-0"), Opened(path="/dev/mapper/mpath1", name="dm-1")),
    top="md127",
    devices=(MIRROR, *DISKS),
    arrays=(ARRAY,),
    missing=(),
    identities=(Identity(what="array /dev/md/asset", uuid="01234567:89abcdef:01234567:89abcdef"),),
    filesystem=FileSystemHealth(fstype="ext4", checked=1.79e9),
    room=Space(path="/var/opt/sun/xvm", free=100 * GIB, size=146 * GIB, inodes_free=10**6),
    carriers=(
        Carrier(
            interface="svc0",
            kind="bond",
            ports=(Port(name="eth0", adapter="0000:01:00"), Port(name="eth1", adapter="0000:02:00")),
        ),
    ),
)


def one_disk(**changes: Any) -> StorageReadout:
    """A single disk with one path: what most people begin with."""
    disk = BlockDevice(
        name="sda",
        title="sda",
        kind="disk",
        size=146 * GIB,
        wwn="0x5000c500a1b2c3d4",
        serial="Z1D2",
        transport="fc",
        paths=(DiskPath(name="sda", adapter=HBAS[0], state="running"),),
    )
    return replace(
        GOOD,
        opened=(Opened(path="/dev/disk/by-id/wwn-0x5000c500a1b2c3d4", name="sda"),),
        top="sda",
        devices=(replace(disk, **changes),),
        arrays=(),
        identities=(),
    )
