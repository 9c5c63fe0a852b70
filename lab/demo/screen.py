"""What a person sees: chapters, what is being done and how long it took, facts, evidence, a table. Plain in a pipe."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

INDENT = " " * 10
COLOURS = {"bold": "1", "green": "32", "red": "1;31", "dim": "2", "cyan": "36"}
LONG = 0.020  # seconds: steps below are added up in one line
BAR = 10


class Screen:
    def __init__(self, out: TextIO = sys.stdout, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock, self._begun = out, clock, clock()
        self._colours = out.isatty()
        self._width = min(110, max(80, shutil.get_terminal_size((104, 0)).columns))
        self._unicode = "utf" in (getattr(out, "encoding", "") or "").lower()
        self._open = ""  # what is being done: its line has no end yet

    @property
    def elapsed(self) -> float:
        return self._clock() - self._begun

    @property
    def doing_now(self) -> str:
        return self._open

    def title(self, text: str) -> None:
        self._line(self._paint("bold", text))

    def chapter(self, number: int, text: str) -> None:
        self._line("")
        self._line(self._paint("bold", f"{number}  {text}"))

    @contextmanager
    def doing(self, text: str) -> Iterator[None]:
        """The line appears now; how long it took is added when it ends. Nothing else may be shown meanwhile."""
        begun, self._open = self._clock(), text
        head = f"{self.elapsed:6.1f} s  "
        self._write(self._paint("dim", head) + text + " ")
        room = self._width - len(head) - len(text) - 11
        try:
            yield
        except BaseException:
            self._write(self._paint("red", "stopped\n"))
            raise
        dots = self._paint("dim", "." * max(2, room))
        self._write(f"{dots} {render_seconds(self._clock() - begun):>8}\n")
        self._open = ""

    def fact(self, text: str) -> None:
        for line in textwrap.wrap(text, self._width - len(INDENT), subsequent_indent="  "):
            self._line(INDENT + line)

    def check(self, good: bool, text: str) -> None:
        mark = self._paint("green", "ok  ") if good else self._paint("red", "NOT ")
        first, *more = textwrap.wrap(text, self._width - len(INDENT) - 4) or [""]
        self._line(f"{INDENT}{mark}{first}")
        for line in more:
            self._line(f"{INDENT}    {line}")

    def evidence(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._line(f"{INDENT}    | {line}")

    def quote(self, lines: Iterable[str]) -> None:
        """What a command said."""
        for line in lines:
            self._line(self._paint("dim", f"{INDENT}| {shorten(line, self._width - len(INDENT) - 2)}"))

    def steps(self, steps: Sequence[tuple[str, float]]) -> None:
        longest = max((seconds for _, seconds in steps), default=1.0)
        for text, seconds in fold_steps(steps):
            bar = round(BAR * seconds / longest) * ("█" if self._unicode else "#")
            text = shorten(text, self._width - len(INDENT) - BAR - 12)
            self._line(f"{INDENT}{seconds:7.3f} s  {self._paint('cyan', f'{bar:<{BAR}}')} {text}")

    def table(self, head: tuple[str, str], rows: Iterable[tuple[str, Sequence[str], bool]]) -> None:
        left = 40
        right = self._width - left - 8
        self._line(self._paint("bold", f"  {head[0]:<{left}}{head[1]}"))
        rule = "─" if self._unicode else "-"
        self._line(self._paint("dim", f"  {rule * (self._width - 2)}"))
        for promised, seen, good in rows:
            promises = textwrap.wrap(promised, left - 2)
            sights = [line for one in seen for line in textwrap.wrap(one, right - 1, subsequent_indent="  ")]
            mark = self._paint("green", "OK") if good else self._paint("red", "NOT")
            for i in range(max(len(promises), len(sights))):
                one = promises[i] if i < len(promises) else ""
                two = sights[i] if i < len(sights) else ""
                self._line(f"  {one:<{left}}{two:<{right}}{' ' + mark if i == 0 else ''}".rstrip())

    def line(self, text: str = "", colour: str = "") -> None:
        self._line(self._paint(colour, text) if colour else text)

    def _line(self, text: str) -> None:
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        self._out.write(text if self._unicode else text.encode("ascii", "replace").decode())
        self._out.flush()

    def _paint(self, colour: str, text: str) -> str:
        return f"\033[{COLOURS[colour]}m{text}\033[0m" if self._colours else text


def render_seconds(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"


def shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3].rstrip()}..."


def fold_steps(steps: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """The long steps in their order, and the short ones as one line at the end."""
    shown = [(text, seconds) for text, seconds in steps if seconds >= LONG]
    short = [seconds for _, seconds in steps if seconds < LONG]
    if short:
        shown.append((f"{len(short)} more step{'s' * (len(short) > 1)}, each under {LONG * 1000:.0f} ms", sum(short)))
    return shown
