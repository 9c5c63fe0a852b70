"""Multipath maps and the ways below them, from sysfs and dmsetup(8). Makes no map and tries no path.

A WWID is what scsi_id(8) makes of page 0x83: a digit for the kind of name, 3 for NAA, 2 for EUI-64, then the name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tanist.facts.device import Place, is_block_device, kernel_name, read_size
from tanist.facts.kinds import Guard, Marks
from tanist.facts.raid import PATH
from tanist.facts.sysfs import list_names, read_word
from tanist.facts.tool import read_text
from tanist.model.dataclasses import dataclass
from tanist.model.growing import Room
from tanist.model.readout import LayerState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layers import MultipathLayer

BLOCK = "/sys/class/block"
KINDS = {"3": "naa.", "2": "eui."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    name: str  # kernel name, "dm-0"
    wwid: str  # "" for what is no multipath map
    paths: tuple[str, ...]
    failed: tuple[str, ...]  # that multipath has given up for now


def read_map(host: Host, device: str) -> Map | Unread | None:
    """None where it is not there."""
    if not is_block_device(host, device):
        return None
    name = kernel_name(host, device)
    uuid = read_word(host, f"{BLOCK}/{name}/dm/uuid")
    if not uuid.startswith("mpath-"):
        return Map(name=name, wwid="", paths=(), failed=())
    paths = list_names(host, f"{BLOCK}/{name}/slaves")
    status = read_text(host, ("dmsetup", "status", read_word(host, f"{BLOCK}/{name}/dm/name")))
    if isinstance(status, Unread):
        return status
    given_up = {number for number, letter in PATH.findall(status) if letter == "F"}
    failed = tuple(one for one in paths if read_word(host, f"{BLOCK}/{one}/dev") in given_up)
    return Map(name=name, wwid=uuid.removeprefix("mpath-"), paths=paths, failed=failed)


def find_paths(host: Host, wwid: str) -> tuple[str, ...]:
    """Kernel names of the disks of that name which the kernel has not given up."""
    wanted = {wwid, f"{KINDS.get(wwid[:1], wwid[:1])}{wwid[1:]}"}
    found = []
    for name in list_names(host, BLOCK):
        place = f"{BLOCK}/{name}"
        told = (read_word(host, f"{place}/device/wwid"), read_word(host, f"{place}/wwid"))
        if not name.startswith("dm-") and any(one in wanted for one in told if one):
            found += [name] if read_word(host, f"{place}/device/state") in ("running", "live") else []
    return tuple(found)


def find_place(host: Host, layer: MultipathLayer, below: Place) -> Place | Unread:  # noqa: ARG001
    """The map, or else any one path: they lead to the same bytes."""
    there = read_map(host, layer.device)
    if isinstance(there, Unread):
        return there
    if there is None:
        paths = find_paths(host, layer.wwid)
        if not paths:
            return Unread(f"no path to {layer.wwid} is seen: multipath -ll; lsblk -S")
        return Place(device=f"/dev/{paths[0]}", offset=0, size=0)
    if there.wwid != layer.wwid:
        return Unread(describe_other(layer.device, there))
    return Place(device=layer.device, offset=0, size=0)


def describe_other(device: str, there: Map) -> str:
    return f"{device} is {f'the multipath map of {there.wwid}' if there.wwid else 'no multipath map'}: multipath -ll"


def read_marks(host: Host, layer: MultipathLayer, below: Place) -> Marks:  # noqa: ARG001
    return Marks()


def read_guards(host: Host, layer: MultipathLayer) -> tuple[Guard, ...]:  # noqa: ARG001
    return ()


def find_ends(host: Host, layer: MultipathLayer) -> dict[str, tuple[str, ...]]:
    return {layer.device: tuple(f"/dev/{name}" for name in find_paths(host, layer.wwid))}


def read_room(host: Host, layer: MultipathLayer, sizes: Mapping[str, int], below: int) -> Room | Unread:  # noqa: ARG001
    now = read_size(host, layer.device)
    return now if isinstance(now, Unread) else Room(device=layer.device, now=now, could=sizes[layer.device])


def read_states(host: Host, layer: MultipathLayer) -> Iterator[LayerState]:
    there = read_map(host, layer.device)
    if isinstance(there, Unread):
        yield _state(layer, there.why, "multipath -ll")
    elif there is None:
        paths = find_paths(host, layer.wwid)
        if layer.flush and len(paths) >= layer.paths:
            yield _state(layer, f"has no map now, and {len(paths)} paths")
            return
        says = f"has no map here, and {len(paths)} paths to {layer.wwid} are seen"
        yield _state(layer, says, "systemctl enable --now multipathd; multipath -v2; multipath -ll")
    elif there.wwid != layer.wwid:
        yield _state(layer, f"should be {layer.wwid}, and {describe_other(layer.device, there)}", "multipath -ll")
    else:
        works = [one for one in there.paths if one not in there.failed]
        lost = f"; given up: {', '.join(there.failed)}" if there.failed else ""
        says = f"has {len(works)} of {layer.paths} paths: {', '.join(works) or 'none'}{lost}"
        yield _state(layer, says, "multipath -ll" if len(works) < layer.paths or there.failed else "")


def _state(layer: MultipathLayer, says: str, mend: str = "") -> LayerState:
    said = f"{layer.device} {says}"
    return LayerState(kind="paths", name=layer.device, says=said, wrong=said if mend else "", mend=mend)
