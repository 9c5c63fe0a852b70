"""Events as lines on a terminal: time, what, seconds. Colours only on a terminal."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tanist.model.event import Event


MARKS = {"done": "ok", "failed": "FAILED", "undone": "undone", "kept": "stands"}
COLOURS = {"done": "32", "failed": "1;31", "undone": "33", "kept": "36"}


class Timeline:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colours = out.isatty()

    def report(self, event: Event) -> None:
        match event.kind:
            case "begun":
                return
            case "part":
                self._say(f"\n{event.says}")
            case "note":
                self._say(event.says)
            case _:
                self._say(f"  {self._clock()}  {self._mark(event.kind)} {event.says}{self._seconds(event)}")

    def _mark(self, kind: str) -> str:
        mark = f"{MARKS[kind]:<7}"
        return f"\033[{COLOURS[kind]}m{mark}\033[0m" if self._colours else mark

    def _seconds(self, event: Event) -> str:
        return f"  {event.seconds:.3f} s" if event.kind in ("done", "undone") else ""

    def _clock(self) -> str:
        now = time.time()
        return time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03d}"

    def _say(self, text: str) -> None:
        """A line that dropped must not cut off the run that it was told about."""
        with contextlib.suppress(OSError):
            print(text, file=self._out, flush=True)
