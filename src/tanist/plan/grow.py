"""Storage that became larger: what is in the way of using it, and the steps from the lowest layer up. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tanist.model.definition import Asset
from tanist.model.growing import WORTH, GrowArray, GrowFileSystem, GrowMap, GrowStep, GrowVolume, NodeSizes, Room
from tanist.model.layers import LvmLayer, MdLayer, MultipathLayer
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
    """Disk -> the fewest bytes that a node sees of it."""
    found: dict[str, int] = {}
    for one in nodes.values():
        for disk, seen in one.sizes if isinstance(one, NodeSizes) else ():
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
    for room in above:
        if room.grows:
            spec = GrowFileSystem(device=room.device, fstype=asset.fstype, target=target, size=room.lowest)
            steps.append(_step(room, spec))
    return Plan(title=f"grow: {FOR_GOOD}", steps=numbered("grow", steps))


def _step(room: Room, spec: GrowStep) -> PlannedStep:
    what = f"{spec.fstype} on {room.device}" if isinstance(spec, GrowFileSystem) else room.device
    says = f"grow {what} from {size(room.now)} to {size(room.could)}"
    return PlannedStep(id="", says=says, direction="apply", spec=spec)


def render_rooms(nodes: Mapping[str, NodeSizes | Unread], rooms: Sequence[Room | Unread]) -> str:
    """The disks as each node sees them, then each layer: what it has and what it could have."""
    lines = []
    for node, one in nodes.items():
        for disk, seen in one.sizes if isinstance(one, NodeSizes) else ():
            lines.append(f"  {node} sees {disk}: {seen.why if isinstance(seen, Unread) else size(seen)}")
    for room in rooms:
        if isinstance(room, Room):
            more = (
                f"could have {size(room.could)}" if room.grows else "could not have more" if room.why else "all of it"
            )
            lines.append(f"  {room.device}: {size(room.now)}, {more}{f': {room.why}' if room.why else ''}")
    return "\n".join(lines)
