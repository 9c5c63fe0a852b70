"""Text of a Java properties file -> keys and values (java.util.Properties.load); and the product's own version."""

import re
from pathlib import Path

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_PLAIN = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_PAIR = re.compile(r"((?:[^\\=:\s]|\\.)*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)


def parse_properties(text: str) -> dict[str, str]:
    pairs = {}
    for line in _logical_lines(text):
        match = _PAIR.fullmatch(line)
        assert match, line  # the pattern matches any text
        pairs[_unescape(match[1])] = _unescape(match[2])
    return pairs


def read_product_version(path: Path) -> str:
    return parse_properties(path.read_text(encoding="latin-1"))["product.version"]


def _logical_lines(text: str) -> list[str]:
    """Comments and blank lines dropped; a line that ends in an odd number of backslashes goes on in the next."""
    lines: list[str] = []
    continued = False
    for raw in text.splitlines():
        line = raw.lstrip(" \t\f")
        if not continued and (not line or line[0] in "#!"):
            continue
        more = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        part = line[:-1] if more else line
        if continued:
            lines[-1] += part
        else:
            lines.append(part)
        continued = more
    return lines


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _PLAIN.get(m[2], m[2]), text)
