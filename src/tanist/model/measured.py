"""What takes too long, or costs too much, to be looked at in each check: kept on its node, told with its age.

Times in seconds since the epoch.
"""

from __future__ import annotations

from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Room of the tree's file system, in bytes and inodes (-1 where it counts none)."""

    at: float
    free: int
    inodes_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One measurement. 0: this was not measured; a standby only reads."""

    at: float
    fsyncs_per_s: float = 0.0
    fsync_worst_ms: float = 0.0
    write_mib_per_s: float = 0.0
    read_mib_per_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskHealth:
    """SMART (smartctl(8)). `wrong`: what it complains of. `hours`: powered on; -1: it does not tell."""

    disk: str
    serial: str = ""
    passed: bool = True  # the disk's own verdict
    wrong: tuple[str, ...] = ()
    hours: int = -1
    tested: int = -1  # powered-on hours at the last long or short self-test that ended well; -1: none is known
    told: bool = True  # false: it keeps no SMART data (an array's volume, a virtual disk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """LLDP (IEEE 802.1AB): what the other end of a port's cable calls itself."""

    port: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A ZFS data set that ZFS itself shares over NFS (zfsprops(7): sharenfs)."""

    dataset: str
    mountpoint: str
    sharenfs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrub:
    """An array was seen at work on a check or a repair: md itself keeps no time of it."""

    array: str  # its UUID where that is known, else its name
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The last look at what needs programs that ask the hardware. None: there is no such hardware, or no such tool."""

    at: float
    disks: tuple[DiskHealth, ...] | Unread | None = None
    supplies: tuple[str, ...] | Unread | None = None  # "PS1 Status: ok: Presence detected" (ipmitool(1))
    switches: tuple[Switch, ...] | Unread | None = None
    shares: tuple[Share, ...] | Unread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that a node has kept, the oldest first. `skipped`: why the last measurement was not made; "" when it was."""

    looked: Looked | None = None
    samples: tuple[Sample, ...] = ()
    speeds: tuple[Speed, ...] = ()
    scrubs: tuple[Scrub, ...] = ()
    skipped: str = ""
