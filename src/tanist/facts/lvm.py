"""A volume group's marks on its disk: LVM's own metadata, read as bytes (lib/format_text/layout.h; lvmsystemid(7)).

In: where a physical volume lies. Out: the group with its owner's system id and where a volume's bytes are, or Unread.
Never runs LVM's tools, which would lock, write and activate; never writes.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tanist.facts.device import Place, read_blocks
from tanist.facts.kinds import Guard, Marks
from tanist.facts.tool import read_text
from tanist.model.dataclasses import dataclass
from tanist.model.growing import Room
from tanist.model.hardware import Identity
from tanist.model.readout import LayerState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layers import LvmLayer

SOURCE = 'set system_id_source = "uname" in the section global of /etc/lvm/lvm.conf'
SECTOR = 512
LABEL, TYPE = b"LABELONE", b"LVM2 001"
AREA_MAGIC = b" LVM2 x[5A%r0N*>"
FIRST_CRC = 0xF597A6CF
BIGGEST = 4 << 20  # bytes of metadata text; LVM's default area holds 1 MiB
TOKEN = re.compile(r'#[^\n]*|\s+|"((?:[^"\\]|\\.)*)"|([{}\[\]=,])|([^\s{}\[\]=,"#]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeGroup:
    name: str
    uuid: str
    system_id: str  # "" : any node may take it
    exported: bool
    sequence: int  # grows with each change of the group
    tree: dict[str, Any]  # the metadata


def find_place(host: Host, layer: LvmLayer, below: Place) -> Place | Unread:
    pv = _physical(layer, below)
    group = read_group(host, pv)
    if isinstance(group, Unread):
        return group
    if group.name != layer.group:
        return Unread(f"{pv.device}: holds the volume group {group.name}, not {layer.group}")
    return find_volume(group, layer.volume, pv)


def read_marks(host: Host, layer: LvmLayer, below: Place) -> Marks:
    """The group's metadata as it lies on the disk: a volume that was gone when it was changed has the flag MISSING."""
    group = read_group(host, _physical(layer, below))
    if isinstance(group, Unread):
        return Marks()
    volumes = group.tree.get("physical_volumes", {})
    lost = [str(one.get("device", name)) for name, one in volumes.items() if "MISSING" in one.get("flags", [])]
    return Marks(missing=tuple(lost), identities=(Identity(what=f"volume group {group.name}", uuid=group.uuid),))


def read_states(host: Host, layer: LvmLayer) -> Iterator[LayerState]:
    """Whether this node has a system id, by which a volume group is one node's alone (lvmsystemid(7))."""
    said = read_text(host, ("lvm", "systemid"))
    if isinstance(said, Unread):
        yield LayerState(kind="volume group", name=layer.group, says="", wrong=said.why, mend="apt install lvm2")
    elif own := said.rpartition("system ID:")[2].strip():
        yield LayerState(kind="volume group", name=layer.group, says=f"this node is {own} to LVM")
    else:
        wrong = "this node has no LVM system id: it could neither own the group, nor be kept from using it"
        yield LayerState(kind="volume group", name=layer.group, says="", wrong=wrong, mend=SOURCE)


def read_guards(host: Host, layer: LvmLayer) -> Iterator[Guard]:
    """Whose group it is by LVM's own metadata, read from the disk (lvmsystemid(7))."""
    if not layer.disk:
        what = "lies on another layer: its system id is read once that is put together"
        yield Guard(about=layer.group, says=what)
        return
    group = read_group(host, Place(device=layer.disk, offset=0, size=0))
    if isinstance(group, Unread):
        yield Guard(about=layer.group, fails=True, says=group.why)
    elif not group.system_id:
        what, mend = "has no system id: any machine may activate it", f"vgchange --systemid NODE {layer.group}"
        yield Guard(about=layer.group, says=what, mend=mend)
    else:
        says = f"LVM system id {group.system_id}: no other machine activates it; a takeover makes it its own, at once"
        yield Guard(about=layer.group, ready=True, says=says)


def find_ends(host: Host, layer: LvmLayer) -> dict[str, tuple[str, ...]]:  # noqa: ARG001
    return {layer.disk: (layer.disk,)} if layer.disk else {}


def read_room(host: Host, layer: LvmLayer, sizes: Mapping[str, int], below: int) -> Room | Unread:
    """Whatever is free right behind the volume: in several pieces no standby could read what is on it."""
    disk = find_physical(host, layer)
    group = disk if isinstance(disk, Unread) else read_group(host, Place(device=disk, offset=0, size=0))
    return group if isinstance(group, Unread) else find_room(group, layer, sizes.get(layer.disk, below))


def find_physical(host: Host, layer: LvmLayer) -> str | Unread:
    """The disk of the group, which is this node's now."""
    if layer.disk:
        return layer.disk
    said = read_text(host, ("vgs", "--foreign", "--readonly", "--noheadings", "-o", "pv_name", layer.group))
    names = said if isinstance(said, Unread) else said.split()
    if isinstance(names, Unread) or len(names) == 1:
        return names if isinstance(names, Unread) else names[0]
    return Unread(f"{layer.group} has {len(names)} physical volumes: it is grown by hand")


def find_room(group: VolumeGroup, layer: LvmLayer, size: int) -> Room | Unread:
    """On a physical volume of `size` bytes."""
    place = find_volume(group, layer.volume, Place(device=layer.device, offset=0, size=0))
    if isinstance(place, Unread):
        return place
    (physical,) = group.tree["physical_volumes"].values()
    extent, start = int(group.tree["extent_size"]) * SECTOR, int(physical["pe_start"]) * SECTOR
    end = (place.offset + place.size - start) // extent
    whole = (size - start) // extent
    behind = [first for first in _taken(group) if first >= end]
    why = "another volume lies right behind it" if end in behind else ""
    more = max(0, min([whole, *behind]) - end) * extent
    if whole < end:
        return Room(device=layer.device, now=place.size, could=place.size - (end - whole) * extent)
    return Room(device=layer.device, now=place.size, could=place.size + more, why=why)


def _taken(group: VolumeGroup) -> Iterator[int]:
    """The first extent of each piece of each volume."""
    for volume in group.tree["logical_volumes"].values():
        for segment in (
            value for key, value in volume.items() if key.startswith("segment") and isinstance(value, dict)
        ):
            stripes = segment.get("stripes", [])
            yield from (int(first) for first in stripes[1::2])


def _physical(layer: LvmLayer, below: Place) -> Place:
    return Place(device=layer.disk, offset=0, size=0) if layer.disk else below


def read_group(host: Host, place: Place) -> VolumeGroup | Unread:
    head = _read(host, place, 0, 4 * SECTOR)
    text = head if isinstance(head, Unread) else _read_metadata(host, place, head)
    group = text if isinstance(text, Unread) else parse_group(text)
    return Unread(f"{place.device}: {group.why}") if isinstance(group, Unread) else group


def parse_group(text: str) -> VolumeGroup | Unread:
    try:
        tree = parse_config(text)
        name, body = next((key, value) for key, value in tree.items() if isinstance(value, dict))
        return VolumeGroup(
            name=name,
            uuid=str(body["id"]),
            system_id=str(body.get("system_id", "")),
            exported="EXPORTED" in body.get("status", []),
            sequence=int(body["seqno"]),
            tree=body,
        )
    except (KeyError, ValueError, StopIteration, TypeError):
        return Unread("its LVM metadata can't be understood")


def find_volume(group: VolumeGroup, volume: str, pv: Place) -> Place | Unread:
    """Where a linear volume lies, which is in one piece on the physical volume at `pv`."""
    try:
        body = group.tree["logical_volumes"][volume]
        extent, segments = int(group.tree["extent_size"]), int(body["segment_count"])
        segment = body["segment1"]
        if segments != 1 or segment["type"] != "striped" or int(segment["stripe_count"]) != 1:
            return Unread(f"{group.name}/{volume} is not one linear piece: its marks are read where it is active")
        name, first = segment["stripes"]
        start = int(group.tree["physical_volumes"][name]["pe_start"])
        size = int(segment["extent_count"]) * extent * SECTOR
        if len(group.tree["physical_volumes"]) != 1:
            return Unread(f"{group.name} has several physical volumes: its marks are read where it is active")
    except (KeyError, ValueError, TypeError):
        return Unread(f"{group.name} has no volume {volume}")
    return Place(device=pv.device, offset=pv.offset + (start + int(first) * extent) * SECTOR, size=size)


def _read_metadata(host: Host, place: Place, head: bytes) -> str | Unread:
    labels = [head[at : at + SECTOR] for at in range(0, 4 * SECTOR, SECTOR)]
    label = next((one for one in labels if one.startswith(LABEL) and one[24:32] == TYPE), None)
    if label is None:
        return Unread("no LVM physical volume")
    if crc(label[20:]) != struct.unpack_from("<I", label, 16)[0]:
        return Unread("its LVM label is damaged: wrong checksum")
    areas = _areas(label[struct.unpack_from("<I", label, 20)[0] :])
    if not areas:
        return Unread("this physical volume holds no metadata")
    area = _read(host, place, areas[0], SECTOR)
    if isinstance(area, Unread):
        return area
    if area[4:20] != AREA_MAGIC or crc(area[4:]) != struct.unpack_from("<I", area, 0)[0]:
        return Unread("its LVM metadata area is damaged")
    size = struct.unpack_from("<Q", area, 32)[0]
    at, length, check, flags = struct.unpack_from("<QQII", area, 40)
    if not length or length > min(size, BIGGEST) or flags & 1:
        return Unread("it belongs to no volume group")
    data = _read_ring(host, place, areas[0], size, at, length)
    if isinstance(data, Unread):
        return data
    if crc(data) != check:
        return Unread("its LVM metadata is being changed, or damaged: wrong checksum")
    return data.rstrip(b"\0").decode("utf-8", "replace")


def _areas(pv: bytes) -> list[int]:
    """Offsets of the metadata areas: the second list after the header (both end with zeros)."""
    at, lists = 40, []
    for _ in range(2):
        found = []
        while struct.unpack_from("<Q", pv, at)[0]:
            found.append(struct.unpack_from("<Q", pv, at)[0])
            at += 16
        at += 16
        lists.append(found)
    return lists[1]


def _read_ring(host: Host, place: Place, area: int, size: int, at: int, length: int) -> bytes | Unread:
    """The text may go on at the area's beginning, behind its header."""
    first = _read(host, place, area + at, min(length, size - at))
    if isinstance(first, Unread) or len(first) == length:
        return first
    rest = _read(host, place, area + SECTOR, length - len(first))
    return rest if isinstance(rest, Unread) else first + rest


def _read(host: Host, place: Place, at: int, length: int) -> bytes | Unread:
    """Any bytes, by whole sectors of 4096 as some disks want them."""
    begin = place.offset + at
    block, before = divmod(begin, 4096)
    count = -(-(before + length) // 4096)
    data = read_blocks(host, place.device, block, count, 4096)
    return data if isinstance(data, Unread) else data[before : before + length]


def crc(data: bytes) -> int:
    return zlib.crc32(data, FIRST_CRC ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def parse_config(text: str) -> dict[str, Any]:
    """LVM's own text form: sections in braces, name = value, lists in brackets. ValueError where it ends too soon."""
    words = [_value(match) for match in TOKEN.finditer(text) if match[1] is not None or match[2] or match[3]]
    tree, at = _section(words, 0)
    if at != len(words):
        raise ValueError("words after the end")
    return tree


def _value(match: re.Match[str]) -> tuple[str, str]:
    if match[1] is not None:
        return "text", re.sub(r"\\(.)", r"\1", match[1])
    return ("sign", match[2]) if match[2] else ("word", match[3])


def _section(words: list[tuple[str, str]], at: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while at < len(words) and words[at] != ("sign", "}"):
        name = words[at][1]
        if at + 1 >= len(words):
            raise ValueError(f"nothing after {name}")
        if words[at + 1] == ("sign", "{"):
            found[name], at = _section(words, at + 2)
            if at >= len(words):
                raise ValueError(f"{name} does not end")
            at += 1
        else:
            found[name], at = _assigned(words, at + 2)
    return found, at


def _assigned(words: list[tuple[str, str]], at: int) -> tuple[Any, int]:
    if at >= len(words):
        raise ValueError("a value is missing")
    if words[at] != ("sign", "["):
        return words[at][1], at + 1
    end = words.index(("sign", "]"), at)
    return [value for kind, value in words[at + 1 : end] if kind != "sign"], end + 1
