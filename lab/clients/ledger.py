"""The ledger: a file of JSON lines with each write that a server acknowledged, and what it says afterwards.

Lines: {"k": "ack", "n", "sent", "acked", "wall"}, {"k": "unknown", "n", "sent", "at", "error"},
{"k": "outage", "last", "first", "seconds", "failures", "wall"} and events such as {"k": "session-lost", "at"}.
sent, acked, at, last and first are CLOCK_MONOTONIC seconds, wall is seconds since 1970 at the line's writing.
An outage lasts from the last answer before it to the first one after it; first is null when there was none.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

STALL_SECONDS = 1.0  # no answer for so long is an outage, although nothing failed


class LedgerTorn(Exception):
    """A line before the last one cannot be read: the ledger proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    last: float
    first: float | None
    seconds: float | None
    failures: int
    wall: float


@dataclass(slots=True, kw_only=True)
class Book:
    """What a ledger says."""

    acked: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)  # ... and still: never acknowledged later
    outages: list[Outage] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)

    @property
    def last(self) -> int:
        return max(self.acked | self.unknown, default=0)


def load_book(path: Path) -> Book:
    """A torn last line (the client was killed) is no entry; a torn one before it is LedgerTorn."""
    book = Book()
    for line in path.read_text().split("\n")[:-1]:
        try:
            entry = json.loads(line)
            kind = entry.pop("k")
        except (ValueError, KeyError) as error:
            raise LedgerTorn(f"{path}: {line!r}") from error
        match kind:
            case "ack":
                book.acked.add(entry["n"])
            case "unknown":
                book.unknown.add(entry["n"])
            case "outage":
                book.outages.append(Outage(**entry))
            case event:
                book.events[event] += 1
    book.unknown -= book.acked
    return book


class Ledger:
    """Appends to the file, from any thread; a ledger that exists is continued with the next number."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        text = path.read_bytes()
        os.ftruncate(self._fd, text.rfind(b"\n") + 1)
        os.lseek(self._fd, 0, os.SEEK_END)
        self._number = load_book(path).last
        self._last_answer: float | None = None
        self._failures = 0
        self.acked = self.unknown = self.outages = 0
        self.down = 0.0

    def next_number(self) -> int:
        with self._lock:
            self._number += 1
            return self._number

    def acknowledged(self, number: int, sent: float) -> None:
        with self._lock:
            now = self.clock()
            self._write(k="ack", n=number, sent=sent, acked=now, wall=time.time())
            self.acked += 1
            if self._last_answer is not None and (self._failures or now - self._last_answer > STALL_SECONDS):
                self._write_outage(self._last_answer, now)
            self._last_answer, self._failures = now, 0

    def not_known(self, number: int, sent: float, error: Exception) -> None:
        with self._lock:
            self._failures += 1
            self.unknown += 1
            self._write(k="unknown", n=number, sent=sent, at=self.clock(), error=_text(error))

    def not_connected(self) -> None:
        """Nothing was sent. Counted, not written: there are dozens a second."""
        with self._lock:
            self._failures += 1

    def event(self, kind: str) -> None:
        with self._lock:
            self._write(k=kind, at=self.clock())

    def close(self) -> None:
        with self._lock:
            if self._last_answer is not None and self._failures:
                self._write_outage(self._last_answer, None)
            os.close(self._fd)

    def _write_outage(self, last: float, first: float | None) -> None:
        seconds = None if first is None else round(first - last, 6)
        outage = Outage(last=last, first=first, seconds=seconds, failures=self._failures, wall=time.time())
        self._write(k="outage", **asdict(outage))
        self.outages += 1
        self.down += seconds or 0.0

    def _write(self, **entry: object) -> None:
        os.write(self._fd, json.dumps(entry).encode() + b"\n")


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    acked: int
    rows: int
    missing: list[int]
    twice: list[int]
    unknown: int  # attempts that nobody ever answered
    unknown_kept: int  # ... of which the server has so many all the same: allowed
    events: dict[str, int]
    outages: list[Outage]

    @property
    def lost(self) -> bool:
        return bool(self.missing or self.twice)


def compare(book: Book, rows: Iterable[int]) -> Report:
    """What the server has against what it acknowledged."""
    kept = Counter(rows)
    return Report(
        acked=len(book.acked),
        rows=kept.total(),
        missing=sorted(book.acked - kept.keys()),
        twice=sorted(number for number, times in kept.items() if times > 1),
        unknown=len(book.unknown),
        unknown_kept=len(book.unknown & kept.keys()),
        events=dict(book.events),
        outages=book.outages,
    )
