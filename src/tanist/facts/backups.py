"""Intact copies of a super block that is damaged: where they lie, and what to type with them.

In: a device path. Out: words for people, "" where none was found. Only reads. Sources: the kernel's
Documentation/filesystems/ext4/super.rst and blockgroup.rst (copies at the start of the groups 1 and the powers of 3, 5
and 7), e2fsck(8) -b and -B; fs/xfs/libxfs/xfs_format.h (one at the start of each allocation group), xfs_repair(8);
btrfs-rescue(8).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tanist.facts import ext4, xfs
from tanist.facts.device import read_blocks, read_size
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

BLOCK_SIZES = 4096, 2048, 1024  # of ext4, the usual ones first
GROUPS = 1, 3, 5, 7, 9  # of ext4, with a copy whatever its size is
USUAL = "its copies are not where mkfs usually puts them"
UNUSED = "while no node has it mounted"


def describe_backups(host: Host, device: str, fstype: str, name: str) -> str:
    """`name`: what the device is called where a person can use it; it may be read through a window here."""
    if fstype == "btrfs":
        return f"btrfs rescue super-recover -v {name} puts an intact copy in its place, {UNUSED}"
    return _describe_xfs(host, device, name) if fstype == "xfs" else _describe_ext4(host, device, name)


def _describe_ext4(host: Host, device: str, name: str) -> str:
    found = find_ext4(host, device)
    if found is None:
        return f"{USUAL} (mke2fs -n {name} lists the places): e2fsck -fn -b PLACE -B BLOCKSIZE {name}"
    block, size = found
    return (
        f"its backup super block at block {block} is intact: e2fsck -fn -b {block} -B {size} {name} shows what is "
        f"wrong, and without the n mends it, {UNUSED}"
    )


def find_ext4(host: Host, device: str) -> tuple[int, int] | None:
    """(block number, block size) of the first intact copy, for a file system with the usual size of groups."""
    for size in BLOCK_SIZES:
        for group in GROUPS:
            block = group * 8 * size + (1 if size == 1024 else 0)
            data = read_blocks(host, device, block, 1, size)
            if isinstance(data, Unread):
                break
            copy = ext4.parse_super_block(data[:1024])
            if isinstance(copy, ext4.SuperBlock) and copy.block_size == size and copy.group == group:
                return block, size
    return None


def _describe_xfs(host: Host, device: str, name: str) -> str:
    place = find_xfs(host, device)
    where = USUAL if place is None else f"the secondary super block at byte {place} is intact"
    return f"{where}: xfs_repair -n {name} looks for one and shows what is wrong, and without -n mends it, {UNUSED}"


def find_xfs(host: Host, device: str) -> int | None:
    """Byte of the second allocation group's copy: as far as the damaged one tells, or by mkfs.xfs's four groups."""
    tried: list[int] = []
    head = read_blocks(host, device, 0, 1, 4096)
    if isinstance(head, bytes):
        block_size, group_blocks = struct.unpack_from(">I", head, 4)[0], struct.unpack_from(">I", head, 84)[0]
        tried.append(block_size * group_blocks)
    size = read_size(host, device)
    if isinstance(size, int):
        tried.append(-(-(size // 4096) // 4) * 4096)
    for place in tried:
        data = read_blocks(host, device, place // 4096, 1, 4096) if place and place % 4096 == 0 else b""
        if isinstance(data, bytes) and data and not isinstance(xfs.parse_super_block(data), Unread):
            return place
    return None
