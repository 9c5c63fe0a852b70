"""The installed product's version and kind, read on the node that is asked (A04, A25-A29)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tanist.facts.packages import RPM_FORMAT, parse_rpm
from tanist.facts.tool import read_text
from tanist.model.definition import Scope, VersionSource
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

PATIENCE = 30.0  # seconds that a product may take to tell its version
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_PAIR = re.compile(r"((?:[^\\=: \t\f]|\\.)*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)
_PLAIN = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_DPKG_FORMAT = "${db:Status-Status} ${Version}\\n"


def parse_properties(text: bytes) -> dict[str, str]:
    """The text format of java.util.Properties.load(InputStream), in full. ValueError for a malformed \\uXXXX."""
    pairs = {}
    for line in _logical_lines(text.decode("latin-1")):
        match = _PAIR.fullmatch(line)
        assert match is not None, "the pattern matches every text that ends in no single backslash"
        pairs[_unescape(match[1])] = _unescape(match[2])
    return pairs


def read_version(host: Host, source: VersionSource) -> str | Unread:
    """Without white space around it. Empty when the definition names no source."""
    match source.kind:
        case "none":
            return ""
        case "properties":
            return _read_property(host, source.file, source.key)
        case "dpkg":
            return _read_dpkg(host, source.package)
        case "rpm":
            return _read_rpm(host, source.package)
        case "command":
            return _read_first_line(host, source.argv)


def read_scope(host: Host, scope: Scope) -> str | Unread:
    """Empty when this installation is of the kind that the definition is for, else what to tell the operator."""
    value = _read_property(host, scope.file, scope.key)
    if isinstance(value, Unread) or value in scope.allowed:
        return value if isinstance(value, Unread) else ""
    return f'{scope.otherwise} ({scope.file}: {scope.key} is "{value}"; allowed: {", ".join(scope.allowed)})'


def _read_property(host: Host, file: str, key: str) -> str | Unread:
    try:
        pairs = parse_properties(host.files.read(file))
    except FileNotFoundError:
        return Unread(f"{file} is not there: is the product installed?")
    except OSError as error:
        return Unread(f"{file}: {error.strerror or error}")
    except ValueError as error:
        return Unread(f"{file}: {error}")
    value = pairs.get(key, "").strip()
    if not value:
        missing = "is empty" if key in pairs else "is missing"
        return Unread(f"{file}: {key} {missing}; it has: {', '.join(pairs) or 'nothing'}")
    return value


def _read_dpkg(host: Host, package: str) -> str | Unread:
    """dpkg-query(1) also knows removed packages and the same package of several architectures."""
    said = _run(host, ("dpkg-query", "-W", "-f", _DPKG_FORMAT, package))
    if isinstance(said, Unread):
        return said
    states = [line.partition(" ") for line in said.splitlines() if line.strip()]
    versions = {version for state, _, version in states if state == "installed" and version}
    if len(versions) == 1:
        return versions.pop()
    if versions:
        return Unread(f"{package} is installed in several versions: {', '.join(sorted(versions))}")
    return Unread(f"{package} is not installed: dpkg says {', '.join(state for state, _, _ in states) or 'nothing'}")


def _read_rpm(host: Host, package: str) -> str | Unread:
    """rpm(8): exit status 1 and a sentence where it is not installed; several lines for several of one name."""
    said = _run(host, ("rpm", "-q", "--qf", RPM_FORMAT, package), ok=(0, 1))
    if isinstance(said, Unread):
        return said
    versions = sorted({version for _, version in parse_rpm(said)})
    if len(versions) == 1:
        return versions[0]
    if versions:
        return Unread(f"{package} is installed in several versions: {', '.join(versions)}")
    return Unread(f"{package} is not installed: rpm says {said.strip() or 'nothing'}")


def _read_first_line(host: Host, argv: Sequence[str]) -> str | Unread:
    said = _run(host, argv)
    if isinstance(said, Unread):
        return said
    first = said.split("\n", 1)[0].strip()
    return first or Unread(f"{' '.join(argv)}: its first line is empty")


def _run(host: Host, argv: Sequence[str], ok: tuple[int, ...] = (0,)) -> str | Unread:
    return read_text(host, argv, ok=ok, timeout=PATIENCE, title=" ".join(argv))


def _logical_lines(text: str) -> Iterator[str]:
    """Comments and blank lines dropped; a line that ends in an odd number of backslashes goes on in the next one."""
    so_far = ""
    for natural in re.split(r"\r\n|\r|\n", text):
        line = natural.lstrip(" \t\f")
        if not so_far and line.startswith(("#", "!")):
            continue  # a comment never goes on in the next line
        so_far += line
        if (len(line) - len(line.rstrip("\\"))) % 2:
            so_far = so_far[:-1]
            continue
        if so_far:
            yield so_far
        so_far = ""
    if so_far:
        yield so_far


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_unescape_one, text)
    # Java writes what lies beyond U+FFFF as two escapes; half of such a pair is no character
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unescape_one(match: re.Match[str]) -> str:
    body = match[1]
    if body == "u":
        raise ValueError("malformed \\uXXXX escape")
    return chr(int(body[1:], 16)) if len(body) == 5 else _PLAIN.get(body, body)
