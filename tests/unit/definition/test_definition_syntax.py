"""Text that is no TOML: the line, tomllib's words, and what they mean."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tanist.definition.load import load_controller
from tanist.definition.syntax import _MEANING
from tanist.model.errors import BadDefinition

CASES = [
    (b"format = 1\nname\n", "x.toml:2: syntax, column 5: Expected '=' after a key", "every line is `key = value`"),
    (b"a = 1\na = 2\n", "x.toml:2: syntax, column 6: Cannot overwrite a value", "twice in one table"),
    (b"\n[a]\n[a]\n", "x.toml:3: syntax, column 3: Cannot declare", "[[two]] brackets"),
    (b"a = postgres\n", "x.toml:1: syntax, column 5: Invalid value", "a text stands in quotes"),
    (b"a = 'x\n", 'x.toml:1: syntax: Expected "\'"', "the same quotes"),
    (b"a = 'x\n\nb = 1\n", "x.toml:1: syntax: Expected", "the same quotes"),
    (b'a = 1\n\n[t]\nb = """x\n\nc = 1\n', "x.toml:4: syntax: Unterminated string", "the same quotes"),
    (b'"\\q" = [\n', "x.toml:1: syntax, column 4: Unescaped '\\' in a string", "written"),
    (b'a = "x', "x.toml:1: syntax: Unterminated string", "the same quotes"),
    (b"a = [1,\n2\n", "x.toml:1: syntax: Unclosed array", "a list ends with ]"),
    (b"a = [1 2]", "x.toml:1: syntax, column 8: Unclosed array", "a comma between"),
    (b"a = { b = 1\n", "x.toml:1: syntax, column 12: Unclosed inline table", "on the same line"),
    (b"a = /etc\n", "x.toml:1: syntax, column 5: Invalid value", "in quotes"),
    (b'a = "C:\\dir"\n', "x.toml:1: syntax, column 10: Unescaped '\\' in a string", "written \\\\"),
    (b"a = 1 b = 2\n", "x.toml:1: syntax, column 7: Expected newline", "a value ends its line"),
    (b"= 1\n", "x.toml:1: syntax, column 1: Invalid statement", "every line is"),
    (b"a. = 1\n", "x.toml:1: syntax, column 4: Invalid initial character for a key part", "a key is letters"),
    (b"[a\n", "x.toml:1: syntax, column 3: Expected ']'", "do not match"),
    (b"a = {}\na.b = 1\n", "x.toml:2: syntax, column 8: Cannot mutate immutable namespace", "closed where it ends"),
    (b"a = 2024-02-31\n", "x.toml:1: syntax, column 5: Invalid date", "in quotes"),
    (b"a = " + b"9" * 5000, "x.toml:1: syntax: Exceeds the limit", "too long"),
    (b"a = " + b"[" * 20000 + b"]" * 20000, "x.toml:1: syntax: lists or tables are nested too deeply", "allowed"),
    (b"a = 1\nb = '\xff'\n", "x.toml:2: the file: byte 0xff is no UTF-8", "saved as UTF-8"),
    (b"\xef\xbb\xbfa = 1\n", "x.toml:1: syntax, column 1: Invalid statement", "every line is"),
    (b"a = 1\0\n", "x.toml:1: syntax, column 6: ", "a value ends its line"),
    (b"#" * (1 << 20) + b"\n", "x.toml:1: the file: has 1048577 bytes", "at most 1048576"),
]


@pytest.mark.parametrize(("text", "starts", "meaning"), CASES, ids=[starts[7:60] for _, starts, _ in CASES])
def test_a_syntax_error_has_its_line_and_what_it_means(text: bytes, starts: str, meaning: str) -> None:
    with pytest.raises(BadDefinition) as caught:
        load_controller(text, "x.toml")
    (problem,) = caught.value.problems
    assert problem.startswith(starts)
    assert meaning in problem
    assert "; allowed: " in problem


def test_every_meaning_is_one_of_a_message_of_tomllib() -> None:
    spec = find_spec("tomllib._parser")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text()
    texts = ("Exceeds the limit", "Illegal character '\\n'", "Expected \"'")  # int()'s words; put together at run time
    missing = [start for start, _ in _MEANING if start not in texts and start.replace("\\", "\\\\") not in source]
    assert missing == []
