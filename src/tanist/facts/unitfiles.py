"""How this node's administrator changed the services' units: enabled, masked, drop-ins, what they pull along.

Read from the files that systemd reads (systemd.unit(5), "Unit file load path"), so that it can be told of a node that
is dead by now. Changes nothing. Nothing of this is ever restored: what is enabled starts behind the gate's back.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tanist.model.beside import UnitFile, UnitFiles
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.files import Files
    from tanist.host.host import Host

ADMIN = "/etc/systemd/system"  # the administrator's; units of packages are compared by their packages
PULLING = (".wants", ".requires")
LIMIT = 1 << 20  # bytes of one file


def read_unit_files(host: Host, units: Sequence[str]) -> tuple[UnitFiles, ...] | Unread:
    try:
        return tuple(_read_unit(host.files, unit) for unit in units)
    except OSError as error:
        return Unread(f"{error.filename or ADMIN}: {error.strerror or error}")


def _read_unit(files: Files, unit: str) -> UnitFiles:
    own = f"{ADMIN}/{unit}"
    masked = _is_link(files, own) and files.read_link(own) == "/dev/null"
    found = [] if masked else [UnitFile(path=own, content=_digest(files, own))] if _is_file(files, own) else []
    for name in _names(unit):
        found += _read_drop_ins(files, f"{ADMIN}/{name}.d")
        found += [one for kind in PULLING for one in _read_pulled(files, f"{ADMIN}/{name}{kind}")]
    return UnitFiles(name=unit, masked=masked, enabled_by=tuple(_find_enabling(files, unit)), files=tuple(found))


def _names(unit: str) -> tuple[str, ...]:
    """Its own, and that of its template: drop-ins of both count."""
    stem, at, rest = unit.partition("@")
    return (unit, f"{stem}@.{rest.rpartition('.')[2]}") if at else (unit,)


def _read_drop_ins(files: Files, directory: str) -> Iterator[UnitFile]:
    for name in _list(files, directory):
        if name.endswith(".conf"):
            yield UnitFile(path=f"{directory}/{name}", content=_digest(files, f"{directory}/{name}"))


def _read_pulled(files: Files, directory: str) -> Iterator[UnitFile]:
    """Units that start with it: links, of which the name alone counts."""
    for name in _list(files, directory):
        yield UnitFile(path=f"{directory}/{name}", content="a link")


def _find_enabling(files: Files, unit: str) -> Iterator[str]:
    for name in _list(files, ADMIN):
        if name.endswith(PULLING) and not name.startswith(f"{unit}.") and files.exists(f"{ADMIN}/{name}/{unit}"):
            yield f"{ADMIN}/{name}/{unit}"


def _list(files: Files, directory: str) -> tuple[str, ...]:
    try:
        return files.list(directory)
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _is_link(files: Files, path: str) -> bool:
    info = files.stat(path, follow=False)
    return info is not None and stat.S_ISLNK(info.st_mode)


def _is_file(files: Files, path: str) -> bool:
    info = files.stat(path, follow=False)
    return info is not None and stat.S_ISREG(info.st_mode)


def _digest(files: Files, path: str) -> str:
    """Never the content: an Environment= line may hold a password."""
    info = files.stat(path)
    if info is None:
        return "a link to nothing"
    return hashlib.sha256(files.read(path, LIMIT)).hexdigest()
