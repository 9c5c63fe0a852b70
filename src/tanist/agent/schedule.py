"""When one controller's files are captured and its readiness is checked. Pure: time comes in, in seconds."""

from __future__ import annotations

from typing import Literal

Job = Literal["capture", "check"]

QUIET = 0.5  # after a change: editors and package managers write several files
LONGEST = 5.0  # but no longer than this after the first one
GAP = 5.0  # between two captures, whatever happens
RETRY = 60.0  # after one that failed
CHECK = 180.0  # between two checks
SOON = 2.0  # after something that readiness depends on


class Schedule:
    def __init__(self, now: float) -> None:
        self._first: float | None = now  # a restart catches up: what changed meanwhile nobody saw
        self._last = now
        self._not_before = now
        self._check_at = now + SOON

    def changed(self, now: float) -> None:
        if self._first is None:
            self._first = now
        self._last = now

    def check_soon(self, now: float) -> None:
        self._check_at = min(self._check_at, now + SOON)

    def due(self, now: float) -> Job | None:
        if self._first is not None and now >= self._capture_at(self._first):
            return "capture"
        return "check" if now >= self._check_at else None

    def wait(self, now: float) -> float:
        """Seconds until something is due; 0 when it is."""
        times = [self._check_at] if self._first is None else [self._check_at, self._capture_at(self._first)]
        return max(min(times) - now, 0.0)

    def begin(self, job: Job, now: float) -> None:
        """What changes from now on is for the next one."""
        if job == "capture":
            self._first = None
        else:
            self._check_at = now + CHECK

    def ended(self, job: Job, ok: bool, now: float) -> None:
        if job == "capture":
            self._not_before = now + (GAP if ok else RETRY)
            if not ok and self._first is None:
                self._first = self._last = now
            if not ok:
                self.check_soon(now)

    def _capture_at(self, first: float) -> float:
        return max(min(self._last + QUIET, first + LONGEST), self._not_before)
