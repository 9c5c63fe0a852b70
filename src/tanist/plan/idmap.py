"""From the numbers that the disk has to those that this host has, by name (invariant 7). Pure.

A map must be one-to-one over all ids, and no id that is in use may stay unmapped (such files could be read but not
changed: EOVERFLOW). So every other id maps to itself, and where a moved account lands on a number that somebody else
has on the disk, that one moves to where the chain began: the permutation is completed.
"""

from __future__ import annotations

from collections.abc import Iterable

from tanist.model.dataclasses import dataclass
from tanist.model.errors import Refused
from tanist.model.host import IdMap, Renumber

LAST_ID = 4294967294  # 4294967295 is (uid_t) -1 and no id
MAX_BYTES = 4095  # one write(2) to uid_map is at most a page less one byte (measured; user_namespaces(7))

MAX_EXTENTS = 340  # user_namespaces(7)

Extent = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An id of the disk that is seen as another one here. `name` is empty for one that only completes the map."""

    name: str
    on_disk: int
    here: int


def build_idmap(
    disk_users: Iterable[tuple[str, int]],
    users: Iterable[tuple[str, int]],
    disk_groups: Iterable[tuple[str, int]],
    groups: Iterable[tuple[str, int]],
) -> tuple[IdMap | None, tuple[Moved, ...]]:
    """The map, or None where all numbers agree; and what moves, for the plan. Refused when it can't be made."""
    moves = find_moves(disk_users, users, disk_groups, groups)
    idmap = moves.build_idmap()
    if idmap is not None and (problem := why_too_large(idmap)):
        raise Refused(f"{problem}: give fewer of the controller's accounts other numbers")
    return idmap, moves.all


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    users: tuple[Moved, ...]
    groups: tuple[Moved, ...]

    @property
    def all(self) -> tuple[Moved, ...]:
        return (*self.users, *self.groups)

    @property
    def renumber(self) -> Renumber:
        pairs = [tuple(sorted({(one.on_disk, one.here) for one in kind})) for kind in (self.users, self.groups)]
        return Renumber(users=pairs[0], groups=pairs[1])

    def build_idmap(self) -> IdMap | None:
        """None where nothing moves. It may be too large: why_too_large()."""
        if not self.all:
            return None
        return IdMap(users=build_extents(self.users), groups=build_extents(self.groups))


def find_moves(
    disk_users: Iterable[tuple[str, int]],
    users: Iterable[tuple[str, int]],
    disk_groups: Iterable[tuple[str, int]],
    groups: Iterable[tuple[str, int]],
) -> Moves:
    """What moves, completed to permutations. Refused when names and numbers make none."""
    return Moves(
        users=complete(pair_up(dict(disk_users), dict(users), "account")),
        groups=complete(pair_up(dict(disk_groups), dict(groups), "group")),
    )


def why_too_large(idmap: IdMap) -> str:
    """Why the kernel would not take this map, "" when it does: places and bytes are limited, whichever ends first."""
    for extents, kind in ((idmap.users, "account"), (idmap.groups, "group")):
        size = sum(len("{} {} {}\n".format(*extent)) for extent in extents) - 1
        if size > MAX_BYTES or len(extents) > MAX_EXTENTS:
            return (
                f"the {kind} numbers of the disk and of this node differ in too many places for the kernel's map "
                f"({len(extents)} extents and {size} bytes, {MAX_EXTENTS} and {MAX_BYTES} fit)"
            )
    return ""


def pair_up(on_disk: dict[str, int], here: dict[str, int], kind: str) -> tuple[Moved, ...]:
    missing = sorted(set(on_disk) - set(here))
    if missing:
        raise Refused(f"this node lacks the {kind} {', '.join(missing)}, which owns files on the disk")
    moved = tuple(Moved(name=name, on_disk=on_disk[name], here=here[name]) for name in sorted(on_disk))
    pairs = {(one.on_disk, one.here) for one in moved}
    if not len({one.here for one in moved}) == len({one.on_disk for one in moved}) == len(pairs):
        raise Refused(f"two {kind}s of the controller share one number on one side and not on the other")
    return moved


def complete(pairs: tuple[Moved, ...]) -> tuple[Moved, ...]:
    """Close every chain a->b->c with c->a, so that the whole is a permutation; drop what stays where it is."""
    forward = {pair.on_disk: pair.here for pair in pairs}
    backward = {here: on_disk for on_disk, here in forward.items()}
    closing = []
    for target in sorted(set(backward) - set(forward)):
        start = target
        while start in backward:
            start = backward[start]
        closing.append(Moved(name="", on_disk=target, here=start))
    return tuple(pair for pair in (*pairs, *closing) if pair.on_disk != pair.here)


def build_extents(moved: tuple[Moved, ...]) -> tuple[Extent, ...]:
    """Extents over all ids: neighbours with one offset share an extent, everything else maps to itself."""
    extents: list[Extent] = []
    position = 0
    by_number = {one.on_disk: one for one in moved}  # two names may share a number
    for one in sorted(by_number.values(), key=lambda item: item.on_disk):
        if one.on_disk > position:
            extents.append((position, position, one.on_disk - position))
        last = extents[-1] if extents else None
        if last and last[0] + last[2] == one.on_disk and last[1] + last[2] == one.here and last[0] != last[1]:
            extents[-1] = (last[0], last[1], last[2] + 1)
        else:
            extents.append((one.on_disk, one.here, 1))
        position = one.on_disk + 1
    if position <= LAST_ID:
        extents.append((position, position, LAST_ID - position + 1))
    return tuple(extents)


def describe_ids(moved: tuple[Moved, ...]) -> str:
    if not moved:
        return ""
    named = sorted({f"{one.name} {one.on_disk}->{one.here}" for one in moved if one.name})
    closing = sorted({f"{one.on_disk}->{one.here}" for one in moved if not one.name})
    also = f"; to keep the map whole also {', '.join(closing)}" if closing else ""
    return f", ids by name ({', '.join(named)}{also})"
