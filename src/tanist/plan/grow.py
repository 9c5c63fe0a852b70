"""Storage that became larger: what is in the way of using it, and the steps from the lowest layer up. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tanist.model.definition import Asset
from tanist.model.growing import (
    WORTH,
    GrowArray,
    GrowFileSystem,
    GrowMap,
    GrowPool,
    GrowReplica,
    GrowStep,
    GrowVolume,
    NodeSizes,
    Room,
)
from tanist.model.layers import DrbdLayer, LvmLayer, MdLayer, MultipathLayer, ZfsLayer
from tanist.model.steps import Plan, PlannedStep
from tanist.model.unread import Unread
from tanist.plan.disks import size
from tanist.plan.release import numbered

FOR_GOOD = "what has grown can't be made smaller again: there is no way back, neither by undo nor by a takeover"


def find_strangers(nodes: Mapping[str, NodeSizes | Unread]) -> Iterator[str]:
    """`nodes`: this one first. A node that sees a disk too small would fail at the next takeover."""
    read = []
    for node, one in nodes.items():
        if isinstance(one, Unread):
            yield f"{node} can't be asked how large its disks are: {one.why}"
        else:
            read.append(one)
            yield from (f"{node}: {device}: {room.why}" for device, room in one.own if isinstance(room, Unread))
    for disk in dict.fromkeys(disk for one in read for disk, _ in one.sizes):
        seen = {one.node: one.find(disk) for one in read}
        yield from (f"{node}: {disk}: {found.why}" for node, found in seen.items() if isinstance(found, Unread))
        if len({found for found in seen.values() if not isinstance(found, Unread)}) > 1:
            shown = ", ".join(f"{found} bytes on {node}" for node, found in seen.items())
            yield f"{disk} is {shown}: a node that does not see its new size can't take over what has grown"


def find_small(rooms: Sequence[Room | Unread]) -> Iterator[str]:
    for room in rooms:
        if isinstance(room, Unread):
            yield room.why
        elif room.could + WORTH <= room.now:
            lies = f"what lies below it only {size(room.could)}"
            yield f"{room.device} has {size(room.now)}, and {lies}: it became smaller"


def smallest(nodes: Mapping[str, NodeSizes | Unread]) -> dict[str, int]:
    """Disk -> the fewest bytes that a node sees of it, or has for a copy."""
    found: dict[str, int] = {}
    for one in nodes.values():
        for disk, seen in (*one.sizes, *one.own) if isinstance(one, NodeSizes) else ():
            if isinstance(seen, int):
                found[disk] = min(seen, found.get(disk, seen))
    return found


def build_grow(asset: Asset, target: str, rooms: Sequence[Room], physical: str) -> Plan:
    """`rooms`: as facts/sizes.py tells them. `physical`: the disk of the volume group, "" where there is none."""
    below, above = rooms[: len(asset.layers)], rooms[len(asset.layers) :]
    steps = []
    for layer, room in zip(asset.layers, below, strict=True):
        if room.grows and isinstance(layer, MultipathLayer):
            steps.append(_step(room, GrowMap(device=room.device, size=room.lowest)))
        elif room.grows and isinstance(layer, MdLayer):
            steps.append(_step(room, GrowArray(device=room.device, size=room.lowest)))
        elif room.grows and isinstance(layer, LvmLayer):
            volume = GrowVolume(
                group=layer.group,
                volume=layer.volume,
                device=room.device,
                disk=physical,
                to=room.could,
                size=room.lowest,
            )
            steps.append(_step(room, volume))
        elif room.grows and isinstance(layer, DrbdLayer):
            steps.append(_step(room, GrowReplica(resource=layer.resource, device=layer.device, size=room.lowest)))
        elif room.grows and isinstance(layer, ZfsLayer):
            steps.append(_step(room, GrowPool(pool=layer.pool, devices=layer.devices, size=room.lowest)))
    for room in above:
        if room.grows:
            spec = GrowFileSystem(device=room.device, fstype=asset.fstype, target=target, size=room.lowest)
            steps.append(_step(room, spec))
    return Plan(title=f"grow: {FOR_GOOD}", steps=numbered("grow", steps))


def _step(room: Room, spec: GrowStep) -> PlannedStep:
    what = room.device
    if isinstance(spec, GrowFileSystem):
        what = f"{spec.fstype} on {room.device}"
    elif isinstance(spec, GrowPool):
        what = f"the pool {room.device}"
    says = f"grow {what} from {size(room.now)} to {size(room.could)}"
    if isinstance(spec, GrowReplica):
        says += "; until the other copy has the new part as well, its node can't take over"
    return PlannedStep(id="", says=says, direction="apply", spec=spec)


def _tell(found: int | Unread) -> str:
    return found.why if isinstance(found, Unread) else size(found)


def render_rooms(nodes: Mapping[str, NodeSizes | Unread], rooms: Sequence[Room | Unread]) -> str:
    """The disks as each node sees them, then each layer: what it has and what it could have."""
    lines = []
    for node, one in nodes.items():
        seen = one if isinstance(one, NodeSizes) else NodeSizes(node=node, sizes=())
        lines += [f"  {node} sees {disk}: {_tell(found)}" for disk, found in seen.sizes]
        lines += [f"  {node} has room for {device}: {_tell(found)}" for device, found in seen.own]
    for room in rooms:
        if isinstance(room, Room):
            more = (
                f"could have {size(room.could)}" if room.grows else "could not have more" if room.why else "all of it"
            )
            lines.append(f"  {room.device}: {size(room.now)}, {more}{f': {room.why}' if room.why else ''}")
    return "\n".join(lines)
