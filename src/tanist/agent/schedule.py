"""When one controller's files are captured and its readiness is checked. Pure: time comes in, in seconds."""

from __future__ import annotations

from typing import Literal

Job = Literal["capture", "check", "proofs", "storage"]

QUIET = 0.5  # after a change: editors and package managers write several files
LONGEST = 5.0  # but no longer than this after the first one
GAP = 5.0  # between two captures, whatever happens
RETRY = 60.0  # after one that failed
CHECK = 180.0  # between two checks
SOON = 2.0  # after something that readiness depends on
SPREAD = 1.0  # between the first checks of two controllers, all of which come before what could prove an owner down
EACH = 6.0  # and for each controller of the node: with more than thirty of them the checks get rarer
PROOFS = 6 * 3600.0  # between two looks at what could prove an owner down: a power switch is asked for its state
FIRST_PROOFS = 60.0  # after the start
STORAGE = 6 * 3600.0  # between two close looks at the storage
FIRST_STORAGE = 900.0  # after the start: a boot has better things to do


class Schedule:
    def __init__(self, now: float, place: int = 0) -> None:
        """`place`: how many controllers of this node come before: their first checks are spread."""
        self._first: float | None = None
        self._last = now
        self._not_before = now
        self._check_at = now + SOON + SPREAD * place
        self._proofs_at = now + FIRST_PROOFS + EACH * place
        self._storage_at = now + FIRST_STORAGE + EACH * place
        self.every = CHECK

    def changed(self, now: float) -> None:
        if self._first is None:
            self._first = now
        self._last = now

    def share(self, controllers: int) -> None:
        """So many are looked after by one agent, one job at a time."""
        self.every = max(CHECK, EACH * controllers)

    def check_soon(self, now: float) -> None:
        self._check_at = min(self._check_at, now + SOON)

    def due(self, now: float, *, captures: bool = True, looks: bool = True) -> Job | None:
        """`captures`, `looks`: whether such a job could be done now."""
        if captures and self._first is not None and now >= self._capture_at(self._first):
            return "capture"
        if looks and now >= self._check_at:
            return "check"
        if looks and now >= self._proofs_at:
            return "proofs"
        return "storage" if looks and now >= self._storage_at else None

    def wait(self, now: float) -> float:
        """Seconds until something is due; 0 when it is."""
        times = [self._check_at, self._proofs_at, self._storage_at]
        times += [] if self._first is None else [self._capture_at(self._first)]
        return max(min(times) - now, 0.0)

    def begin(self, job: Job, now: float) -> None:
        """What changes from now on is for the next one."""
        match job:
            case "capture":
                self._first = None
            case "check":
                self._check_at = now + self.every
            case "proofs":
                self._proofs_at = now + PROOFS
            case "storage":
                self._storage_at = now + STORAGE

    def ended(self, job: Job, ok: bool, now: float) -> None:
        if job == "capture":
            self._not_before = now + (GAP if ok else RETRY)
            if not ok and self._first is None:
                self._first = self._last = now
            if not ok:
                self.check_soon(now)
        elif job in ("proofs", "storage"):
            self.check_soon(now)

    def _capture_at(self, first: float) -> float:
        return max(min(self._last + QUIET, first + LONGEST), self._not_before)
