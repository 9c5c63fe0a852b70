"""Files of this node that a restore would replace and that somebody changed since (find(1))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.readout import Edited
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

LIMIT = 100  # files that are told


def read_edited(host: Host, paths: Sequence[str], since: float) -> tuple[Edited, ...] | Unread:
    """`since`: seconds since the epoch; the newest first."""
    there = [path for path in paths if host.files.exists(path)]
    if not there:
        return ()
    argv = ("find", *there, "-xdev", "-type", "f", "-newermt", f"@{since:.0f}", "-printf", "%T@ %p\\0")
    said = read_text(host, argv, ok=(0, 1), timeout=30)
    return said if isinstance(said, Unread) else parse_found(said)


def parse_found(text: str) -> tuple[Edited, ...]:
    pairs = [part.split(" ", 1) for part in text.split("\0") if " " in part]
    found = [Edited(path=path, at=float(at)) for at, path in pairs]
    return tuple(sorted(found, key=lambda one: (-one.at, one.path))[:LIMIT])
