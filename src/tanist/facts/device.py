"""Bytes of a block device as they are on the disk, past this machine's page cache, without mounting anything.

In: an absolute device path. Out: bytes, or Unread with the words of the tool. Never writes.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.host import Ran

PATIENCE = 10.0  # seconds; a dead disk must not hold anybody up for longer
NO_BLOCK_DEVICE = b"Inappropriate ioctl"  # what BLKFLSBUF says of a plain image file


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Bytes of a device: `size` bytes from `offset` on."""

    device: str
    offset: int
    size: int  # 0: to its end


def ask(host: Host, argv: list[str], timeout: float = PATIENCE) -> Ran | Unread:
    """A finished command of any status; Unread when the program is missing or did not end."""
    try:
        ran = host.run(argv, timeout=timeout, ok=None)
    except OSError as error:
        return Unread(f"{argv[0]}: {error.strerror or error}")
    return Unread(f"{argv[0]} is not installed") if ran.status == 127 else ran


def read_blocks(host: Host, device: str, block: int, count: int, size: int) -> bytes | Unread:
    """`count` blocks of `size` bytes, a multiple of the device's sector, from block number `block` on (O_DIRECT)."""
    argv = ["dd", f"if={device}", "iflag=direct", f"bs={size}", f"skip={block}", f"count={count}", "status=none"]
    ran = ask(host, argv)
    if isinstance(ran, Unread):
        return ran
    if ran.status != 0:
        return Unread(ran.complaint)
    if len(ran.stdout) != size * count:
        return Unread(f"{device} ends before byte {size * (block + count)}")
    return ran.stdout


def drop_cache(host: Host, device: str) -> Unread | None:
    """For tools that read through the page cache: forget what this machine has read of the device before."""
    ran = ask(host, ["blockdev", "--flushbufs", device])
    if isinstance(ran, Unread):
        return ran
    if ran.status != 0 and NO_BLOCK_DEVICE not in ran.stderr:
        return Unread(ran.complaint)
    return None


def is_block_device(host: Host, path: str) -> bool:
    try:
        info = host.files.stat(path)
    except OSError:
        return False
    return info is not None and stat.S_ISBLK(info.st_mode)


def describe_content(host: Host, device: str) -> str:
    """What blkid(8) finds there, for people."""
    ran = ask(host, ["blkid", "-p", "-o", "export", device])
    if isinstance(ran, Unread):
        return "no file system that tanist knows"
    found = dict(line.partition("=")[::2] for line in ran.text.splitlines())
    return found.get("TYPE") or found.get("PTTYPE") or "nothing that blkid knows"


def crc32c(data: bytes, seed: int = 0xFFFFFFFF) -> int:
    """Castagnoli's CRC without the final inversion, as both file systems keep it of their super blocks."""
    crc = seed
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value


CRC_TABLE = tuple(_crc_entry(value) for value in range(256))
