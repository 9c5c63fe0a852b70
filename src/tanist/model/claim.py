"""The claim: who owns the controller. A lower epoch always loses."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    controller: str
    node: str
    epoch: int
    state: Literal["held", "released"]
    since: str  # ISO 8601, UTC
    run: str  # the run that wrote it
    users: tuple[tuple[str, int], ...] = ()  # the numbers that the disk has for the controller's accounts;
    groups: tuple[tuple[str, int], ...] = ()  # only a finished re-owning walk changes them
    reowning: str = ""  # token of a walk that has begun: inodes have the numbers that its record tells

    def is_held_by(self, node: str) -> bool:
        return (self.node, self.state) == (node, "held")

    def describe(self) -> str:
        verb = "held by" if self.state == "held" else "released by"
        return f"{verb} {self.node}, epoch {self.epoch}, since {self.since}"

    @property
    def unused(self) -> bool:
        """Left by an `init` that was undone: there is no capture, and no other run was over it. A run's name tells its
        kind (runs/session.py)."""
        return self.state == "released" and self.run.split("-")[1:2] == ["init"]
