"""What a machine is asked for and answers with: plain values that cross the Host seam."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A finished command. `status` is the exit status, or -N for signal N, or 127 when the program is not there."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The last line that the command wrote to stderr (or stdout): what a person would read first."""
        lines = (self.stderr or self.stdout).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A line of /proc/self/mountinfo (proc(5))."""

    target: str
    source: str
    fstype: str
    root: str  # path inside the file system that is mounted here
    options: tuple[str, ...]  # per mount, "idmapped" among them
    device: str  # "major:minor"
    read_only: bool = False  # the file system itself, by its own wish or after an error, whatever the mount says
    wide: tuple[str, ...] = ()  # options of the file system, whoever mounted it where


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSeen:
    """What a look at an NFS export found (host/exports.py). `claim`: the file's bytes, None where there is none."""

    claim: bytes | None
    locked: bool  # somebody holds the lock beside it
    note: str  # of who had the lock last, by its own words
    owner: int  # whose the directory of the claim is, by number; -1 where there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class IdMap:
    """Extents (on disk, on this host, count), as for /proc/PID/uid_map of an id-mapped mount."""

    users: tuple[tuple[int, int, int], ...]
    groups: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumber:
    """A permutation of ids: those that move, from and to. All others stay."""

    users: tuple[tuple[int, int], ...]
    groups: tuple[tuple[int, int], ...]

    @property
    def inverse(self) -> Renumber:
        return Renumber(
            users=tuple((to, start) for start, to in self.users), groups=tuple((to, start) for start, to in self.groups)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reowned:
    """What a re-owning walk did."""

    looked_at: int  # inodes
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    interface: str
    address: str
    prefix: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    name: str
    mac: str
    up: bool
    carrier: bool
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Somebody answered for an address on the wire: `mac` says who. `asks`: it only asked for it at the same moment,
    and does not have it."""

    address: str
    mac: str
    asks: bool = False
