"""The [asset] table for bare disks, for a person to paste. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tanist.model.disks import DiskSurvey, SeenDisk
from tanist.model.unread import Unread
from tanist.plan.disks import ALIKE, SMALLEST, Chosen, common_name, find_strangers, find_users, keys


def find_candidates(surveys: Sequence[DiskSurvey]) -> tuple[Chosen, ...]:
    """Disks that every node sees by the same name, and nobody uses. The blank ones first, then the largest."""
    first = surveys[0]
    found = []
    for disk in () if isinstance(first.disks, Unread) else first.disks:
        if disk.kind == "path" or not disk.identity or disk.size < SMALLEST or disk.read_only:
            continue
        name = common_name(disk, surveys)
        if not name:
            continue
        seen = tuple(
            (one.node, next(item for item in one.disks if name in item.names and item.identity == disk.identity))
            for one in surveys
            if not isinstance(one.disks, Unread)
        )
        candidate = Chosen(path=name, seen=seen)
        twice = any(count_ways(one, disk) > 1 for one in surveys)
        if not twice and not [*find_users(candidate), *find_strangers(candidate, ())]:
            found.append(candidate)
    return tuple(sorted(found, key=lambda one: (bool(keys(one.here)), -one.here.size, one.path)))


def count_ways(survey: DiskSurvey, disk: SeenDisk) -> int:
    disks = () if isinstance(survey.disks, Unread) else survey.disks
    return sum(one.identity == disk.identity and one.kind != "path" for one in disks)


def build_proposal(name: str, chosen: Sequence[Chosen], *, fstype: str, lvm: bool, array_uuid: str) -> str:
    """The [asset] table for these disks: two or more are a mirror."""
    lines = ["[asset]", 'kind = "filesystem"']
    layers: list[str] = []
    device = chosen[0].path
    if len(chosen) > 1:
        device = f"/dev/md/{name}"
        members = ", ".join(f'"{one.path}"' for one in chosen)
        layers += ["", "[[asset.layer]]", 'kind = "md"', f'device = "{device}"', f'uuid = "{array_uuid}"']
        layers += [f"members = [{members}]"]
    if lvm:
        disk = [f'disk = "{device}"'] if len(chosen) == 1 else []
        layers += ["", "[[asset.layer]]", 'kind = "lvm"', f'group = "{name}"', 'volume = "tree"', *disk]
        device = f"/dev/{name}/tree"
    return "\n".join([*lines, f'device = "{device}"', f'fstype = "{fstype}"', *layers])


def pick(candidates: Sequence[Chosen]) -> tuple[Chosen, ...]:
    """Two of about the same size, if there are; else one. Whether they hang on one shelf is not seen from here."""
    best = candidates[0]
    alike = [one for one in candidates[1:] if abs(one.here.size - best.here.size) <= ALIKE * best.here.size]
    blank = [one for one in alike if keys(one.here) <= keys(best.here)]
    return (best, blank[0]) if blank else (best,)
