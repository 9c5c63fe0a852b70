"""Would a takeover work right now? Each reason by name, and the verdict over all of them."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass

Grade = Literal["good", "warning", "loss", "blocks"]
Readiness = Literal["READY", "READY WITH LOSS", "NOT READY"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    node: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that was looked at. What could not be told is never "good"."""

    kind: str  # a name of parity/kinds.py: stable, for machines and overrides
    subject: str = ""  # which one of them: an address, a unit
    grade: Grade
    says: str  # for a person
    seen: tuple[Seen, ...] = ()
    mend: str = ""  # what to type; empty when good
    accepted: str = ""  # who accepted it, why and until when; it does not count then

    @property
    def name(self) -> str:
        return f"{self.kind} {self.subject}" if self.subject else self.kind

    @property
    def counts(self) -> bool:
        return self.grade != "good" and not self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One standby's takeover, as it would go now. `owner` is the node that it would take over from."""

    controller: str
    taker: str
    owner: str
    owner_seen: str  # "now", or since when it is known only from what was remembered
    found: tuple[Found, ...]
    captured: float = 0.0  # seconds since the epoch: no change outside the tree until then is lost; 0.0: no capture
    drilled: float = 0.0  # when a takeover was last rehearsed with success, seconds since the epoch; 0.0: never

    @property
    def verdict(self) -> Readiness:
        grades = {one.grade for one in self.found if one.counts}
        if "blocks" in grades:
            return "NOT READY"
        return "READY WITH LOSS" if "loss" in grades else "READY"

    @property
    def loss(self) -> str:
        return "; ".join(one.says for one in self.found if one.counts and one.grade == "loss")
