"""One way to say a finding: good, wrong, or not to be told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from tanist.model.readiness import Found, Seen
from tanist.model.readout import Readout
from tanist.model.unread import Unread
from tanist.parity.kinds import KINDS

T = TypeVar("T")


def good(kind: str, says: str, *, subject: str = "", seen: Iterable[Seen] = ()) -> Found:
    return Found(kind=kind, subject=subject, grade="good", says=says, seen=tuple(seen))


def wrong(kind: str, says: str, *, subject: str = "", seen: Iterable[Seen] = (), mend: str = "") -> Found:
    about = KINDS[kind]
    return Found(kind=kind, subject=subject, grade=about.weight, says=says, seen=tuple(seen), mend=mend or about.mend)


def untold(kind: str, gaps: Iterable[tuple[str, str]], *, subject: str = "") -> Found:
    """`gaps`: node and why. "Cannot tell" weighs as much as wrong."""
    says = "cannot tell: " + "; ".join(f"{node}: {why}" for node, why in gaps)
    return wrong(kind, says, subject=subject, mend="mend what is named, then check again")


def gaps_of(readouts: Iterable[Readout], part: Callable[[Readout], object]) -> list[tuple[str, str]]:
    """Which of these nodes could not read that part, and why."""
    parts = ((one.node, part(one)) for one in readouts)
    return [(node, value.why) for node, value in parts if isinstance(value, Unread)]


def mark_of(says: str) -> str:
    """Tells one sentence from another in a finding's name. Not its number: what was accepted of the first of them would
    hold for whatever is the first one tomorrow."""
    return hashlib.sha256(says.encode()).hexdigest()[:6]


def few(said: Sequence[str], limit: int, joint: str = "; ") -> str:
    """The first of them, and how many more there are."""
    more = f"{joint}and {len(said) - limit} more" if len(said) > limit else ""
    return joint.join(said[:limit]) + more
