"""The devices that the asset lies on, down to the disks, and the ways to these (lsblk(8), sysfs).

Reads what the kernel and udev know of them; no disk is asked, and nothing is assembled or activated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tanist.facts.sysfs import read_number, read_word
from tanist.facts.tool import read_text
from tanist.model.dataclasses import replace
from tanist.model.hardware import BlockDevice, DiskPath
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

COLUMNS = "NAME,KNAME,TYPE,SIZE,SERIAL,WWN,MODEL,TRAN"
PCI = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}(?=\.[0-7](?:/|$))")
BLOCK = "/sys/class/block"
SUBSYSTEMS = "/sys/class/nvme-subsystem"
LOWEST = ("disk", "mpath", "loop", "rom")
VIRTUAL = re.compile(r"loop|vd[a-z]|xvd[a-z]|nbd|zram|ram")
SERIALS = ("device/serial", "serial")
NAMES = ("wwid", "device/wwid")


def read_devices(host: Host, paths: Sequence[str]) -> tuple[tuple[BlockDevice, ...], dict[str, str]] | Unread:
    """The devices at these paths and all that they lie on, each once, and the name of each path's own device."""
    found: dict[str, BlockDevice] = {}
    names: dict[str, str] = {}
    for path in paths:
        said = read_text(host, ("lsblk", "-J", "-b", "-s", "-o", COLUMNS, "--", path))
        if isinstance(said, Unread):
            return said
        try:
            devices = parse_lsblk(said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return Unread(f"lsblk {path}: its answer can't be read: {error!r}")
        names[path] = devices[0].name if devices else ""
        found |= {one.name: one for one in devices if one.name not in found}
    return tuple(_look_closer(host, one, found) for one in found.values()), names


def parse_lsblk(text: str) -> tuple[BlockDevice, ...]:
    """The uppermost first. ValueError, KeyError, TypeError or AttributeError for what `lsblk -J -s` does not print."""
    found: dict[str, BlockDevice] = {}
    for one in json.loads(text)["blockdevices"]:
        _add(one, found)
    return tuple(found.values())


def _add(one: dict[str, Any], found: dict[str, BlockDevice]) -> None:
    below = one.get("children") or []
    name = str(one["kname"])
    found[name] = BlockDevice(
        name=name,
        title=str(one["name"]),
        kind=str(one["type"]),
        size=int(one["size"] or 0),
        wwn=_text(one, "wwn"),
        serial=_text(one, "serial"),
        model=_text(one, "model"),
        transport=_text(one, "tran"),
        below=tuple(str(item["kname"]) for item in below),
    )
    for item in below:
        if str(item["kname"]) not in found:
            _add(item, found)


def _text(one: dict[str, Any], key: str) -> str:
    value = one.get(key)
    return str(value).strip() if value is not None else ""


def _look_closer(host: Host, device: BlockDevice, found: dict[str, BlockDevice]) -> BlockDevice:
    """What sysfs knows besides: ways to a disk, its errors, and its names where udev is not there to tell them."""
    if device.kind not in LOWEST:
        return device
    ways = device.below if device.kind == "mpath" else (device.name,)
    if device.kind == "mpath" and ways:
        first = found[ways[0]]
        device = replace(device, wwn=first.wwn, serial=first.serial, model=first.model, transport=first.transport)
    source = ways[0] if ways else device.name
    return replace(
        device,
        wwn=device.wwn or _first(host, source, NAMES),
        serial=device.serial or _first(host, source, SERIALS),
        virtual=VIRTUAL.match(device.name) is not None,
        paths=_read_nvme_paths(host, device.name) or tuple(_read_path(host, name) for name in ways),
        io_errors=sum(read_number(host, f"{BLOCK}/{name}/device/ioerr_cnt") for name in ways),
    )


def add_unused_paths(host: Host, devices: Iterable[BlockDevice]) -> tuple[BlockDevice, ...]:
    """Other devices of this node with the same WWN as one of these disks are ways to it that nobody goes."""
    said = read_text(host, ("lsblk", "-J", "-b", "-d", "-o", COLUMNS))
    try:
        others = () if isinstance(said, Unread) else parse_lsblk(said)
    except (ValueError, KeyError, TypeError, AttributeError):
        others = ()
    return tuple(_with_unused(host, one, others) if one.wwn and one.paths else one for one in devices)


def _with_unused(host: Host, device: BlockDevice, others: Iterable[BlockDevice]) -> BlockDevice:
    known = {device.name, *device.below, *(path.name for path in device.paths)}
    spare = [one.name for one in others if one.kind == "disk" and one.wwn == device.wwn and one.name not in known]
    more = tuple(replace(_read_path(host, name), used=False) for name in spare)
    return replace(device, paths=(*device.paths, *more))


def _read_path(host: Host, name: str) -> DiskPath:
    return DiskPath(
        name=name, adapter=read_adapter(host, f"{BLOCK}/{name}"), state=_first(host, name, ("device/state",))
    )


def _read_nvme_paths(host: Host, name: str) -> tuple[DiskPath, ...]:
    """The controllers of a namespace, where the kernel itself goes several ways (nvme_core.multipath)."""
    match = re.match(r"nvme(\d+)n\d+$", name)
    try:
        link = host.files.read_link(f"{BLOCK}/{name}") if match else ""
        subsystem = re.search(r"/(nvme-subsys\d+)/", link)
        entries = host.files.list(f"{SUBSYSTEMS}/{subsystem[1]}") if subsystem else ()
    except OSError:
        return ()
    return tuple(
        DiskPath(
            name=one,
            adapter=read_adapter(host, f"/sys/class/nvme/{one}"),
            state=read_word(host, f"/sys/class/nvme/{one}/state"),
        )
        for one in entries
        if re.fullmatch(r"nvme\d+", one)
    )


def read_adapter(host: Host, path: str) -> str:
    """The slot of the last PCI device on the way to it, without the function; "" for what is on no PCI bus."""
    try:
        found = PCI.findall(host.files.read_link(path))
    except OSError:
        return ""
    return found[-1] if found else ""


def _first(host: Host, name: str, files: Sequence[str]) -> str:
    return next((word for file in files if (word := read_word(host, f"{BLOCK}/{name}/{file}"))), "")
