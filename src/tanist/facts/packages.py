"""The packages that brought the services, and what they depend on, with versions (dpkg-query(1), rpm(8))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.readout import Package, Packages
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

_FORMAT = "${db:Status-Status}\\t${Package}\\t${Version}\\t${Depends}, ${Pre-Depends}\\t${Provides}\\n"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
RPM_FORMAT = "%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"


def read_packages(host: Host, paths: Sequence[str]) -> Packages | Unread:
    """Of the files at `paths`; one that no package brought does not count."""
    listed = read_text(host, ("dpkg-query", "-W", "-f", _FORMAT), timeout=30)
    if isinstance(listed, Unread):
        return _read_rpm(host, paths) if listed.why.endswith("not found") else listed
    if not paths:
        return parse_dpkg(listed, ())
    both = sorted({form for path in paths for form in _both_forms(path)})
    owned = read_text(host, ("dpkg-query", "-S", *both), ok=(0, 1), timeout=30)
    return owned if isinstance(owned, Unread) else parse_dpkg(listed, parse_owners(owned))


def parse_owners(text: str) -> frozenset[str]:
    """Package names of `dpkg-query -S`: "a, b:amd64: /path"; diversions are told in words and do not count."""
    found: set[str] = set()
    for line in text.splitlines():
        names, colon, _ = line.rpartition(": ")
        if colon and not line.startswith("diversion by"):
            found |= {name.strip().partition(":")[0] for name in names.split(",")}
    return frozenset(found)


def parse_dpkg(text: str, owners: Iterable[str]) -> Packages:
    installed: dict[str, str] = {}
    depends: dict[str, tuple[str, ...]] = {}
    provided: dict[str, list[str]] = {}
    for line in text.splitlines():
        state, name, version, needs, provides = (*line.split("\t"), "", "", "", "", "")[:5]
        if state != "installed":
            continue
        installed[name], depends[name] = version, _names(needs)
        for virtual in _names(provides):
            provided.setdefault(virtual, []).append(name)
    first = {name for name in owners if name in installed}
    reached, waiting = set(first), list(first)
    while waiting:
        for need in depends[waiting.pop()]:
            for name in (need,) if need in installed else provided.get(need, ()):
                if name not in reached:
                    reached.add(name)
                    waiting.append(name)
    there = tuple(Package(name=name, version=installed[name]) for name in sorted(installed))
    return Packages(installed=there, owners=tuple(sorted(first)), needed=tuple(sorted(reached - first)))


def _names(relation: str) -> tuple[str, ...]:
    """deb-substvars and deb-control relations, "a (>= 1) | b:any, c": every name, alternatives too."""
    parts = re.split(r"[,|]", relation)
    return tuple(match[0] for part in parts if (match := _NAME.match(part.strip())) is not None)


def _both_forms(path: str) -> tuple[str, str]:
    """dpkg knows a file by the name that its package used: with /usr or, on a merged system, without."""
    return (path, path.removeprefix("/usr")) if path.startswith("/usr/") else (path, f"/usr{path}")


def _read_rpm(host: Host, paths: Sequence[str]) -> Packages | Unread:
    """Without what they depend on: rpm answers that one file at a time."""
    listed = read_text(host, ("rpm", "-qa", "--qf", RPM_FORMAT), timeout=30)
    if isinstance(listed, Unread):
        return Unread("neither dpkg-query nor rpm answers") if listed.why.endswith("not found") else listed
    owned = read_text(host, ("rpm", "-qf", "--qf", RPM_FORMAT, *paths), ok=tuple(range(256))) if paths else ""
    if isinstance(owned, Unread):
        return owned
    installed = tuple(Package(name=name, version=version) for name, version in parse_rpm(listed))
    return Packages(installed=installed, owners=tuple(name for name, _ in parse_rpm(owned)), needed=())


def parse_rpm(text: str) -> tuple[tuple[str, str], ...]:
    """Name and version; a file that no package brought is told in words and does not count."""
    lines = [line.split("\t") for line in text.splitlines() if line.count("\t") == 1]
    return tuple(sorted({(name, version) for name, version in lines}))
