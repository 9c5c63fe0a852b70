"""Bytes of a block device as they are on the disk, past this machine's page cache, without mounting anything.

In: an absolute device path. Out: bytes, or Unread with the words of the tool. Never writes.
"""

from __future__ import annotations

import os
import posixpath
import stat
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.host import Ran

PATIENCE = 10.0  # seconds; a dead disk must not hold anybody up for longer
LINKS = 8  # one after the other, at most
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
    """Not the name of a ZFS data set either."""
    if not path.startswith("/"):
        return False
    try:
        info = host.files.stat(path)
    except OSError:
        return False
    return info is not None and stat.S_ISBLK(info.st_mode)


def read_number(host: Host, device: str) -> str:
    """ "8:16", as /proc/self/mountinfo and lsblk have it; "" for what is no block device. OSError: not known."""
    info = host.files.stat(device) if device.startswith("/") else None
    if info is None or not stat.S_ISBLK(info.st_mode):
        return ""
    return f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"


def read_size(host: Host, device: str) -> int | Unread:
    """In bytes."""
    said = read_text(host, ("blockdev", "--getsize64", device))
    if isinstance(said, Unread):
        return said
    return int(said) if said.strip().isdigit() else Unread(f"blockdev --getsize64 {device}: {said.strip()}")


def resolve(host: Host, path: str) -> str | None:
    """Where the links of udev lead: a name below /dev. None for what is no path, such as a ZFS data set."""
    if not path.startswith("/"):
        return None
    for _ in range(LINKS):
        try:
            info = host.files.stat(path, follow=False)
            if info is None:
                return None
            if not stat.S_ISLNK(info.st_mode):
                return path
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), host.files.read_link(path)))
        except OSError:
            return None
    return None


def kernel_name(host: Host, path: str) -> str:
    """ "dm-0", as /sys/class/block has it; of what is not there, the last part of `path`."""
    return posixpath.basename(resolve(host, path) or path)


def read_export(host: Host, device: str) -> dict[str, str]:
    """What blkid(8) finds there, as TYPE, UUID and so on; {} for a device that is blank or can't be asked."""
    said = read_text(host, ("blkid", "-p", "-o", "export", device), ok=(0, 2, 8))
    return {} if isinstance(said, Unread) else parse_export(said)


def parse_export(text: str) -> dict[str, str]:
    """Of blkid's and mdadm's --export: KEY=VALUE in each line."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def describe_content(host: Host, device: str) -> str:
    """What blkid(8) finds there, for people."""
    ran = ask(host, ["blkid", "-p", "-o", "export", device])
    if isinstance(ran, Unread):
        return "no file system that tanist knows"
    found = parse_export(ran.text)
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
