"""What was observed about the old owner, and the verdict drawn from it (proof/decide.py draws it)."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from tanist.model.dataclasses import dataclass

Source = Literal[
    "claim",
    "storage",
    "peer",
    "service-address",
    "management-address",
    "attestation",
    "power",
    "reservation",
    "lease",
    "promise",
]


class Says(Enum):
    """What one observation says about whether some other node may still be the active one."""

    ACTIVE = "active"  # a sign of life: vetoes
    ALIVE = "alive"  # the machine answers, and did not say that it is inactive: vetoes
    INACTIVE = "inactive"  # the node itself looked and says that it runs nothing of the controller
    RELEASED = "released"  # the owner let go, and the disk agrees
    MINE = "mine"  # the claim on the disk is this node's own
    HELD = "held"  # the claim on the disk is another node's
    SILENT = "silent"  # no answer: proves nothing
    UNKNOWN = "unknown"  # could not be observed: proves nothing, helps nothing
    ATTESTED = "attested"  # a person says that the owner is down
    OFF = "off"  # the node's power was read back as off
    ON = "on"  # the node has power, which proves nothing: a crashed machine has it too
    LAPSED = "lapsed"  # its lease ran out, and the watchdog of its machine has reset it since
    STALE = "stale"  # its lease ran out, but a paused guest, or a machine without a watchdog, may come back
    FENCED = "fenced"  # read back: nobody but this node may write to the device
    PROMISED = "promised"  # this node gave that one its word for a takeover whose outcome the claim does not show yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    source: Source
    about: str  # node, address or device that was looked at
    says: Says
    detail: str  # for people: what was seen (a MAC address, an error text, a state)
    seconds: float = 0.0  # how long the look took
    at: float = 0.0  # this node's monotonic clock, for before and after: a sign of life no later, a fence no earlier
    # than that; 0: not known, which neither lifts a veto nor lets one be lifted


class Outcome(Enum):
    PROVED = "PROVED"
    NOT_PROVED = "NOT_PROVED"
    ALIVE = "ALIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    outcome: Outcome
    reasons: tuple[str, ...]  # one sentence each, the deciding one first
    would_suffice: tuple[str, ...] = ()  # what would turn it into PROVED
