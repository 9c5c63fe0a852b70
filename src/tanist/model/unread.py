"""A fact that could not be read. Never an empty value: "none there" and "could not ask" must not look alike."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unread:
    why: str
