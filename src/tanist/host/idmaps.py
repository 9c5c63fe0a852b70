"""Id maps as the kernel takes them: checked before it is asked, because it says EINVAL to everything."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tanist.model.host import IdMap

EXTENTS_LIMIT = 340  # user_namespaces(7)
BYTES_LIMIT = 4095  # one write, shorter than a page; pages are nowhere smaller than 4096

Extent = tuple[int, int, int]


def render_extents(extents: Iterable[Extent]) -> str:
    """Lines "on-disk seen count", as /proc/PID/uid_map of the namespace that carries the map takes them."""
    return "\n".join(f"{disk} {seen} {count}" for disk, seen, count in extents)


def render_sorted(idmap: IdMap) -> str:
    """For comparing and keeping: the order of extents means nothing."""
    return f"{render_extents(sorted(idmap.users))}\n\n{render_extents(sorted(idmap.groups))}\n"


def parse_extents(lines: Iterable[str]) -> tuple[Extent, ...]:
    found = []
    for line in lines:
        disk, seen, count = line.split()
        found.append((int(disk), int(seen), int(count)))
    return tuple(found)


def check_idmap(idmap: IdMap) -> None:
    """OSError: E2BIG when the kernel has no room for it, EINVAL when it makes no sense."""
    for name, extents in (("user", idmap.users), ("group", idmap.groups)):
        size = len(render_extents(extents))
        if size > BYTES_LIMIT:
            raise OSError(errno.E2BIG, f"the {name} map is too large for the kernel: {size} bytes, limit {BYTES_LIMIT}")
        if len(extents) > EXTENTS_LIMIT:
            text = f"the {name} map is too large for the kernel: {len(extents)} extents, limit {EXTENTS_LIMIT}"
            raise OSError(errno.E2BIG, text)
        if problem := _problem(extents):
            raise OSError(errno.EINVAL, f"the {name} map {problem}")


def _problem(extents: Sequence[Extent]) -> str:
    if not extents:
        return "is empty: the kernel takes none without extents"
    for disk, seen, count in extents:
        if min(disk, seen) < 0 or count < 1 or max(disk, seen) + count > 2**32 - 1:
            return f"holds an impossible extent: {disk} {seen} {count}"
    for column, name in ((0, "on the disk"), (1, "on this host")):
        ordered = sorted(extents, key=lambda extent: extent[column])
        for before, after in pairwise(ordered):
            if before[column] + before[2] > after[column]:
                return f"has {after[column]} {name} twice"
    return ""
