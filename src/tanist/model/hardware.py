"""What a node's storage and its way to the clients stand on, as that node sees it: plain values, told as JSON.

A part that could not be read is Unread with the reason; an empty tuple means that there is none.
"""

from __future__ import annotations

from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Room of the file system that holds `path`, in bytes and in inodes (-1 where it counts none)."""

    path: str
    free: int
    size: int
    inodes_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPath:
    """One way to a disk. `adapter`: the PCI slot of its adapter without the function, so that two ports of one card
    are one ("0000:3b:00"); "" where it has none, or it can't be told."""

    name: str  # "sdc", "nvme0"
    adapter: str = ""
    state: str = ""  # the kernel's word: "running", "offline", "live"; "failed": multipath has given it up
    used: bool = True  # false: it leads to the same disk, and nothing goes that way


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """A device that the asset lies on. `kind` as lsblk(8) calls it: "disk", "part", "lvm", "raid1", "mpath", "loop"."""

    name: str  # the kernel's: "sda", "dm-3"
    title: str  # for people: "sda", "ledger-tree"
    kind: str
    size: int  # bytes
    wwn: str = ""
    serial: str = ""
    model: str = ""
    transport: str = ""  # "fc", "sas", "iscsi", "nvme", "sata"; "" where it has none
    below: tuple[str, ...] = ()  # names
    paths: tuple[DiskPath, ...] = ()  # of a disk or multipath device
    virtual: bool = False  # what is below it lies outside this machine's sight: virtio, a loop device
    io_errors: int = 0  # commands that ended in an error since the boot (sysfs: ioerr_cnt, all paths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A disk as the definition names it; `why` its first block can't be read, "" where it could."""

    path: str
    name: str = ""  # of its BlockDevice
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A mirror or RAID that is at work here: md (md(4), sysfs), or a RAID volume of LVM (dmsetup(8) status)."""

    name: str  # of its BlockDevice
    level: str  # "raid1", "raid5", ...
    disks: int  # that it is made for
    in_sync: tuple[str, ...]  # names of the devices that hold all of it
    others: tuple[str, ...] = ()  # "sdb: faulty", "sdc: rebuilding"
    action: str = ""  # "idle", "resync", "recover", "check", "repair"
    done: str = ""  # of the action: "123 of 456 sectors"
    mismatches: int = 0  # sectors that the last check found different
    last_action: str = ""  # since it was assembled


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A mark on the disks that is the same from everywhere: `what` "array /dev/md/a", `uuid` "01234567:..."."""

    what: str
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystemHealth:
    """What its super block tells. Times in seconds since the epoch, 0: never, or it does not tell."""

    fstype: str
    marked: bool = False  # "with errors": to be checked before it is used
    errors: int = 0  # that the kernel counted since the last check
    last_error: float = 0.0
    checked: float = 0.0
    profiles: tuple[str, ...] = ()  # btrfs: "data raid1", "metadata dup"; ZFS: "data mirror"
    tells: bool = True  # false: this kind of file system keeps none of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    name: str
    adapter: str = ""  # as in DiskPath
    up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """What carries an interface's packets out of this machine. `kind`: "nic", "bond" or "virtual"."""

    interface: str
    kind: str
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageReadout:
    opened: tuple[Opened, ...]  # the asset's disks; for a plain directory what its file system lies on
    top: str  # name of the device with the file system; "" where it is not put together here
    devices: tuple[BlockDevice, ...] | Unread
    arrays: tuple[Array, ...] | Unread
    missing: tuple[str, ...]  # physical volumes that the volume group has lost
    identities: tuple[Identity, ...]
    filesystem: FileSystemHealth | Unread | None  # None: a plain directory that is not on this node
    room: Space | Unread | None  # of the tree; None where it is not here
    carriers: tuple[Carrier, ...] | Unread
