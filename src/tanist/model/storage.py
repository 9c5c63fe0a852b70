"""What a file system's own marks say, read from the device and never by mounting it (facts/storage.py reads them)."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass

StorageState = Literal["clean", "dirty", "in-use", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MmpMark:
    """ext4's multiple mount protection block (Documentation/filesystems/ext4/mmp.rst)."""

    sequence: int
    node: str  # who wrote it last
    time: int  # when, by that node's clock; seconds since the epoch
    interval: int  # seconds that pass between two writes of a mounted file system, at most

    @property
    def clean(self) -> bool:
        return self.sequence == 0xFF4D4D50

    @property
    def longest_wait(self) -> float:
        """Seconds that a mount waits where the block is not clean: ext4_multi_mount_protect() looks on for
        min(2n + 1, n + 60) s, twice (fs/ext4/mmp.c). Measured: 22.5 with n = 5, 45.9 with n = 10, journal and all."""
        check = max(self.interval, 5)
        return 2.0 * min(2 * check + 1, check + 60)

    @property
    def fsck(self) -> bool:
        return self.sequence == 0xE24D4D50


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageMarks:
    fstype: str  # "" for a plain directory
    state: StorageState  # "in-use" is seen, never concluded: MMP moved, or it is mounted on this node
    detail: str  # for people
    label: str = ""
    uuid: str = ""
    size: int = 0  # bytes
    mmp: MmpMark | None = None
    mounted_at: tuple[str, ...] = ()  # on this node
