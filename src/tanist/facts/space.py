"""Room where a restore writes (df(1))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.hardware import Space
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host


def read_space(host: Host, paths: Sequence[str]) -> tuple[Space, ...] | Unread:
    found = []
    for path in paths:
        said = read_text(host, ("df", "-B1", "--output=avail,size,itotal,iavail", "--", path))
        if isinstance(said, Unread):
            return said
        try:
            found.append(parse_df(said, path))
        except ValueError as error:
            return Unread(f"df {path}: its answer can't be read: {error}")
    return tuple(found)


def parse_df(text: str, path: str) -> Space:
    free, size, inodes, inodes_free = text.strip().splitlines()[-1].split()
    counts = inodes not in ("-", "0")
    return Space(path=path, free=int(free), size=int(size), inodes_free=int(inodes_free) if counts else -1)
