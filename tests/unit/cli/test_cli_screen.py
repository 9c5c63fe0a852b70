"""tanist status --watch on a terminal of its own: drawn when something changed, keys, sizes, and the way it is left."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tanist.cli.screen import build_body, clip, describe
from tanist.runs.board import Row

PROGRAM = """
import json, sys
from tanist.cli import screen
from tanist.runs.board import Row
screen.TICK = 0.05
def look():
    return [Row(**{**one, "notes": tuple(one["notes"])}) for one in json.load(open(sys.argv[1]))]
sys.exit(screen.watch(look, "tanist on ec-b"))
"""
PATIENCE = 30.0


def row(name: str = "oc", **changes: Any) -> Row:
    fields: dict[str, Any] = {
        "controller": name,
        "state": "standby",
        "claim": "held by ec-a, epoch 3",
        "readiness": "READY",
        "capture": "3 min",
        "run": "",
        "notes": (),
    }
    return Row(**{**fields, **changes})


class Terminal:
    """A window of 24 lines and what was written into it."""

    def __init__(self, place: Path, term: str = "linux") -> None:
        self.place = place
        self.show(row())
        self.own, there = pty.openpty()
        self.resize(24, 100)
        self.modes = termios.tcgetattr(there)
        env = {**os.environ, "TERM": term, "PYTHONPATH": os.pathsep.join(sys.path)}
        argv = [sys.executable, "-c", PROGRAM, str(place)]
        self.process = subprocess.Popen(
            argv, stdin=there, stdout=there, stderr=there, env=env, preexec_fn=lambda: take(there)
        )
        self.there = there

    def show(self, *rows: Row) -> None:
        part = self.place.with_suffix(".part")
        part.write_text(json.dumps([{name: getattr(one, name) for name in Row.__slots__} for one in rows]))
        part.replace(self.place)

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds: float) -> str:
        found, ends = b"", time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if select.select([self.own], [], [], left)[0]:
                found += os.read(self.own, 65536)
        return found.decode()

    def until(self, text: str) -> str:
        found, ends = "", time.monotonic() + PATIENCE
        while text not in found:
            assert time.monotonic() < ends, found
            found += self.read(0.1)
        return found

    def end(self) -> int:
        return self.process.wait(PATIENCE)


def take(descriptor: int) -> None:
    os.setsid()
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path / "rows.json")
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    os.close(made.own)
    os.close(made.there)


def test_it_is_drawn_once_and_again_only_where_something_changed(terminal: Terminal) -> None:
    terminal.until("q ends")
    assert terminal.read(0.6) == "", "a dozen looks at nothing new"
    terminal.show(row(state="active"))
    changed = terminal.until("active")
    assert "CONTROLLER" not in changed and "q ends" not in changed
    assert terminal.read(0.3) == ""


@pytest.mark.parametrize("how", ["q", "ctrl-c", "term", "hangup"])
def test_the_terminal_is_left_as_it_was(terminal: Terminal, how: str) -> None:
    terminal.until("q ends")
    assert termios.tcgetattr(terminal.there) != terminal.modes
    match how:
        case "q":
            os.write(terminal.own, b"q")
        case "ctrl-c":
            os.write(terminal.own, b"\x03")
        case "term":
            terminal.process.terminate()
        case _:
            terminal.process.send_signal(signal.SIGHUP)
    assert terminal.end() == 0
    assert termios.tcgetattr(terminal.there) == terminal.modes
    assert terminal.read(0.2).endswith("\033[?25h\033[?1049l")


def test_a_window_of_another_size_is_drawn_anew(terminal: Terminal) -> None:
    terminal.until("q ends")
    terminal.resize(10, 40)
    terminal.process.send_signal(signal.SIGWINCH)
    drawn = terminal.until("q ends")
    assert "\033[2J" in drawn and "\033[4;1H" in drawn


def test_more_than_fits_is_scrolled(terminal: Terminal) -> None:
    terminal.show(*(row(f"c{number:03d}") for number in range(100)))
    terminal.until("1-21 of 101 lines")
    os.write(terminal.own, b"j")
    assert "c021" in terminal.until("2-22 of 101")
    os.write(terminal.own, b"\033[6~")
    terminal.until("12-32 of 101")
    terminal.show(row())
    assert "of 101" not in terminal.until("q ends")


def test_without_a_terminal_a_line_is_printed_for_each_change(tmp_path: Path) -> None:
    place = tmp_path / "rows.json"
    shown = Terminal.show
    stand = Terminal.__new__(Terminal)
    stand.place = place
    shown(stand, row("one"), row("two"))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", PROGRAM, str(place)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdout is not None
        assert "one: standby; READY" in process.stdout.readline()
        assert "two: standby" in process.stdout.readline()
        shown(stand, row("one", capture="4 min"), row("two", state="active"))
        assert "two: active" in process.stdout.readline(), "an age alone is no news"
        process.terminate()
        process.communicate(timeout=PATIENCE)


# -- the rows
def test_lines_fit_the_window_whatever_is_in_them() -> None:
    rows = [row("a" * 90, claim="x" * 200, notes=("\033[31m" + "n" * 300,), run="r" * 99), row()]
    for width in (1, 10, 40, 80, 132):
        lines = build_body(rows, width, lambda text, _: text)
        assert all(len(line) <= width for line in lines) and "\033" not in "".join(lines)
    assert clip("abcdef", 4) == "abc~" and clip("abc", 3) == "abc"
    assert "\033" not in describe(rows[0])


def test_the_gravest_come_first() -> None:
    rows = [
        row("a"),
        row("b", readiness="NOT READY"),
        row("c", state="needs-a-person"),
        row("d", readiness="READY WITH LOSS"),
    ]
    assert [one.controller for one in sorted(rows, key=lambda one: one.rank)] == ["c", "b", "d", "a"]
