"""What a power cut leaves on the shared disks: what the device had received, with a journal to replay.

All nodes share one kernel, which would unmount a dead node's file systems cleanly. Two ways around it: the file
system's own shutdown ioctl without log flush (ext4, xfs: from then on nothing more reaches the device), or, for the
others, a copy of the backing file made while the node is frozen, and put in place when it is gone.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.disk import Disk, DiskMount, attach, copy_as_received, detach, loop_lock, wait_released

# _IOR('X', 125, __u32): EXT4_IOC_SHUTDOWN = XFS_IOC_GOINGDOWN; flag 2 = no log flush
IOC_SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125
NO_LOG_FLUSH = struct.pack("=I", 2)


@dataclass(frozen=True, slots=True)
class CutDisk:
    """How one disk was cut: in place ("shutdown"), or by a copy that waits beside the image."""

    disk: Disk
    copy: Path | None

    @property
    def how(self) -> str:
        return "shutdown" if self.copy is None else "copy"


def cut_disks(mounts: Iterable[DiskMount]) -> list[CutDisk]:
    """Stop the disks that a frozen node has mounted, each once."""
    by_disk: dict[str, list[DiskMount]] = {}
    for mount in mounts:
        by_disk.setdefault(mount.disk.name, []).append(mount)
    return [_cut_disk(found) for _, found in sorted(by_disk.items())]


def _cut_disk(mounts: list[DiskMount]) -> CutDisk:
    disk = mounts[0].disk
    if any(_shutdown(m) for m in mounts):
        return CutDisk(disk, None)
    copy = disk.image.with_suffix(".cut")
    copy_as_received(disk, copy)
    return CutDisk(disk, copy)


def _shutdown(mount: DiskMount) -> bool:
    """Ask the mounted file system to stop dead; False where it cannot, or where another mount hides it."""
    try:
        fd = os.open(f"/proc/{mount.pid}/root{mount.point}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        number = os.fstat(fd).st_dev
        if f"{os.major(number)}:{os.minor(number)}" != mount.disk.number:
            return False
        fcntl.ioctl(fd, IOC_SHUTDOWN, NO_LOG_FLUSH)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def settle(cuts: Iterable[CutDisk]) -> None:
    """After the node is gone: wait for the device, and put a copy in place under the same loop number."""
    for cut in cuts:
        wait_released(cut.disk)
        if cut.copy is not None:
            with loop_lock():
                detach(cut.disk)
                cut.copy.rename(cut.disk.image)
                attach(cut.disk.image, cut.disk.loop)
