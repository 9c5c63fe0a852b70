"""What tomllib's error means, in a line that a person can act on."""

from __future__ import annotations

import re

from tanist.definition.lines import index_lines

_PLACE = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_MEANING = (
    ("Expected '=' after a key", "every line is `key = value`, a [table], or a # comment"),
    ("Expected newline or end of document", "a value ends its line; a text with blanks in it stands in quotes"),
    ("Cannot overwrite a value", "the same key stands twice in one table"),
    ("Duplicate inline table key", "the same key stands twice in one { table }"),
    ("Cannot declare", "the same [table] stands twice; a table that may repeat has [[two]] brackets"),
    ("Cannot mutate immutable namespace", "a { table } or list is closed where it ends; nothing can be added below"),
    ("Cannot redefine namespace", "the same [table] stands twice; a table that may repeat has [[two]] brackets"),
    ("Invalid statement", "every line is `key = value`, a [table], or a # comment"),
    ("Invalid initial character for a key part", "a key is letters, digits, _ and -, or stands in quotes"),
    ("Invalid value", "a text stands in quotes; true and false are small; numbers have no leading zero"),
    ("Invalid date or datetime", "a text stands in quotes"),
    ("Unclosed array", "a list ends with ], with a comma between its elements"),
    ("Unclosed inline table", "a { table } ends with } on the same line, with a comma between its keys"),
    ("Expected \"'", "a text ends with the same quotes with which it began"),
    ("Unterminated string", "a text ends with the same quotes with which it began"),
    ("Illegal character '\\n'", "a text in single or double quotes ends on its line"),
    ("Unescaped '\\' in a string", "a backslash is written \\\\ in double quotes, or the text in single quotes"),
    ("Illegal character", "an invisible character; retype the line"),
    ("Expected ']", "the brackets of a [table] or [[table]] do not match"),
    ("Exceeds the limit", "a number is too long"),
)


def render_syntax_error(error: ValueError | RecursionError, text: str, file: str) -> str:
    """`FILE:LINE: syntax, column N: what; what is right`."""
    if isinstance(error, RecursionError):
        return f"{file}:1: syntax: lists or tables are nested too deeply; allowed: the tables of the manual"
    message = str(error)
    place = _PLACE.search(message)
    what = message[: place.start()] if place else message.split(":")[0]
    line = int(place[1]) if place and place[1] else index_lines(text).last  # what never ends began there
    column = f", column {place[2]}" if place and place[2] else ""
    meaning = next((meaning for start, meaning in _MEANING if what.startswith(start)), "the rules of toml.io")
    return f"{file}:{line}: syntax{column}: {what}; allowed: {meaning}"
