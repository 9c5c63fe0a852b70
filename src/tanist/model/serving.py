"""What of a controller does not do its work on the node that has it."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    subject: str  # a unit, a service address, a health check
    says: str
    mend: str
