"""xfs's marks and its claim, from the raw device (kernel: fs/xfs/libxfs/xfs_format.h; xfs_db(8), xfs_logprint(8)).

In: a device path. Out: StorageMarks, the bytes of the claim file, or Unread. Never mounts, never writes.
The tools read through the page cache: it is dropped first, so that another machine's writes are seen.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from tanist.facts.device import ask, crc32c, describe_content, drop_cache, read_blocks
from tanist.facts.ext4 import format_uuid
from tanist.journal.slots import PLACE, SIZE
from tanist.model.dataclasses import dataclass
from tanist.model.storage import StorageMarks, StorageState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

# A dirty log is printed whole, up to gigabytes; the state stands in its first lines. The device comes in as $1.
LOG_STATE = 'xfs_logprint -t "$1" 2>&1 | head -n 12'
EXTENT = re.compile(r"^data offset (\d+) startblock \d+ \((\d+)/(\d+)\) count (\d+) flag (\d)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperBlock:
    label: str
    uuid: str
    block_size: int
    blocks: int
    group_blocks: int  # blocks of an allocation group
    own_log: bool  # the log is on the same device

    @property
    def size(self) -> int:
        return self.blocks * self.block_size


def read_super_block(host: Host, device: str) -> SuperBlock | Unread:
    data = read_blocks(host, device, 0, 1, 4096)
    block = data if isinstance(data, Unread) else parse_super_block(data)
    if isinstance(block, Unread):
        return Unread(f"{device}: {block.why} (found: {describe_content(host, device)})")
    return block


def parse_super_block(data: bytes) -> SuperBlock | Unread:
    """`data`: the first 4096 bytes of the device; all numbers are big-endian but the checksum."""
    if data[:4] != b"XFSB":
        return Unread("no xfs super block")
    block_size, blocks = struct.unpack_from(">IQ", data, 4)
    log_start = struct.unpack_from(">Q", data, 48)[0]
    group_blocks = struct.unpack_from(">I", data, 84)[0]
    version, sector = struct.unpack_from(">HH", data, 100)
    if not 512 <= sector <= 4096 or not 512 <= block_size <= 65536:
        return Unread("the xfs super block is damaged: impossible sizes")
    if version & 0xF == 5:
        zeroed = data[:224] + bytes(4) + data[228:sector]
        if crc32c(zeroed) ^ 0xFFFFFFFF != struct.unpack_from("<I", data, 224)[0]:
            return Unread("the xfs super block is damaged: wrong checksum")
    return SuperBlock(
        label=data[108:120].split(b"\0")[0].decode("utf-8", "replace"),
        uuid=format_uuid(data[32:48]),
        block_size=block_size,
        blocks=blocks,
        group_blocks=group_blocks,
        own_log=log_start != 0,
    )


def read_marks(host: Host, device: str) -> StorageMarks | Unread:
    block = read_super_block(host, device)
    if isinstance(block, Unread):
        return block
    state, detail = _read_log_state(host, device, block)
    return StorageMarks(fstype="xfs", state=state, detail=detail, label=block.label, uuid=block.uuid, size=block.size)


def _read_log_state(host: Host, device: str, block: SuperBlock) -> tuple[StorageState, str]:
    if not block.own_log:
        return "unknown", "its log is on another device"
    stale = drop_cache(host, device)
    if stale is not None:
        return "unknown", stale.why
    ran = ask(host, ["sh", "-c", LOG_STATE, "sh", device])
    return ("unknown", ran.why) if isinstance(ran, Unread) else parse_log_state(ran.text)


def parse_log_state(text: str) -> tuple[StorageState, str]:
    found = re.search(r"log tail: \d+ head: \d+ state: <(CLEAN|DIRTY)>", text)
    if found is None:
        lines = [line.strip() for line in text.splitlines() if line.strip() not in ("", "xfs_logprint:")]
        return "unknown", f"xfs_logprint: {lines[-1] if lines else 'said nothing'}"
    if found[1] == "CLEAN":
        return "clean", "unmounted cleanly"
    return "dirty", "not unmounted: its log is to be replayed"


def read_claim_file(host: Host, device: str) -> bytes | Unread:
    """Find the file's blocks with xfs_db, then read them past the page cache."""
    block = read_super_block(host, device)
    if isinstance(block, Unread):
        return block
    stale = drop_cache(host, device)
    if stale is not None:
        return stale
    ran = ask(host, ["xfs_db", "-r", "-c", f"path /{PLACE}", "-c", "bmap", device])
    if isinstance(ran, Unread):
        return ran
    said = (ran.stdout + ran.stderr).decode("utf-8", "replace")
    if "command path not found" in said:
        return Unread("xfs_db is too old to look a path up: xfsprogs 5.10 or newer is needed")
    extents = parse_extents(said, block)
    if isinstance(extents, Unread):
        return extents
    parts = [read_blocks(host, device, start, count, block.block_size) for start, count in extents]
    data = b""
    for part in parts:
        if isinstance(part, Unread):
            return part
        data += part
    return data[:SIZE]


def parse_extents(text: str, block: SuperBlock) -> tuple[tuple[int, int], ...] | Unread:
    """(first block on the device, blocks), in the order of the file, that cover the claim without a hole."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [match for line in lines if (match := EXTENT.match(line))]
    if not found:
        return Unread(lines[0] if lines else "xfs_db said nothing")
    wanted = -(-SIZE // block.block_size)
    extents, at = [], 0
    for offset, group, start, count, unwritten in (map(int, match.groups()) for match in found):
        if at >= wanted:
            break
        if offset != at or unwritten:
            return Unread("the claim file has a hole, or blocks that were never written")
        extents.append((group * block.group_blocks + start, min(count, wanted - at)))
        at += count
    return tuple(extents) if at >= wanted else Unread("the claim file is shorter than a claim")
