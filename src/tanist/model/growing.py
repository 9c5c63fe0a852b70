"""Storage that became larger: what a node sees of it, and the steps that use it. A step that grows is never undone."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

WORTH = 64 << 20  # bytes: less room is not worth a run, and what rounding takes is never more


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSizes:
    """What a node sees of the disks below the asset, once its kernel has asked them anew. Told as JSON."""

    node: str
    sizes: tuple[tuple[str, int | Unread], ...]  # (disk as the definition names it, bytes)
    own: tuple[tuple[str, int | Unread], ...] = ()  # (replicated device, bytes for it on the node's own disk)

    def find(self, disk: str) -> int | Unread:
        return dict(self.sizes).get(disk, Unread("it says nothing of this disk"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One layer, or the file system, on what lies below it."""

    device: str
    now: int  # bytes that it has
    could: int  # bytes that it could have
    why: str = ""  # it could not have more

    @property
    def grows(self) -> bool:
        return self.could >= self.now + WORTH

    @property
    def lowest(self) -> int:
        """Bytes that it has at least once it has grown."""
        return self.could - WORTH + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowMap:
    """A multipath map as large as its paths; undone: nothing."""

    device: str
    size: int  # bytes that it has at least then


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowArray:
    """A mirror as large as its smallest member; undone: nothing."""

    device: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowVolume:
    """A volume group's disk and its volume, which stays in one piece; undone: nothing."""

    group: str
    volume: str
    device: str
    disk: str  # the physical volume
    to: int  # bytes that the volume is given
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowReplica:
    """A device as large as the smaller one of two copies; undone: nothing."""

    resource: str
    device: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowPool:
    """A pool as large as its devices; undone: nothing."""

    pool: str
    devices: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowFileSystem:
    """The mounted file system as large as its device; undone: nothing."""

    device: str
    fstype: str
    target: str  # where it is mounted
    size: int


GrowStep = GrowMap | GrowArray | GrowVolume | GrowReplica | GrowPool | GrowFileSystem
