"""tanist status --watch: one screen, drawn again when something changed; without a terminal, a line for each change.

Plain control sequences (ECMA-48) that every terminal has, the console of Linux and ssh included. Keys: q or Ctrl-C ends
it, arrows and page keys scroll. The terminal is as it was before at the end, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TextIO

from tanist.runs.board import Row

TICK = 1.0  # seconds at least between two looks
REST = 200.0  # and so many times as long as a look takes
COLOURS = {"active": "32", "standby": "36", "needs-a-person": "1;31", "READY": "32", "READY WITH LOSS": "33"}
BAD, DIM, BOLD = "1;31", "2", "1"
ENTER, LEAVE = "\033[?1049h\033[?25l\033[H\033[2J", "\033[0m\033[?25h\033[?1049l"
HEADS = ("CONTROLLER", "STATE", "READINESS", "CLAIM", "CAPTURE")
LONGEST = ("", "needs-a-person", "READY WITH LOSS", "", "119 min")  # so that a change moves no column
SCROLL = {"\033[A": -1, "k": -1, "\033[B": 1, "j": 1, "\033[5~": -10, "\033[6~": 10, " ": 10}
Look = Callable[[], list[Row]]


def watch(look: Look, title: str, out: TextIO = sys.stdout) -> int:
    """Until q, Ctrl-C or a hang-up."""
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        if out.isatty():
            Screen(look, title, out).run()
        else:
            print_changes(look, out)
    return 0


# -- without a terminal
def print_changes(look: Look, out: TextIO) -> None:
    """Everything once, then each controller that changed."""
    known: dict[str, str] = {}
    while True:
        begun = time.monotonic()
        for row in look():
            text = describe(row)
            if known.get(row.controller) != text:
                known[row.controller] = text
                print(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + text, file=out, flush=True)
        time.sleep(rest(time.monotonic() - begun))


def describe(row: Row) -> str:
    """Without ages, which always change."""
    parts = [f"{row.controller}: {row.state}", row.readiness.partition(" (")[0], row.claim, row.run, *row.notes]
    return "; ".join(tame(part) for part in parts if part)


def rest(took: float) -> float:
    """Seconds until the next look: never more than half a percent of a core."""
    return max(TICK, REST * took)


# -- with one
class Screen:
    def __init__(self, look: Look, title: str, out: TextIO) -> None:
        self._look, self._title, self._out = look, title, out
        self._rows: list[Row] = []
        self._drawn: list[str] = []
        self._size = (0, 0)
        self._top = 0
        self._colours = os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")

    def run(self) -> None:
        with prepared(self._out) as wake:
            due = 0.0
            while True:
                now = time.monotonic()
                if now >= due:
                    self._rows = self._look()
                    due = time.monotonic() + rest(time.monotonic() - now)
                self.draw()
                keys = wait(wake, max(due - time.monotonic(), 0.0))
                if "q" in keys or "Q" in keys or "\x03" in keys:
                    return
                self._top = max(self._top + sum(move for key, move in SCROLL.items() if key in keys), 0)

    def draw(self) -> None:
        """What is new on the screen, line by line; nothing where nothing changed."""
        size = read_size(self._out)
        lines = self.build(*size)
        if size != self._size:
            self._size, self._drawn = size, []
            self._out.write("\033[H\033[2J")
        for number, line in enumerate(lines):
            if number >= len(self._drawn) or self._drawn[number] != line:
                self._out.write(f"\033[{number + 1};1H{line}\033[0m\033[K")
        if len(lines) < len(self._drawn):
            self._out.write(f"\033[{len(lines) + 1};1H\033[J")
        if lines != self._drawn:
            self._out.flush()
        self._drawn = lines

    def build(self, width: int, height: int) -> list[str]:
        body = build_body(self._rows, width, self._paint)
        room = max(height - 3, 1)
        self._top = min(self._top, max(len(body) - room, 0))
        more = f"{self._top + 1}-{min(self._top + room, len(body))} of {len(body)} lines, " if len(body) > room else ""
        title = self._paint(clip(self._title, width), BOLD)
        foot = self._paint(clip(f"{more}q ends", width), DIM)
        return [title, *body[:1], *body[1 + self._top : 1 + self._top + room], foot][:height]

    def _paint(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colours and code else text


def read_size(out: TextIO) -> tuple[int, int]:
    """(columns, lines), of the terminal itself: LINES and COLUMNS in the environment are those of long ago. A serial
    line knows none."""
    try:
        columns, lines = os.get_terminal_size(out.fileno())
    except OSError:
        return 80, 24
    return columns or 80, lines or 24


def build_body(rows: Sequence[Row], width: int, paint: Callable[[str, str], str]) -> list[str]:
    """The heads, then for each controller a line and its notes."""
    cells = [tuple(map(tame, (one.controller, one.state, one.readiness, one.claim, one.capture))) for one in rows]
    widths = [max(len(cell[n]) for cell in [HEADS, LONGEST, *cells]) + 2 for n in range(len(HEADS))]
    spare = width - sum(widths)
    if spare < 0:
        widths[3] = max(widths[3] + spare, 8)  # the claim is the one that may be cut
    lines = [paint(clip("".join(head.ljust(size) for head, size in zip(HEADS, widths, strict=True)), width), DIM)]
    for row, cell in zip(rows, cells, strict=True):
        colours = ("", COLOURS.get(row.state, BAD), COLOURS.get(row.readiness, BAD if row.readiness else ""), "", "")
        line, left = "", width
        for text, size, colour in zip(cell, widths, colours, strict=True):
            shown = clip(text, size - 1).ljust(size)[: max(left, 0)]
            left -= size
            line += paint(shown, colour) if shown.strip() else shown
        lines.append(line.rstrip() if left > 0 else line)
        lines += [paint(clip(f"    run: {tame(row.run)}", width), "33")] if row.run else []
        lines += [paint(clip(f"    {tame(note)}", width), BAD) for note in row.notes]
    return lines if rows else [*lines, "no controllers are defined in /etc/tanist/controllers"]


def clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "~"[: max(width, 0)]


def tame(text: str) -> str:
    """Without what would steer the terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)


# -- the terminal
@contextlib.contextmanager
def prepared(out: TextIO) -> Iterator[int]:
    """Keys one by one, signals that wake the loop; all as it was at the end. Yields what becomes readable then."""
    wake, poke = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    kept = {one: signal.signal(one, _quit) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    kept[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, _nothing)
    before = signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
    modes = termios.tcgetattr(0) if os.isatty(0) else None
    try:
        if modes is not None:
            tty.setcbreak(0)
        out.write(ENTER)
        yield wake
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in kept.items():
            signal.signal(number, handler)
        if modes is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, modes)
        with contextlib.suppress(OSError, ValueError):
            out.write(LEAVE)
            out.flush()
        os.close(wake)
        os.close(poke)


def _quit(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _nothing(_: int, __: FrameType | None) -> None:
    """The wake-up is enough."""


def wait(wake: int, seconds: float) -> str:
    """The keys that were typed until then; "" when it was time, or the window's size changed."""
    listening = [wake, 0] if os.isatty(0) else [wake]
    readable, _, _ = select.select(listening, [], [], seconds)
    if wake in readable:
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
    if 0 not in readable:
        return ""
    typed = os.read(0, 4096)
    return typed.decode("utf-8", "replace") if typed else "q"  # the terminal is gone
