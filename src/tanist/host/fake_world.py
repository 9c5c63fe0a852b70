"""What fake hosts share: a clock that only moves when somebody sleeps, disks, and the wire between them.

Disks and wire keep a list of violations: what no real run may ever do, whatever the code under test believed.
"""

from __future__ import annotations

from typing import Protocol

from tanist.model.dataclasses import dataclass, field


class Crash(BaseException):
    """tanist dies here, as by kill -9. A BaseException: nothing in tanist may catch it."""


@dataclass(slots=True)
class FakeClock:
    wall: float = 1_700_000_000.0
    ticks: float = 1000.0

    def advance(self, seconds: float) -> None:
        self.wall += max(seconds, 0.0)
        self.ticks += max(seconds, 0.0)


class OnTheWire(Protocol):
    """What a machine shows of itself on the wire."""

    @property
    def name(self) -> str: ...
    @property
    def answering(self) -> bool:
        """It has power and a kernel that answers."""
        ...

    def mac_of(self, address: str) -> str | None:
        """The MAC of the interface that has the address."""
        ...

    def listens(self, port: int) -> bool: ...


@dataclass(slots=True, eq=False)
class FakeDisk:
    """A block device whose file system is the directory `path`. Several hosts may see it."""

    path: str
    fstype: str = "ext4"
    number: str = "253:0"
    holder: str = ""  # the host that has it mounted
    guarded: bool = True  # a second mount is refused, as by a mount guard; without one it works, and does its harm
    violations: list[str] = field(default_factory=list)
    away: bool = False  # an export whose filer does not answer
    locked: str = ""  # the host that holds the lock beside an export's claim
    note: str = ""  # of who had it last
    looks: int = -1  # that find it held still, of a host that died; -1: until it is let go


@dataclass(slots=True, eq=False)
class FakeWire:
    """One Ethernet segment."""

    machines: list[OnTheWire] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def owners(self, address: str, *, but: str = "") -> tuple[OnTheWire, ...]:
        """The machines that have it and would answer for it."""
        return tuple(
            machine
            for machine in self.machines
            if machine.name != but and machine.answering and machine.mac_of(address) is not None
        )

    def note_owner(self, address: str, name: str) -> None:
        """`name` has just taken the address; a machine that has it and is merely silent counts, too."""
        for machine in self.machines:
            if machine.name != name and machine.mac_of(address) is not None:
                self.violations.append(f"two owners: {address} on {machine.name} and {name}")
