"""Two nodes as a readiness check compares them: the one that would take over, and the one that has it now."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller
from tanist.model.facts import NodeFacts
from tanist.model.host import Answer
from tanist.model.readout import Readout
from tanist.model.unread import Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question to the wire: who has this address? `whose` is what the answer shows."""

    address: str
    interface: str
    whose: str  # "service", a node's name, "gateway" or "neighbour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """ARP and neighbour solicitations from one node's interfaces (RFC 826, RFC 4861)."""

    node: str  # that asked
    asked: tuple[Asked, ...]
    answers: tuple[Answer, ...]

    def macs(self, address: str) -> tuple[str, ...]:
        """Of those that have it. Who probes for it (RFC 5227: from 0.0.0.0) does not, whoever that is."""
        return tuple(sorted({one.mac for one in self.answers if one.address == address and not one.asks}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """`owner`: what is known of the owner, now or remembered (`remembered`: since when, "" for now); None: nothing."""

    controller: Controller
    taker: Readout
    owner_name: str
    owner: Readout | None
    captured: NodeFacts | None  # of the owner, from the mirrored capture: where nothing else is known of it
    remembered: str
    owner_why: str  # why the owner could not be asked now; "" when it was
    taker_why: str  # the same of the node that would take over, where another node checks; it is remembered then
    wire: Wire | Unread
    now: float  # seconds since the epoch, on the node that checks
    skew: float | None  # seconds that the other node's clock is ahead; None: not measured
    skew_within: float = 0.0  # and how exactly: plus or minus this
    checker: str = ""  # the node that checks

    @property
    def known(self) -> tuple[Readout, ...]:
        """Of both nodes what is known, the owner first."""
        return (self.owner, self.taker) if self.owner is not None else (self.taker,)
