"""btrfs's super block (kernel: fs/btrfs, include/uapi/linux/btrfs_tree.h; btrfs(5)). Pure: bytes -> values.

Only the first one, 64 KiB into the device, counts: it is what a mount reads.
"""

from __future__ import annotations

import struct

from tanist.facts.btrfs.checksums import SIZES, checksum
from tanist.facts.ext4 import format_uuid
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

PLACE, SIZE = 65536, 4096  # bytes
MAGIC = b"_BHRfS_M"
ERROR, SEEDING, CHANGING = 1 << 2, 1 << 32, 0x1F << 36 | 1 << 35  # flags: CHANGING_* of btrfstune(8)
METADATA_UUID = 0x400  # incompat_flags
READABLE = 0x10FFF & ~0x1000  # incompat_flags whose trees are laid out as here; 0x1000: zoned, elsewhere on the disk
ARRAY = 0x32B  # where the chunks of the chunk tree stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The top of a tree: its logical address, and what must stand in that block."""

    address: int
    level: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperBlock:
    label: str
    uuid: str
    tree_uuid: bytes  # what each tree block names
    size: int  # bytes, of all devices together
    devices: int
    device: int  # this one's number
    generation: int
    roots: Root  # the tree of trees
    chunks: Root
    log: Root | None  # what fsync(2) wrote since the last commit; a mount replays it
    sector: int
    node: int  # bytes of a tree block
    checksum: int
    flags: int
    incompatible: int
    system_chunks: bytes


def parse_super_block(data: bytes) -> SuperBlock | Unread:
    """`data`: the 4096 bytes at PLACE."""
    if len(data) != SIZE or data[0x40:0x48] != MAGIC:
        return Unread("no btrfs super block")
    kind = struct.unpack_from("<H", data, 0xC4)[0]
    if kind not in SIZES:
        return Unread(f"btrfs with a checksum that tanist does not know: {kind}")
    if checksum(kind, data[32:]) != data[: SIZES[kind]] or struct.unpack_from("<Q", data, 0x30)[0] != PLACE:
        return Unread("the btrfs super block is damaged: wrong checksum")
    generation, roots, chunks, log = struct.unpack_from("<QQQQ", data, 0x48)
    sector, node = struct.unpack_from("<II", data, 0x90)
    system, chunk_generation = struct.unpack_from("<IQ", data, 0xA0)
    incompatible = struct.unpack_from("<Q", data, 0xBC)[0]
    if sector not in (4096, 8192, 16384, 32768, 65536) or node % sector or not sector <= node <= 65536 or system > 2048:
        return Unread("the btrfs super block is damaged: impossible sizes")
    levels = data[0xC6:0xC9]
    fsid, metadata = data[0x20:0x30], data[0x23B:0x24B]
    return SuperBlock(
        label=data[0x12B:0x22B].split(b"\0")[0].decode("utf-8", "replace"),
        uuid=format_uuid(fsid),
        tree_uuid=metadata if incompatible & METADATA_UUID else fsid,
        size=struct.unpack_from("<Q", data, 0x70)[0],
        devices=struct.unpack_from("<Q", data, 0x88)[0],
        device=struct.unpack_from("<Q", data, 0xC9)[0],
        generation=generation,
        roots=Root(address=roots, level=levels[0], generation=generation),
        chunks=Root(address=chunks, level=levels[1], generation=chunk_generation),
        log=Root(address=log, level=levels[2], generation=generation + 1) if log else None,
        sector=sector,
        node=node,
        checksum=kind,
        flags=struct.unpack_from("<Q", data, 0x38)[0],
        incompatible=incompatible,
        system_chunks=data[ARRAY : ARRAY + system],
    )


def explain_unreadable(block: SuperBlock) -> str:
    """Why its trees can't be read without a mount; "" when they can."""
    if block.flags & CHANGING:
        return "btrfstune was cut off on it: run btrfstune again to the end"
    if strange := block.incompatible & ~READABLE:
        return f"btrfs with features that tanist does not read (incompat {strange:#x})"
    return ""
