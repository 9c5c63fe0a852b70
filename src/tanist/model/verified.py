"""What the last verification of this node's captures found; readiness judges it by its age and result."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    node: str  # where it was verified
    generation: str  # the newest one; empty: there was none
    checked: str  # ISO 8601, UTC
    result: Literal["good", "bad"]
    says: str  # bad: what is wrong; good: how much was compared
    seconds: float
