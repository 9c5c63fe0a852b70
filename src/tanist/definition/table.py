"""Reading a parsed TOML table key by key, strictly, with every mistake noted and none of them fatal.

A getter that finds nothing usable notes why and gives a placeholder ("" or () or 0); whoever builds from it goes on,
so that one run finds all mistakes. Values with placeholders in them never leave `load`: any noted mistake ends there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from tanist.definition.values import Check, check_any

Where = tuple[str | int, ...]  # ("identity", "address", 0, "interface")
L = TypeVar("L", bound=str)


class Problems:
    """What is wrong, and where. Lines are looked up only when there is something to show."""

    def __init__(self) -> None:
        self.found: list[tuple[Where, str]] = []

    def add(self, where: Where, what: str) -> None:
        self.found.append((where, what))

    def render(self, text: str, file: str) -> list[str]:
        from tanist.definition.lines import index_lines  # not needed for a definition without mistakes

        index = index_lines(text)
        placed = sorted(((index.find(where), where, what) for where, what in self.found), key=lambda item: item[0])
        return [f"{file}:{line}: {render_key(where)}: {what}" for line, where, what in placed]


def render_key(where: Where) -> str:
    return ".".join(part for part in where if isinstance(part, str)) or "the file"


class Table:
    """One table. Each key that is asked for is a known one; `finish` notes the keys that nobody asked for."""

    def __init__(self, values: Mapping[str, object], where: Where, problems: Problems) -> None:
        self._values, self._where, self._problems = values, where, problems
        self._asked: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def complain(self, key: str, what: str) -> None:
        self._problems.add((*self._where, key), what)

    def text(self, key: str, check: Check = check_any, *, default: str | None = None) -> str:
        """Without a default the key is required."""
        if not self._has(key, required=default is None):
            return default or ""
        return self._checked((*self._where, key), self._values[key], check)

    def one_of(self, key: str, allowed: Sequence[L]) -> L | None:
        """None when it is missing or none of them."""
        if not self._has(key, required=True):
            return None
        value = self._values[key]
        for known in allowed:
            if value == known:
                return known
        given = f'"{value}"' if isinstance(value, str) else _kind_of(value)
        self.complain(key, f"{given} is none of the kinds; allowed: {_listed(allowed)}{suggest(value, allowed)}")
        return None

    def texts(self, key: str, check: Check = check_any, *, required: bool = False) -> tuple[str, ...]:
        """A list without repetitions; a required one has at least one element. Positions stay as they are."""
        if not self._has(key, required):
            return ()
        value = self._values[key]
        if not isinstance(value, list):
            self.complain(key, f"expected a list of texts, found {_kind_of(value)}; allowed: [{_example(value)}]")
            return ()
        if required and not value:
            self.complain(key, "the list is empty; allowed: at least one")
        found = tuple(self._checked((*self._where, key, i), item, check) for i, item in enumerate(value))
        for i, item in enumerate(found):
            if item and item in found[:i]:
                self._problems.add((*self._where, key, i), f'"{item}" is listed twice; allowed: once')
        return found

    def command(self, key: str, check: Check) -> tuple[str, ...]:
        """A program and its arguments, which may repeat and may be empty."""
        if not self._has(key, required=True):
            return ()
        value = self._values[key]
        if not isinstance(value, list) or not value:
            found = "an empty list" if value == [] else _kind_of(value)
            self.complain(key, f'expected a program and its arguments, found {found}; allowed: ["/usr/bin/true", "-x"]')
            return ()
        first = self._checked((*self._where, key, 0), value[0], check)
        rest = (
            self._checked((*self._where, key, i), item, check_any, empty=True) for i, item in enumerate(value[1:], 1)
        )
        return (first, *rest)

    def whole(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        if not self._has(key, required=default is None):
            return default or 0
        value = self._values[key]
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.complain(key, f"{_shown(value)} will not do; allowed: a whole number from {low} to {high}")
        return 0

    def seconds(self, key: str, default: float) -> float:
        if not self._has(key, required=False):
            return default
        value = self._values[key]
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 86400:
            return float(value)
        self.complain(key, f"{_shown(value)} will not do; allowed: a number of seconds above 0, at most 86400 (a day)")
        return 0.0

    def flag(self, key: str, *, default: bool) -> bool:
        if not self._has(key, required=False):
            return default
        value = self._values[key]
        if isinstance(value, bool):
            return value
        self.complain(key, f"{_shown(value)} will not do; allowed: true or false")
        return default

    def table(self, key: str, *, required: bool = False) -> Table | None:
        if not self._has(key, required):
            return None
        value = self._values[key]
        if isinstance(value, dict):
            return Table(value, (*self._where, key), self._problems)
        self.complain(key, f"expected a table, found {_kind_of(value)}; allowed: [{render_key((*self._where, key))}]")
        return None

    def tables(self, key: str) -> tuple[Table, ...]:
        if not self._has(key, required=False):
            return ()
        value = self._values[key]
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return tuple(Table(item, (*self._where, key, i), self._problems) for i, item in enumerate(value))
        name = render_key((*self._where, key))
        self.complain(key, f"expected tables that each begin with [[{name}]], found {_kind_of(value)}")
        return ()

    def options(self, key: str, check_key: Check) -> tuple[tuple[str, str], ...]:
        """A table of whatever keys pass the check: texts, whole numbers, true and false (1 and 0 as texts)."""
        inner = self.table(key)
        if inner is None:
            return ()
        found = []
        for name, value in inner._values.items():
            if wrong := check_key(name):
                inner.complain(name, wrong)
            elif isinstance(value, int):
                found.append((name, str(int(value))))
            else:
                found.append((name, self._checked((*self._where, key, name), value, check_any, empty=True)))
        return tuple(found)

    def text_or_texts_by(self, key: str, names: Sequence[str], check: Check) -> tuple[tuple[str, str], ...]:
        """One text for all names, or a table with a text for each of them."""
        value = self._values.get(key)
        if not isinstance(value, dict):
            text = self.text(key, check)
            return tuple((name, text) for name in names) if text else ()
        self._asked.append(key)
        inner = Table(value, (*self._where, key), self._problems)
        found = tuple((name, inner.text(name, check)) for name in names)
        if names:  # else the nodes are what is wrong, and said to be
            inner.finish()
        return found

    def refuse_foreign(self, kind: str, owners: Mapping[str, str]) -> None:
        """`owners`: key -> the kind that it belongs to, or several, "dpkg|rpm". Notes each key of another kind."""
        for key, owner in owners.items():
            if key in self._values and key not in self._asked:
                self._asked.append(key)
                kinds = " or ".join(f'"{one}"' for one in owner.split("|"))
                self.complain(key, f'has no meaning with kind = "{kind}"; allowed: only with kind = {kinds}')

    def finish(self) -> None:
        for key in self._values:
            if key not in self._asked:
                allowed = ", ".join(sorted(self._asked))
                self.complain(key, f"unknown key{suggest(key, self._asked)}; allowed: {allowed}")

    def _has(self, key: str, required: bool) -> bool:
        self._asked.append(key)
        if required and key not in self._values:
            self.complain(key, f"is missing; it is required in {self._title}")
        return key in self._values

    @property
    def _title(self) -> str:
        name = render_key(self._where)
        if not self._where:
            return "every definition"
        return f"every [[{name}]]" if isinstance(self._where[-1], int) else f"[{name}]"

    def _checked(self, where: Where, value: object, check: Check, *, empty: bool = False) -> str:
        if not isinstance(value, str):
            wrong = f"expected a text, found {_kind_of(value)}; allowed: {_example(value)}"
        elif any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            wrong = "has a line break or control character in it; allowed: one line of text"
        elif not value and not empty:
            wrong = "is empty; allowed: a text with at least one character"
        else:
            wrong = check(value)
            if not wrong:
                return value
        self._problems.add(where, wrong)
        return ""


def suggest(wrong: object, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # slow to import, and only mistakes need it

    near = get_close_matches(str(wrong)[:80], known, n=1, cutoff=0.6)
    return f', did you mean "{near[0]}"?' if near else ""


def _listed(allowed: Sequence[str]) -> str:
    return ", ".join(f'"{item}"' for item in allowed)


def _kind_of(value: object) -> str:
    """TOML's names, not Python's."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number with a fraction"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _shown(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.6g}" if isinstance(value, float) else _short(value)
    return _kind_of(value)


def _short(value: int) -> str:
    return str(value) if abs(value) < 10**12 else "a number of that size"


def _example(value: object) -> str:
    """How the value would be written as a text."""
    if isinstance(value, str):
        return f'"{value}"' if value.isprintable() else '"..."'
    return f'"{_shown(value)}"' if isinstance(value, (int, float)) and not isinstance(value, bool) else '"..."'
