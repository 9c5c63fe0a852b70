"""One node's copy of a device that DRBD replicates: what the node's own kernel says of both copies, in 8.4's words.

There is no disk that both nodes read: each has marks and a claim of its own, and they are the truth only as long as the
copies follow each other.
"""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass

Relation = Literal["same", "newer", "older", "apart", "strangers"]
LINKED = ("Connected", "SyncSource", "PausedSyncS", "VerifyS", "VerifyT")  # and this copy is not the one that is behind
PRIMARY_BIT = 1  # of a generation's number; it tells who wrote it, not what


@dataclass(frozen=True, slots=True, kw_only=True)
class Generations:
    """What DRBD keeps in its meta data to tell which of two copies is newer (drbdadm get-gi)."""

    current: int
    bitmap: int  # since when the other copy misses what is written here; 0: it misses nothing
    history: tuple[int, ...] = ()

    def compare(self, theirs: Generations) -> Relation:
        """This copy beside the other, by the rules of drbd_uuid_compare() (drivers/block/drbd/drbd_receiver.c). apart:
        split brain, both were written without the other; strangers: they have no generation in common."""
        mine, other = self.numbers, theirs.numbers
        if mine[0] == other[0]:
            return "same"
        if other[0] in mine[1:]:
            return "newer"
        if mine[0] in other[1:]:
            return "older"
        return "apart" if set(mine[1:]) & set(other[1:]) else "strangers"

    @property
    def numbers(self) -> tuple[int, ...]:
        """Without the bit of the role, and without what is not set."""
        rest = (one & ~PRIMARY_BIT for one in (self.bitmap, *self.history))
        return (self.current & ~PRIMARY_BIT, *(one for one in rest if one))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """`role` is "" where the resource is not up on this node: its copy lies there, and follows nobody."""

    resource: str
    role: str = ""  # "Primary", "Secondary"
    peer_role: str = "Unknown"
    connection: str = ""  # "Connected", "WFConnection", "StandAlone", "SyncTarget"
    disk: str = ""  # this copy: "UpToDate", "Consistent", "Outdated", "Inconsistent", "Diskless"
    peer_disk: str = "DUnknown"
    behind: int = 0  # bytes that differ between the copies, as far as this node knows
    protocol: str = ""  # "A", "B", "C"; "" where that is not told

    @property
    def linked(self) -> bool:
        """It has all that the other copy has, and gets what is written there."""
        return self.connection in LINKED and self.disk == "UpToDate"

    @property
    def current(self) -> bool:
        """What lies here is what the controller has now, as far as DRBD can know: it is linked, or written here."""
        return self.linked or self.role == "Primary"

    @property
    def states(self) -> str:
        """As /proc/drbd has them, and as an administrator of DRBD reads them."""
        if not self.role:
            return f"{self.resource} is not up on this node"
        return f"{self.resource}: {self.connection}, {self.role}/{self.peer_role}, {self.disk}/{self.peer_disk}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaReadout:
    """What a node tells of its copy for a readiness check."""

    replica: Replica
    generations: Generations | None = None  # None: could not be read
    lost: str = ""  # when the copies were last seen to stop following each other, by the node's clock
    by_name: bool = False  # the resource tells its nodes by host name
