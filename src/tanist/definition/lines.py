"""On which line of a TOML text each key, table and list element stands. tomllib does not tell.

In: text that tomllib has accepted (so nothing is checked here again), or refused because something in it never ends.
Out: a `LineIndex`. Never raises: where the scan cannot follow, a place falls back to what holds it, at last to line 1.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Mapping

Where = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_TEXT = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{1,2}(?!"))?' + r"|'''.*?'''(?:'{1,2}(?!'))?" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^\n,\]}#]+")


class LineIndex:
    def __init__(self, lines: Mapping[Where, int], last: int) -> None:
        self.lines = lines
        self.last = last  # where the last line that is a key or a header begins, as far as the scan came

    def find(self, where: Where) -> int:
        """The line of this place, or of the nearest thing around it that has one."""
        for length in range(len(where), 0, -1):
            if where[:length] in self.lines:
                return self.lines[where[:length]]
        return 1


def index_lines(text: str) -> LineIndex:
    scan = _Scan(text)
    with contextlib.suppress(_Lost, RecursionError, ValueError):
        scan.document()
    return LineIndex(scan.lines, scan.last)


class _Lost(Exception):
    """The text is not what the scan expects: what was found so far is kept."""


class _Scan:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: dict[Where, int] = {}
        self._counts: dict[Where, int] = {}  # table lists: how many elements so far
        self._line, self._line_at, self.last = 1, 0, 1

    def document(self) -> None:
        table: Where = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            self.last = self._line_here()
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Where:
        line, double = self._line_here(), self._peek("[[")
        self.at += 2 if double else 1
        path = self._key()
        self._expect("]]" if double else "]")
        where = self._resolve((), path[:-1], line)
        where = (*where, path[-1])
        if not double:
            where = self._into(where)
            self._note(where, line)
            return where
        number = self._counts.get(where, 0)
        self._counts[where] = number + 1
        self._note(where, line)
        self._note((*where, number), line)
        return (*where, number)

    def _pair(self, table: Where) -> None:
        """`key = value`; every part of a dotted key gets the line."""
        line = self._line_here()
        path = self._key()
        self._expect("=")
        where = (*self._resolve(table, path[:-1], line), path[-1])
        self._note(where, line)
        self._value(where)

    def _value(self, where: Where) -> None:
        self._skip(_SPACE)
        if self._peek("["):
            self._array(where)
        elif self._peek("{"):
            self._inline_table(where)
        elif self._peek('"') or self._peek("'"):
            self._take(_TEXT)
        else:
            self._take(_BARE)

    def _array(self, where: Where) -> None:
        self.at += 1
        number = 0
        self._skip(_BLANK)
        while not self._peek("]"):
            self._note((*where, number), self._line_here())
            self._value((*where, number))
            number += 1
            self._skip_comma()
        self.at += 1

    def _inline_table(self, where: Where) -> None:
        self.at += 1
        self._skip(_BLANK)
        while not self._peek("}"):
            self._pair(where)
            self._skip_comma()
        self.at += 1

    def _key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self._skip(_SPACE)
            parts.append(_unquote(self._take(_KEY)))
            self._skip(_SPACE)
            if not self._peek("."):
                return tuple(parts)
            self.at += 1

    def _resolve(self, table: Where, path: tuple[str, ...], line: int) -> Where:
        where = table
        for part in path:
            where = self._into((*where, part))
            self._note(where, line)
        return where

    def _into(self, where: Where) -> Where:
        """A header that goes through a list of tables means its last element."""
        return (*where, self._counts[where] - 1) if where in self._counts else where

    def _note(self, where: Where, line: int) -> None:
        self.lines.setdefault(where, line)

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._line_at, self.at)
        self._line_at = self.at
        return self._line

    def _skip_comma(self) -> None:
        self._skip(_BLANK)
        if self._peek(","):
            self.at += 1
            self._skip(_BLANK)
        elif not (self._peek("]") or self._peek("}")):
            raise _Lost

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Lost
        self.at = found.end()
        return found[0]

    def _peek(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def _expect(self, text: str) -> None:
        self._skip(_SPACE)
        if not self._peek(text):
            raise _Lost
        self.at += len(text)


def _unquote(key: str) -> str:
    return key if key[0] not in "\"'" else str(tomllib.loads(f"k = {key}")["k"])
