"""The layers below a file system, as a definition states them: one dataclass for each kind, values only.

Each kind has
    kind        what `kind` says in the definition, and the name of its module in facts/
    device      the block device that is there once it is up
    disks       the devices that it names itself, () where it lies on the layer below
    source      it makes disks appear (a log-in, an attachment): nothing on this node lies below it
    whole       once it is up it is a disk as the array has it, to be reserved before anything is put together on it
    exclusive   only the node that is the owner sees the disk
    copies      any one of `disks` has all the data
    takes       what two controllers on one node can't both take
    lacks       what it must be told as the lowest layer and was not: "" when it can be that
"""

from __future__ import annotations

from typing import ClassVar

from tanist.model.dataclasses import dataclass


class Traits:
    """What most kinds are not."""

    __slots__ = ()
    source: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    copies: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MdLayer(Traits):
    """A RAID 1 across disks that both nodes see."""

    kind: ClassVar[str] = "md"
    exclusive: ClassVar[bool] = False
    copies: ClassVar[bool] = True
    lacks: ClassVar[str] = ""
    device: str  # "/dev/md/asset"
    uuid: str  # "01234567:89abcdef:01234567:89abcdef"
    members: tuple[str, ...]  # absolute paths below /dev

    @property
    def disks(self) -> tuple[str, ...]:
        return self.members

    @property
    def takes(self) -> tuple[str, ...]:
        return self.members


@dataclass(frozen=True, slots=True, kw_only=True)
class LvmLayer(Traits):
    """A volume of a group that moves as a whole, by its system id."""

    kind: ClassVar[str] = "lvm"
    exclusive: ClassVar[bool] = False
    group: str
    volume: str
    disk: str = ""  # the physical volume; empty: the layer below

    @property
    def device(self) -> str:
        return f"/dev/{self.group}/{self.volume}" if self.group and self.volume else ""

    @property
    def disks(self) -> tuple[str, ...]:
        return (self.disk,) if self.disk else ()

    @property
    def takes(self) -> tuple[str, ...]:
        return (f"volume group {self.group}",)

    @property
    def lacks(self) -> str:
        return "" if self.disk else "disk, its physical volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrbdLayer(Traits):
    """A device of which each node has a copy on a disk of its own. It names no disks: none of them is shared."""

    kind: ClassVar[str] = "drbd"
    exclusive: ClassVar[bool] = False
    copies: ClassVar[bool] = True
    lacks: ClassVar[str] = ""
    disks: ClassVar[tuple[str, ...]] = ()
    resource: str
    device: str  # "/dev/drbd0"

    @property
    def minor(self) -> int:
        return int(self.device.removeprefix("/dev/drbd") or -1)

    @property
    def takes(self) -> tuple[str, ...]:
        return (f"DRBD resource {self.resource}", self.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiLayer(Traits):
    """A log-in to an iSCSI target, which makes its disks appear."""

    kind: ClassVar[str] = "iscsi"
    source: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    lacks: ClassVar[str] = ""
    target: str  # "iqn.2026-01.org.example:store"
    portals: tuple[str, ...]  # "10.66.0.21:3260", "[fd00::21]:3260": each is a way to it
    device: str = ""  # the disk that appears; empty: the layer above names what it waits for
    logout: bool = False  # whether a release logs out

    @property
    def exclusive(self) -> bool:
        return self.logout

    @property
    def disks(self) -> tuple[str, ...]:
        return (self.device,) if self.device else ()

    @property
    def takes(self) -> tuple[str, ...]:
        return self.disks


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipathLayer(Traits):
    """Several ways to one disk, seen as one device (multipath(8))."""

    kind: ClassVar[str] = "multipath"
    exclusive: ClassVar[bool] = False
    whole: ClassVar[bool] = True
    lacks: ClassVar[str] = ""
    device: str  # "/dev/mapper/ledger"
    wwid: str  # "36001405ab00000000000000000000000", as multipath -ll shows it
    paths: int = 2  # that there should be
    flush: bool = False  # whether a release takes the map away

    @property
    def disks(self) -> tuple[str, ...]:
        return (self.device,)

    @property
    def takes(self) -> tuple[str, ...]:
        return (f"multipath map {self.wwid}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramLayer(Traits):
    """A disk that a program of the administrator's attaches to one node at a time: a cloud volume."""

    kind: ClassVar[str] = "program"
    exclusive: ClassVar[bool] = True
    source: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    lacks: ClassVar[str] = ""
    program: str  # absolute path
    device: str  # that appears
    settings: tuple[tuple[str, str], ...] = ()  # what the program is told; no secret: anybody may read a definition
    timeout: float = 120.0  # seconds for each act

    @property
    def disks(self) -> tuple[str, ...]:
        return (self.device,)

    @property
    def takes(self) -> tuple[str, ...]:
        return (self.device,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZfsLayer(Traits):
    """A pool, and the one data set of it that is mounted. It is no block device: the data set's name is its device."""

    kind: ClassVar[str] = "zfs"
    exclusive: ClassVar[bool] = False
    lacks: ClassVar[str] = ""
    dataset: str  # "ledger/tree"
    devices: tuple[str, ...]  # all of the pool, as they are named on both nodes

    @property
    def pool(self) -> str:
        return self.dataset.split("/")[0]

    @property
    def device(self) -> str:
        return self.dataset

    @property
    def disks(self) -> tuple[str, ...]:
        return self.devices

    @property
    def takes(self) -> tuple[str, ...]:
        return (f"pool {self.pool}", *self.devices)


Layer = MdLayer | LvmLayer | IscsiLayer | MultipathLayer | ProgramLayer | DrbdLayer | ZfsLayer


def find_disks(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """The lowest devices that are named. What is put together from disks that a log-in made appear names them anew."""
    found: tuple[str, ...] = ()
    for layer in layers:
        if layer.source:
            found = (*found, *(one for one in layer.disks if one not in found))
        elif layer.disks:
            return layer.disks
    return found
