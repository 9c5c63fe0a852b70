"""A finding that a person accepted for a while: who, why, until when. Never all findings at once."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass

LONGEST = 90 * 86400.0  # seconds: what is accepted for good is no finding
BOUND = ("architecture", "operating system", "version", "interface")  # kinds that a takeover compares and refuses by


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    finding: str  # its whole name: "wire svc0 of ec-b"
    who: str
    reason: str
    since: str  # ISO 8601, UTC
    until: float  # seconds since the epoch
    until_text: str  # the same for people
    said: tuple[str, ...] = ()  # what the finding said then, where no other difference may pass (BOUND)

    def holds(self, now: float) -> bool:
        """No longer than it can have been accepted for: a clock that was set back adds nothing."""
        return now < self.until <= now + LONGEST

    def covers(self, says: str) -> bool:
        """Another version, system or interface than the one that was accepted was not accepted."""
        return not self.said or says in self.said

    def describe(self) -> str:
        return f"accepted by {self.who} until {self.until_text}: {self.reason}"
