"""The features of the asset's file system, by the names that mke2fs(8), mkfs.xfs(8) and /sys/fs/btrfs/features use,
from its super block.

In: a device path. Out: names, or Unread. Never mounts, never writes. What only tells a state (a journal to be replayed)
is no feature. Sources: the kernel's Documentation/filesystems/ext4/super.rst and fs/xfs/libxfs/xfs_format.h.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tanist.facts.device import read_blocks
from tanist.facts.view import open_view
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset

Bits = dict[int, str]
EXT4_INCOMPATIBLE: Bits = {
    0x1: "compression",
    0x2: "filetype",
    0x8: "journal_dev",
    0x10: "meta_bg",
    0x40: "extent",
    0x80: "64bit",
    0x100: "mmp",
    0x200: "flex_bg",
    0x400: "ea_inode",
    0x1000: "dirdata",
    0x2000: "metadata_csum_seed",
    0x4000: "large_dir",
    0x8000: "inline_data",
    0x10000: "encrypt",
    0x20000: "casefold",
}
EXT4_READ_ONLY: Bits = {
    0x1: "sparse_super",
    0x2: "large_file",
    0x8: "huge_file",
    0x10: "uninit_bg",
    0x20: "dir_nlink",
    0x40: "extra_isize",
    0x100: "quota",
    0x200: "bigalloc",
    0x400: "metadata_csum",
    0x2000: "project",
    0x8000: "verity",
}
EXT4_STATES = 0x4, 0x10000  # to be recovered; orphans present
XFS_INCOMPATIBLE: Bits = {
    0x1: "ftype",
    0x2: "sparse",
    0x4: "meta_uuid",
    0x8: "bigtime",
    0x20: "nrext64",
    0x40: "exchange",
    0x80: "parent",
    0x100: "metadir",
    0x200: "zoned",
    0x400: "zone_gaps",
}
XFS_READ_ONLY: Bits = {0x1: "finobt", 0x2: "rmapbt", 0x4: "reflink", 0x8: "inobtcount"}
XFS_STATES = 0x10, 0  # needs repair
BTRFS_INCOMPATIBLE: Bits = {
    0x1: "mixed_backref",
    0x2: "default_subvol",
    0x4: "mixed_groups",
    0x8: "compress_lzo",
    0x10: "compress_zstd",
    0x20: "big_metadata",
    0x40: "extended_iref",
    0x80: "raid56",
    0x100: "skinny_metadata",
    0x200: "no_holes",
    0x400: "metadata_uuid",
    0x800: "raid1c34",
    0x1000: "btrfs_zoned",
    0x2000: "extent_tree_v2",
    0x4000: "raid_stripe_tree",
    0x10000: "simple_quota",
}
BTRFS_READ_ONLY: Bits = {0x1: "free_space_tree", 0x4: "btrfs_verity", 0x8: "block_group_tree"}
BTRFS_STATES = 0, 0x2  # the free space tree is valid
SUPER_BLOCKS = {"btrfs": 16}  # where it is, in units of 4096 bytes; else in the first


def read_super_block(host: Host, device: str, fstype: str) -> bytes | Unread:
    """The 4096 bytes that hold it."""
    return read_blocks(host, device, SUPER_BLOCKS.get(fstype, 0), 1, 4096)


def read_features(host: Host, asset: Asset) -> tuple[str, ...] | Unread:
    """A plain directory has none of its own that are known here."""
    if asset.kind != "filesystem" or asset.zfs is not None:  # a pool names its own: the import judges them
        return ()
    with open_view(host, asset) as device:
        data = device if isinstance(device, Unread) else read_super_block(host, device, asset.fstype)
    if isinstance(data, Unread):
        return data
    found = parse_features(data, asset.fstype)
    return Unread(f"{asset.device}: {found.why}") if isinstance(found, Unread) else found


def is_to_be_repaired(data: bytes, fstype: str) -> bool:
    """xfs's own mark after a repair that was cut off, or by xfs_admin(8)."""
    if fstype != "xfs" or data[:4] != b"XFSB" or struct.unpack_from(">H", data, 100)[0] & 0xF < 5:
        return False
    return bool(struct.unpack_from(">I", data, 216)[0] & XFS_STATES[0])


def parse_features(data: bytes, fstype: str) -> tuple[str, ...] | Unread:
    """`data`: as read_super_block() reads them. Bits without a name are "incompatible:BIT" or "read-only:BIT"."""
    if fstype == "ext4" and data[1080:1082] == b"\x53\xef":
        incompatible, read_only = struct.unpack_from("<II", data, 1024 + 0x60)
        words = (incompatible, EXT4_INCOMPATIBLE, EXT4_STATES[0]), (read_only, EXT4_READ_ONLY, EXT4_STATES[1])
    elif fstype == "xfs" and data[:4] == b"XFSB":
        if struct.unpack_from(">H", data, 100)[0] & 0xF < 5:
            return ()  # version 4 has no such words
        read_only, incompatible = struct.unpack_from(">II", data, 212)
        words = (incompatible, XFS_INCOMPATIBLE, XFS_STATES[0]), (read_only, XFS_READ_ONLY, XFS_STATES[1])
    elif fstype == "btrfs" and data[0x40:0x48] == b"_BHRfS_M":
        read_only, incompatible = struct.unpack_from("<QQ", data, 0xB4)
        words = (incompatible, BTRFS_INCOMPATIBLE, BTRFS_STATES[0]), (read_only, BTRFS_READ_ONLY, BTRFS_STATES[1])
    else:
        return Unread(f"no {fstype} super block")
    found = []
    for kind, (word, names, states) in zip(("incompatible", "read-only"), words, strict=True):
        bits = (1 << place for place in range(64) if (word & ~states) >> place & 1)
        found += [names.get(bit, f"{kind}:{bit:#x}") for bit in bits]
    return tuple(sorted(found))
