"""btrfs's trees, block by block from the raw devices (kernel: include/uapi/linux/btrfs_tree.h, fs/btrfs/tree-log.c).

In: the devices of one file system and its super block. Out: items by key, and bytes of its data. Each tree block is
checked as the kernel does: checksum, own address, file system, level, and the generation that its parent names, so that
what another machine has overwritten meanwhile is never taken for what was there. Never writes.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from tanist.facts.btrfs.checksums import SIZES, checksum
from tanist.facts.btrfs.superblock import Root, SuperBlock
from tanist.facts.device import read_blocks
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

Key = tuple[int, int, int]  # object, type, offset
UNIT = 4096  # bytes; sectors, tree blocks and places on the devices are multiples of it
HEADER, ITEM, POINTER = 101, 25, 33  # bytes of a block's head, of what a leaf and a node keep of each key
CHUNK_TREE, CHUNK_ITEM, ROOT_ITEM, CHECKSUMS = 256, 228, 132, 128
CHECKSUM_TREE, OF_DATA = 7, 2**64 - 10
LOG_TREES = 2**64 - 6
STRIPED = 0x8 | 0x40 | 0x80 | 0x100  # RAID 0, 10, 5, 6: no device has all of it


class UnreadableError(Exception):
    """Why, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    start: int  # logical address
    size: int
    kind: int  # what it holds, and how often
    copies: tuple[tuple[int, int], ...]  # (number of the device, byte of it)

    @property
    def striped(self) -> bool:
        return bool(self.kind & STRIPED)

    def holds(self, address: int) -> bool:
        return self.start <= address < self.start + self.size


class Trees:
    def __init__(self, host: Host, devices: Mapping[int, str], block: SuperBlock) -> None:
        """`devices`: by their numbers, those that are there and not behind."""
        self.host = host
        self.devices = devices
        self.block = block
        self._chunks = list(_parse_system_chunks(block.system_chunks))
        self._searching = False
        self._nodes: dict[Root, bytes] = {}

    # -- trees
    def find_root(self, tree: int, roots: Root | None = None) -> Root | None:
        """A tree's top: the committed one, or with the log's `roots` what fsync wrote of that tree."""
        key = (LOG_TREES, ROOT_ITEM, tree) if roots else (tree, ROOT_ITEM, 0)
        for found, data in self.walk(roots or self.block.roots, key, (*key[:2], 2**64 - 1)):
            if found[:2] == key[:2] and (roots is None or found[2] == tree):
                generation, address = struct.unpack_from("<Q8xQ", data, 160)
                return Root(address=address, level=data[238], generation=generation)
        return None

    def find(self, root: Root, key: Key) -> bytes | None:
        return next((data for found, data in self.walk(root, key, key) if found == key), None)

    def walk(self, root: Root, low: Key, high: Key) -> Iterator[tuple[Key, bytes]]:
        """The items from the one at or before `low` up to `high`, in order."""
        node = self._read_node(root)
        count = struct.unpack_from("<I", node, 0x60)[0]
        size = POINTER if root.level else ITEM
        keys = [_key(node, HEADER + size * at) for at in range(count)]
        for at in range(max(bisect_right(keys, low) - 1, 0), bisect_right(keys, high)):
            place = HEADER + size * at + 17
            if root.level:
                address, generation = struct.unpack_from("<QQ", node, place)
                yield from self.walk(Root(address=address, level=root.level - 1, generation=generation), low, high)
            else:
                start, length = struct.unpack_from("<II", node, place)
                yield keys[at], node[HEADER + start : HEADER + start + length]

    def _read_node(self, root: Root) -> bytes:
        if root not in self._nodes:
            self._nodes[root] = self._read_good(root.address, self.block.node, lambda data: self._check(data, root))
        return self._nodes[root]

    def _check(self, data: bytes, root: Root) -> str:
        address, generation = struct.unpack_from("<Q", data, 0x30)[0], struct.unpack_from("<Q", data, 0x50)[0]
        if checksum(self.block.checksum, data[32:]) != data[: SIZES[self.block.checksum]]:
            return "wrong checksum"
        if (data[0x20:0x30], address) != (self.block.tree_uuid, root.address):
            return "the block of another place"
        if (generation, data[0x64]) != (root.generation, root.level):
            return f"generation {generation} instead of {root.generation}"
        return ""

    # -- data
    def read_data(self, address: int) -> bytes:
        """One sector. Where the file system keeps no checksum of it, all copies must be the same."""
        wanted = self._find_checksum(address)
        if wanted is not None:
            kind = self.block.checksum
            return self._read_good(
                address, self.block.sector, lambda data: "" if checksum(kind, data) == wanted else "wrong checksum"
            )
        copies = {self._read(*place, self.block.sector) for place in self._locate(address, self.block.sector)}
        found = [data for data in copies if isinstance(data, bytes)]
        if len(found) != 1:
            why = "its copies differ" if found else "; ".join(one.why for one in copies if isinstance(one, Unread))
            raise UnreadableError(f"data at {address}: {why}")
        return found[0]

    def _find_checksum(self, address: int) -> bytes | None:
        """Of the data at a logical address; the log keeps those of what it has."""
        size, key = SIZES[self.block.checksum], (OF_DATA, CHECKSUMS, address)
        log = self.find_root(5, self.block.log) if self.block.log else None
        for root in (log, self.find_root(CHECKSUM_TREE)):
            for found, data in self.walk(root, key, key) if root else ():
                at = (address - found[2]) // self.block.sector * size
                if found[:2] == key[:2] and 0 <= at < len(data):
                    return data[at : at + size]
        return None

    # -- devices
    def _read_good(self, address: int, size: int, check: Callable[[bytes], str]) -> bytes:
        """The first copy that passes."""
        wrong = []
        for device, offset in self._locate(address, size):
            data = self._read(device, offset, size)
            why = data.why if isinstance(data, Unread) else check(data)
            if isinstance(data, bytes) and not why:
                return data
            wrong.append(why)
        raise UnreadableError(f"block at {address}: {'; '.join(wrong) or 'none of its devices is there'}")

    def _read(self, device: int, offset: int, size: int) -> bytes | Unread:
        return read_blocks(self.host, self.devices[device], offset // UNIT, size // UNIT, UNIT)

    def _locate(self, address: int, size: int) -> list[tuple[int, int]]:
        """Where the copies are, on the devices that are there."""
        chunk = self._find_chunk(address)
        if chunk.striped:
            raise UnreadableError(f"{address} lies in stripes over several devices: it is read where it is mounted")
        if address + size > chunk.start + chunk.size:
            raise UnreadableError(f"{address} reaches out of its chunk")
        return [(device, at + address - chunk.start) for device, at in chunk.copies if device in self.devices]

    def _find_chunk(self, address: int) -> Chunk:
        for chunk in self._chunks:
            if chunk.holds(address):
                return chunk
        if self._searching:  # the chunk tree itself lies in the chunks that the super block names
            raise UnreadableError(f"no chunk of the super block holds {address}")
        self._searching = True
        key = (CHUNK_TREE, CHUNK_ITEM, address)
        for found, data in self.walk(self.block.chunks, key, key):
            if found[:2] == key[:2] and (chunk := _parse_chunk(found[2], data)).holds(address):
                self._searching = False
                self._chunks.append(chunk)
                return chunk
        raise UnreadableError(f"no chunk holds {address}")

    def walk_chunks(self) -> Iterator[Chunk]:
        low = (CHUNK_TREE, CHUNK_ITEM, 0)
        for found, data in self.walk(self.block.chunks, low, (*low[:2], 2**64 - 1)):
            if found[:2] == low[:2]:
                yield _parse_chunk(found[2], data)


def _key(data: bytes, at: int) -> Key:
    found: Key = struct.unpack_from("<QBQ", data, at)
    return found


def _parse_chunk(start: int, data: bytes) -> Chunk:
    size, kind, count = struct.unpack_from("<Q16xQ12xH", data)
    copies = (struct.unpack_from("<QQ", data, 48 + 32 * at) for at in range(count))
    return Chunk(start=start, size=size, kind=kind, copies=tuple(copies))


def _parse_system_chunks(data: bytes) -> Iterator[Chunk]:
    at = 0
    while at < len(data):
        chunk = _parse_chunk(_key(data, at)[2], data[at + 17 :])
        at += 17 + 48 + 32 * len(chunk.copies)
        yield chunk
