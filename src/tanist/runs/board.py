"""What the status screen tells of each controller of this node: pure rows, read anew only where something changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.definition.summary import file_key
from tanist.model.dataclasses import dataclass
from tanist.model.errors import TanistError
from tanist.plan import places
from tanist.runs.readiness import Kept, read_kept
from tanist.runs.status import NEEDS_A_PERSON, Status, read_status

if TYPE_CHECKING:
    from tanist.host.host import Host

GRAVE = {"NOT READY": 2, "READY WITH LOSS": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One controller. `readiness`: the worst verdict of what was checked here last, "" when nothing was."""

    controller: str
    state: str
    claim: str
    readiness: str
    capture: str  # how old
    run: str  # what is under way, and its step
    notes: tuple[str, ...]  # what to look at, and what to type

    @property
    def rank(self) -> tuple[int, str]:
        """The gravest first."""
        grave = 3 if self.state == NEEDS_A_PERSON else GRAVE.get(self.readiness, 0)
        return (-grave, self.controller)


class Board:
    """Reads what is on this node's disk and in /run; asks no other node."""

    def __init__(self, host: Host, node: str) -> None:
        self._host, self._node = host, node
        self._kept: dict[str, tuple[object, Kept | None]] = {}

    def rows(self, names: list[str]) -> list[Row]:
        return sorted((self._row(name) for name in names), key=lambda row: row.rank)

    def _row(self, name: str) -> Row:
        try:
            status = read_status(self._host, name, self._node)
            kept = self._readiness(name)
        except (OSError, TanistError) as error:
            says = error.message if isinstance(error, TanistError) else str(error)
            return Row(controller=name, state=NEEDS_A_PERSON, claim="", readiness="", capture="", run="", notes=(says,))
        return build_row(status, kept, self._host.now(), self._step(status))

    def _readiness(self, name: str) -> Kept | None:
        """Parsed once for each time that it was written."""
        mark = file_key(self._host.files, places.readiness(name))
        known = self._kept.get(name)
        if known is None or known[0] != mark:
            states = read_kept(self._host.files, name)
            known = self._kept[name] = (mark, states[-1] if states else None)
        return known[1]

    def _step(self, status: Status) -> str:
        """Where the run under way is."""
        if not status.open_run:
            return ""
        from tanist.journal.records import parse_journal
        from tanist.journal.state import read_run

        path = f"{places.STATE}/{status.controller}/runs/{status.open_run}.jsonl"
        try:
            records, _ = parse_journal(self._host.files.read(path, 64 << 20), path)
            state = read_run(records)
        except (OSError, ValueError, TanistError):
            return ""  # filed away meanwhile
        return next((step.says for step in reversed(state.steps) if state.status[step.id] in ("begun", "undoing")), "")


def build_row(status: Status, kept: Kept | None, now: float, step: str) -> Row:
    notes = [status.why] if status.why else []
    verdicts = [str(one["verdict"]) for one in kept.found] if kept else []
    if kept:
        notes += [
            f"{item['name']}: {item['says']}"
            for one in kept.found
            for item in one["findings"]
            if item["grade"] in ("blocks", "loss") and not item["accepted"]
        ]
    verdict = max(verdicts, key=lambda one: GRAVE.get(one, 0), default="")
    old = kept is not None and now - kept.at > 1800
    return Row(
        controller=status.controller,
        state=status.state,
        claim=status.claim.partition(", since")[0],
        readiness=f"{verdict} ({describe_age(now - kept.at)} ago)" if verdict and old and kept else verdict,
        capture=describe_age(status.capture_age) if status.capture_age >= 0 else "none",
        run=f"{status.open_run}: {step}" if step else status.open_run,
        notes=tuple(notes),
    )


def describe_age(seconds: float) -> str:
    """Coarse: it must not change with every look."""
    if seconds < 60:
        return "< 1 min"
    if seconds < 7200:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // 3600:.0f} h" if seconds < 172800 else f"{seconds // 86400:.0f} days"
