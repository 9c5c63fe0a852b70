"""What has come onto the disks since the plan was made: asked before each act that writes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.asset_steps import EraseDisk, MakeArray, MakeFileSystem, MakeVolume, ProveShared
from tanist.model.disks import UNSIGNED, SeenDisk
from tanist.model.steps import Plan
from tanist.model.unread import Unread
from tanist.plan.disks import Surveys, describe


def find_intruders(plan: Plan, begun: frozenset[str], surveys: Surveys, me: str) -> tuple[str, ...]:
    """What has come since the plan was made. `begun`: ids of steps that were begun. What the run itself made is known
    by its UUIDs, and may be assembled on this node."""
    found: list[str] = []
    for node, one in surveys.items():
        if isinstance(one, Unread):
            found.append(f"{node} can't be asked: {one.why}")
            continue
        found += [f"{node}: {what}" for what in one.active]
        for erase in (item.spec for item in plan.steps if isinstance(item.spec, EraseDisk)):
            disk = one.find(erase.device)
            if disk is None:
                found.append(f"{erase.device} is not there any more on {node}")
                continue
            problems = find_changes(
                disk, erase, allowed_marks(plan, erase, begun), mine=node == me and may_be_up(plan, begun)
            )
            found += [f"{erase.device} on {node}: {what}" for what in problems]
    return tuple(found)


def find_changes(disk: SeenDisk, erase: EraseDisk, allowed: frozenset[str], *, mine: bool) -> Iterator[str]:
    """`mine`: what is assembled on it here is the run's own."""
    if (disk.wwn, disk.serial, disk.size) != (erase.wwn, erase.serial, erase.size):
        yield f"it is another disk now: {describe(disk)}"
    yield from disk.uses
    if disk.holders and not mine:
        yield f"{', '.join(disk.holders)} is assembled on it"
    if disk.token and f" {erase.run} " not in f"{disk.token} ":
        yield f"another prepare is at work on it: {disk.token}"
    if isinstance(disk.marks, Unread):
        yield f"what is on it can't be read: {disk.marks.why}"
    elif more := [one.says for one in disk.marks if one.key not in allowed]:
        yield f"something was put on it meanwhile: {'; '.join(more)}"
    yield from (f"it belongs to a controller: {claim}" for claim in disk.claims)


def allowed_marks(plan: Plan, erase: EraseDisk, begun: frozenset[str]) -> frozenset[str]:
    """Until its erasing has ended: what it may lose. From the first thing made on: what is made."""
    own = own_marks(plan)
    makes = [one.id for one in plan.steps if isinstance(one.spec, (MakeArray, MakeVolume, MakeFileSystem))]
    proof = next(one.id for one in plan.steps if isinstance(one.spec, ProveShared))
    if begun.intersection(makes):
        return own | {UNSIGNED}
    if proof in begun:
        return frozenset()
    return frozenset((*erase.marks, *((UNSIGNED,) if erase.marks else ())))


def may_be_up(plan: Plan, begun: frozenset[str]) -> bool:
    return any(one.id in begun for one in plan.steps if isinstance(one.spec, (MakeArray, MakeVolume)))


def own_marks(plan: Plan) -> frozenset[str]:
    """DiskMark.key of all that the plan makes, on the disks themselves."""
    found: list[tuple[str, str]] = []
    for one in plan.steps:
        match one.spec:
            case MakeArray(uuid=uuid):
                found.append(("linux_raid_member", uuid))
            case MakeVolume(uuid=uuid):
                found.append(("LVM2_member", uuid))
            case MakeFileSystem(uuid=uuid, fstype=fstype):
                found.append((fstype, uuid))
    return frozenset(f"{kind} {''.join(c for c in uuid if c.isalnum()).lower()}" for kind, uuid in found)
