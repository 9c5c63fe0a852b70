"""What a run tells whoever watches. Apart from the engine: who only tells need not import what changes a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from tanist.model.dataclasses import dataclass

if TYPE_CHECKING:
    from tanist.model.steps import PlannedStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """For whoever watches: one line of the timeline."""

    kind: Literal["part", "begun", "done", "failed", "undone", "kept", "note"]
    says: str
    seconds: float = 0.0
    step: PlannedStep | None = None


Report = Callable[[Event], None]
