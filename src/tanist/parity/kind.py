"""What a kind of finding is."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass

Weight = Literal["warning", "loss", "blocks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    name: str
    weight: Weight
    why: str
    mend: str  # in general; a finding may know better
