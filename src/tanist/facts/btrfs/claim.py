"""The claim in a btrfs that is not mounted, as a mount would find it: the last commit, and over it what fsync logged.

In: the devices of one file system. Out: the bytes of the claim file, or Unread. Never mounts, never writes.
An owner at work commits while this reads: what no longer fits together is read again from a new super block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.facts.btrfs.superblock import Root, explain_unreadable
from tanist.facts.btrfs.trees import Key, Trees, UnreadableError
from tanist.facts.device import crc32c
from tanist.journal.slots import PLACE, SIZE
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.facts.btrfs.devices import Found
    from tanist.host.host import Host

TOP = 5  # the subvolume that a tree of tanist's is: the one that mkfs makes (mount option subvolid=5)
TOP_DIRECTORY = 256
INODE_ITEM, DIR_ITEM, DIR_INDEX, EXTENT_DATA = 1, 84, 96, 108
INLINE, REGULAR = 0, 1
COMPRESSIONS = {1: "zlib", 2: "lzo", 3: "zstd"}
LAST = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    start: int  # byte of the file
    size: int
    inline: bytes = b""
    address: int = 0  # logical, of `start`; 0: a hole, zeros
    compression: str = ""


def read_claim(host: Host, found: Found) -> bytes | Unread:
    if why := explain_unreadable(found.block):
        return Unread(why)
    try:
        return _read_claim(Trees(host, found.devices, found.block))
    except UnreadableError as error:
        return Unread(str(error))
    except (struct.error, IndexError):
        return Unread("a block of its trees is damaged")


def _read_claim(trees: Trees) -> bytes:
    top = trees.find_root(TOP)
    if top is None:
        raise UnreadableError("it has no top-level subvolume")
    log = trees.find_root(TOP, trees.block.log) if trees.block.log else None
    inode = TOP_DIRECTORY
    for name in PLACE.split("/"):
        inode = _find_name(trees, top, log, inode, name.encode())
    size = _find_size(trees, top, log, inode)
    if size != SIZE:
        raise UnreadableError(f"the claim file has {size} bytes instead of {SIZE}")
    extents = [*(_find_extents(trees, log, inode) if log else ()), *_find_extents(trees, top, inode)]
    step = min(trees.block.sector, SIZE)
    return b"".join(_read_part(trees, extents, at, step) for at in range(0, SIZE, step))


# -- names
def _find_name(trees: Trees, top: Root, log: Root | None, directory: int, name: bytes) -> int:
    """The log keeps new names by their index alone (since Linux 5.16), the committed tree by hash as well."""
    entries: list[tuple[Key, bytes]] = []
    if log is not None:
        entries += trees.walk(log, (directory, DIR_ITEM, 0), (directory, DIR_INDEX, LAST))
    entries += trees.walk(top, (key := (directory, DIR_ITEM, crc32c(name, 0xFFFFFFFE))), key)
    for found, data in entries:
        for kind, number, called in _parse_names(data) if found[:1] == (directory,) and is_name(found) else ():
            if called == name:
                if kind != INODE_ITEM:
                    raise UnreadableError(f"{name.decode()} is a subvolume of its own")
                return number
    raise UnreadableError(f"there is no {PLACE}")


def is_name(key: Key) -> bool:
    return key[1] in (DIR_ITEM, DIR_INDEX)


def _parse_names(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(kind, number, name): several where their hashes are the same."""
    at = 0
    while at < len(data):
        number, kind, more, length = struct.unpack_from("<QB16xHH", data, at)
        yield kind, number, data[at + 30 : at + 30 + length]
        at += 30 + length + more


# -- the file
def _find_size(trees: Trees, top: Root, log: Root | None, inode: int) -> int:
    """In the log, generation and size 0 mean no more than that it exists (fs/btrfs/tree-log.c: overwrite_item)."""
    for root in (log, top):
        item = trees.find(root, (inode, INODE_ITEM, 0)) if root is not None else None
        if item is not None:
            generation, size = struct.unpack_from("<Q8xQ", item)
            if root is top or generation or size:
                return int(size)
    raise UnreadableError("the claim file has no inode")


def _find_extents(trees: Trees, root: Root, inode: int) -> Iterator[Extent]:
    for found, data in trees.walk(root, (inode, EXTENT_DATA, 0), (inode, EXTENT_DATA, SIZE - 1)):
        if found[:2] == (inode, EXTENT_DATA):
            yield _parse_extent(found[2], data)


def _parse_extent(start: int, data: bytes) -> Extent:
    length, compression, kind = struct.unpack_from("<8xQB3xB", data)
    how = COMPRESSIONS.get(compression, "an unknown method") if compression else ""
    if kind == INLINE:
        return Extent(start=start, size=length, inline=data[21 : 21 + length], compression=how)
    address, _, offset, size = struct.unpack_from("<QQQQ", data, 21)
    if kind != REGULAR or not address:
        return Extent(start=start, size=size)
    return Extent(start=start, size=size, address=address + (0 if how else offset), compression=how)


def _read_part(trees: Trees, extents: list[Extent], at: int, size: int) -> bytes:
    """`extents`: the first that covers a place counts."""
    extent = next((one for one in extents if one.start <= at < one.start + one.size), None)
    if extent is None or not (extent.inline or extent.address):
        return bytes(size)
    if extent.compression:
        raise UnreadableError(f"the claim file is compressed by {extent.compression}: chattr +m it, and write it again")
    if extent.inline:
        return extent.inline[at - extent.start :][:size].ljust(size, b"\0")
    return trees.read_data(extent.address + at - extent.start)[:size]
