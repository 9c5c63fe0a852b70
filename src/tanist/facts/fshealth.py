"""What the file system of the asset tells of its own health: errors, last check, redundancy of its own.

In: a device that can be read, mounted or not. Never mounts, never writes. Sources: the kernel's
Documentation/filesystems/ext4/super.rst; sysfs of ext4 and btrfs (Documentation/ABI/testing/sysfs-fs-ext4).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tanist.facts.device import read_blocks
from tanist.facts.sysfs import list_names, read_number, read_word
from tanist.facts.view import open_view
from tanist.model.dataclasses import replace
from tanist.model.hardware import FileSystemHealth
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset
    from tanist.model.host import Mount
    from tanist.model.layers import ZfsLayer

ERRORS = 0x2  # s_state
BTRFS = "/sys/fs/btrfs"


def read_health(host: Host, asset: Asset, name: str) -> FileSystemHealth | Unread:
    """`name`: the kernel's of the device where the file system is, "" where it is not put together here."""
    if asset.fstype == "btrfs":
        mounted = _read_btrfs(host, name, spread=bool(asset.members))
        return mounted if mounted.profiles or not asset.members else _read_profiles_offline(host, asset, mounted)
    if asset.zfs is not None:
        return _read_layouts(host, asset.zfs)
    if asset.fstype != "ext4":
        return FileSystemHealth(fstype=asset.fstype, tells=False)
    with open_view(host, asset) as device:
        data = device if isinstance(device, Unread) else read_blocks(host, device, 0, 1, 4096)
    if isinstance(data, Unread):
        return data
    found = parse_ext4(data)
    if isinstance(found, Unread):
        return Unread(f"{asset.device}: {found.why}")
    live = read_number(host, f"/sys/fs/ext4/{name}/errors_count") if name else 0
    return replace(found, errors=max(found.errors, live))


def _read_layouts(host: Host, layer: ZfsLayer) -> FileSystemHealth:
    """Of each top-level device of a pool."""
    from tanist.facts.zfs.pool import find_pool

    pool = find_pool(host, layer)
    layouts = () if isinstance(pool, Unread) else sorted({one.newest.layout for one in pool.devices} - {""})
    return FileSystemHealth(fstype="zfs", tells=False, profiles=tuple(f"data {one}" for one in layouts))


def parse_ext4(data: bytes) -> FileSystemHealth | Unread:
    """`data`: the first 4096 bytes. The upper bytes of the times came with Linux 4.18 (super.rst)."""
    block = data[1024:2048]
    if len(block) < 1024 or block[0x38:0x3A] != b"\x53\xef":
        return Unread("no ext4 super block")
    return FileSystemHealth(
        fstype="ext4",
        marked=bool(struct.unpack_from("<H", block, 0x3A)[0] & ERRORS),
        errors=struct.unpack_from("<I", block, 0x194)[0],
        last_error=float(struct.unpack_from("<I", block, 0x1CC)[0] | block[0x279] << 32),
        checked=float(struct.unpack_from("<I", block, 0x40)[0] | block[0x277] << 32),
    )


def read_mounted_health(host: Host, mount: Mount) -> FileSystemHealth:
    """Of the file system that a plain directory lies on, as far as the kernel tells."""
    if mount.fstype != "btrfs":
        return FileSystemHealth(fstype=mount.fstype, tells=False)
    return _read_btrfs(host, mount.source.rsplit("/", 1)[-1], spread=True)


def _read_btrfs(host: Host, device: str, *, spread: bool) -> FileSystemHealth:
    """`device`: the kernel's name. `spread`: its profiles are what keeps the data; else that is what lies below."""
    for uuid in list_names(host, BTRFS):
        if device in list_names(host, f"{BTRFS}/{uuid}/devices"):
            counts = [_read_errors(host, f"{BTRFS}/{uuid}/devinfo/{one}/error_stats") for one in _numbers(host, uuid)]
            return FileSystemHealth(
                fstype="btrfs",
                errors=sum(one for one in counts if one is not None),
                profiles=_read_profiles(host, uuid) if spread else (),
                tells=bool(counts) and None not in counts,
            )
    return FileSystemHealth(fstype="btrfs", tells=False)


def _read_profiles_offline(host: Host, asset: Asset, found: FileSystemHealth) -> FileSystemHealth | Unread:
    from tanist.facts.btrfs import marks  # most assets are not, and each start would pay for it

    profiles = marks.read_profiles(host, asset.disks)
    return profiles if isinstance(profiles, Unread) else replace(found, profiles=profiles)


def _numbers(host: Host, uuid: str) -> tuple[str, ...]:
    return list_names(host, f"{BTRFS}/{uuid}/devinfo")


def _read_errors(host: Host, path: str) -> int | None:
    """Lines like "write_errs 0"; since Linux 5.14. None: "invalid", or no such file."""
    words = read_word(host, path).split()
    counts = words[1::2]
    return sum(map(int, counts)) if counts and all(one.isdigit() for one in counts) else None


def _read_profiles(host: Host, uuid: str) -> tuple[str, ...]:
    """Each profile in use is a directory: allocation/data/raid1."""
    place = f"{BTRFS}/{uuid}/allocation"
    known = ("single", "dup", "raid0", "raid1", "raid1c3", "raid1c4", "raid10", "raid5", "raid6")
    return tuple(
        f"{kind} {one}" for kind in ("data", "metadata") for one in list_names(host, f"{place}/{kind}") if one in known
    )
