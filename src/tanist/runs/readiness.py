"""What `tanist check` found last on this node, kept for the status screen, for reports, and to see what changed.

Nothing is decided by it: a takeover looks itself. A boot does not forget it; whoever shows it tells its age.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tanist.model.dataclasses import dataclass, replace
from tanist.model.errors import TanistError
from tanist.model.readiness import Assessment
from tanist.parity.encode import encode_assessment
from tanist.plan import places
from tanist.report.events import render_verdicts
from tanist.runs.hooks import told_verdicts
from tanist.runs.notify import has_hooks, start_courier
from tanist.runs.session import Session

if TYPE_CHECKING:
    from tanist.host.files import Files

FORMAT = 1
STATES = 12  # sets of findings that are kept
LIMIT = 4 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The same findings from `since` until `at` (seconds since the epoch), when they were looked at last. `found`: as
    `tanist check --json` has it."""

    since: float
    at: float
    found: tuple[dict[str, Any], ...]

    @property
    def marks(self) -> tuple[tuple[str, str], ...]:
        """What of it is not good: whatever else changes is no news."""
        return tuple(
            sorted(
                (f"{one['taker']}: {item['name']}", str(item["accepted"] and "accepted") or str(item["grade"]))
                for one in self.found
                for item in one["findings"]
                if item["grade"] != "good"
            )
        )


def save_readiness(session: Session, found: Iterable[Assessment]) -> None:
    """A disk that is full must not spoil a check: it is said instead."""
    now = round(session.host.now(), 3)
    new = Kept(since=now, at=now, found=tuple(encode_assessment(one) for one in found))
    kept = list(load_readiness(session))
    if kept and kept[-1].marks == new.marks:
        new = replace(new, since=kept.pop().since)
    bodies = [{"since": one.since, "at": one.at, "found": list(one.found)} for one in [*kept, new][-STATES:]]
    try:
        session.host.files.make_directory(f"{places.STATE}/{session.name}", 0o700)
        text = json.dumps({"format": FORMAT, "kept": bodies}).encode() + b"\n"
        session.host.files.write(places.readiness(session.name), text, 0o600)
    except (OSError, TanistError) as error:
        session.note(f"warning: what was found could not be kept: {error}")
    else:
        if has_hooks(session.host) and told_verdicts(session) != render_verdicts(new.found):
            start_courier(session, "readiness")


def load_readiness(session: Session) -> tuple[Kept, ...]:
    return read_kept(session.host.files, session.name)


def read_kept(files: Files, name: str) -> tuple[Kept, ...]:
    """The oldest first. Empty where nothing was checked yet, or by another tanist."""
    try:
        body = json.loads(files.read(places.readiness(name), LIMIT))
        if body["format"] != FORMAT:
            return ()
        return tuple(
            Kept(since=float(one["since"]), at=float(one["at"]), found=tuple(dict(item) for item in one["found"]))
            for one in body["kept"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()
