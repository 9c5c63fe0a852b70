"""What another node says of itself, and what two nodes tell each other before either becomes active."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One run on one node that wants to make it the active one (proof/intent.py)."""

    node: str
    run: str
    who: str
    since: str  # ISO 8601, UTC
    phase: Literal["intending", "committed"]

    def describe(self) -> str:
        return f"{self.who} on {self.node}, run {self.run}, since {self.since}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a node owes another one's takeover that it told "I run nothing": it mounts nothing, by itself or for a
    person, before it has heard that node again, that node is off, or the claim is past `epoch` (runs/promise.py)."""

    node: str  # to whom
    run: str  # the takeover
    who: str
    since: str  # ISO 8601, UTC
    epoch: int  # of the claim that it is to be taken over from

    def is_past(self, epoch: int) -> bool:
        """Whether a claim of that epoch has ended it. 0: none that tells; a plain directory's is each node's own."""
        return epoch > self.epoch

    def describe(self) -> str:
        return f"the takeover of {self.who} on {self.node}, run {self.run}, since {self.since}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerWord:
    """The other node looked at itself just now. Its intent is told only while its run lives (its lock is held)."""

    node: str
    state: Literal["active", "inactive", "busy"]
    detail: str  # for people: what of the controller it found running, or that it found nothing
    epoch_seen: int = 0  # the highest epoch that this node remembers; 0: none
    boot_id: str = ""
    busy_run: str = ""
    busy_since: str = ""
    busy_who: str = ""
    intent: Intent | None = None
    promised: str = ""  # the run for which it noted its word, so that it keeps it
