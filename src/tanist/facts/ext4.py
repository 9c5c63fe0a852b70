"""ext4's marks and its claim, from the raw device (kernel: Documentation/filesystems/ext4/super.rst, mmp.rst).

In: a device path. Out: StorageMarks, the bytes of the claim file, or Unread. Never mounts, never writes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tanist.facts.device import ask, crc32c, describe_content, read_blocks
from tanist.journal.slots import PLACE, SIZE
from tanist.model.dataclasses import dataclass
from tanist.model.storage import MmpMark, StorageMarks, StorageState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

MAGIC = 0xEF53
MMP_MAGIC = 0x004D4D50
VALID, ERRORS = 0x1, 0x2  # s_state
NEEDS_RECOVERY, WIDE, MMP = 0x4, 0x80, 0x100  # s_feature_incompat
CHECKSUMS = 0x400  # s_feature_ro_compat: metadata_csum
MMP_SLOWEST = 300  # seconds: EXT4_MMP_MAX_UPDATE_INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperBlock:
    valid: bool
    errors: bool
    needs_recovery: bool
    label: str
    uuid: str
    block_size: int
    size: int
    mmp_block: int  # 0: no MMP
    mmp_interval: int  # seconds between two writes
    group: int = 0  # the block group whose copy this is


def read_marks(host: Host, device: str, watch_seconds: float | None) -> StorageMarks | Unread:
    """`watch_seconds`: see storage.read_marks()."""
    data = read_blocks(host, device, 0, 1, 4096)
    block = data if isinstance(data, Unread) else parse_super_block(data[1024:2048])
    if isinstance(block, Unread):
        return Unread(f"{device}: {block.why} (found: {describe_content(host, device)})")
    watched = _watch_mmp(host, device, block, watch_seconds)
    if isinstance(watched, Unread):
        return Unread(f"{device}: {watched.why}")
    mmp, moved, seconds = watched
    state, detail = judge_marks(block, mmp, moved, seconds)
    return StorageMarks(
        fstype="ext4", state=state, detail=detail, label=block.label, uuid=block.uuid, size=block.size, mmp=mmp
    )


def judge_marks(block: SuperBlock, mmp: MmpMark | None, moved: bool, watched: float) -> tuple[StorageState, str]:
    held = mmp if mmp is not None and not mmp.clean else None
    if held and moved:
        return "in-use", f"{held.node or 'somebody'} writes its MMP block: it is mounted there"
    still = f"its MMP block {_stillness(watched)}, last written by {held.node or 'somebody'}" if held else ""
    if held and held.fsck:
        return "unknown", "fsck is at work on it, or was cut off"
    if block.needs_recovery or not block.valid:
        return "dirty", "not unmounted: its journal is to be replayed" + (f"; {still}" if still else "")
    if held:
        return "unknown", f"its super block is clean, its MMP block is not; {still}"
    if block.errors:
        return "dirty", "unmounted, with errors that the kernel noted: run e2fsck"
    return "clean", "unmounted cleanly"


def _stillness(watched: float) -> str:
    return f"stood still for {watched:.1f} s" if watched else "was not watched"


def parse_super_block(data: bytes) -> SuperBlock | Unread:
    """`data`: the 1024 bytes at offset 1024."""
    if len(data) != 1024 or struct.unpack_from("<H", data, 0x38)[0] != MAGIC:
        return Unread("no ext4 super block")
    incompat, ro_compat = struct.unpack_from("<II", data, 0x60)
    if ro_compat & CHECKSUMS and crc32c(data[:0x3FC]) != struct.unpack_from("<I", data, 0x3FC)[0]:
        return Unread("the ext4 super block is damaged: wrong checksum")
    state = struct.unpack_from("<H", data, 0x3A)[0]
    shift = struct.unpack_from("<I", data, 0x18)[0]
    if shift > 6:
        return Unread(f"the ext4 super block is damaged: block size 2^{10 + shift}")
    blocks = struct.unpack_from("<I", data, 0x4)[0]
    if incompat & WIDE:
        blocks |= struct.unpack_from("<I", data, 0x150)[0] << 32
    return SuperBlock(
        valid=bool(state & VALID),
        errors=bool(state & ERRORS),
        needs_recovery=bool(incompat & NEEDS_RECOVERY),
        label=data[0x78:0x88].split(b"\0")[0].decode("utf-8", "replace"),
        uuid=format_uuid(data[0x68:0x78]),
        block_size=1024 << shift,
        size=blocks * (1024 << shift),
        mmp_block=struct.unpack_from("<Q", data, 0x168)[0] if incompat & MMP else 0,
        mmp_interval=struct.unpack_from("<H", data, 0x166)[0],
        group=struct.unpack_from("<H", data, 0x5A)[0],
    )


def parse_mmp(data: bytes, interval: int) -> MmpMark | Unread:
    magic, sequence, when = struct.unpack_from("<IIQ", data, 0)
    if magic != MMP_MAGIC:
        return Unread("the MMP block is damaged")
    check = struct.unpack_from("<H", data, 0x70)[0]
    node = data[0x10:0x50].split(b"\0")[0].decode("utf-8", "replace")
    return MmpMark(sequence=sequence, node=node, time=when, interval=min(max(interval, check, 1), MMP_SLOWEST))


def _watch_mmp(
    host: Host, device: str, block: SuperBlock, watch_seconds: float | None
) -> tuple[MmpMark | None, bool, float] | Unread:
    """The block, whether it moved, and how long it was watched. Two equal samples prove nothing."""
    if not block.mmp_block:
        return None, False, 0.0
    first = _read_mmp(host, device, block)
    if isinstance(first, Unread) or first.clean:
        return first if isinstance(first, Unread) else (first, False, 0.0)
    seconds = first.interval + 1.0 if watch_seconds is None else watch_seconds
    if seconds <= 0:
        return first, False, 0.0
    host.sleep(seconds)
    second = _read_mmp(host, device, block)
    return second if isinstance(second, Unread) else (second, second != first, seconds)


def _read_mmp(host: Host, device: str, block: SuperBlock) -> MmpMark | Unread:
    data = read_blocks(host, device, block.mmp_block, 1, block.block_size)
    return data if isinstance(data, Unread) else parse_mmp(data, block.mmp_interval)


def format_uuid(raw: bytes) -> str:
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def read_claim_file(host: Host, device: str) -> bytes | Unread:
    """debugfs(8): -D past the page cache, -c without the bitmaps (0.5 s on 8 TiB), read-only by default."""
    ran = ask(host, ["debugfs", "-c", "-D", "-R", f"cat /{PLACE}", device])
    if isinstance(ran, Unread):
        return ran
    if len(ran.stdout) == SIZE:
        return ran.stdout
    said = [line for line in ran.stderr.decode("utf-8", "replace").splitlines() if not line.startswith("debugfs 1.")]
    return Unread(said[0] if said else f"the claim file has {len(ran.stdout)} bytes instead of {SIZE}")
