"""Arrays and multipath devices that are at work on this node (md(4), sysfs; dmsetup(8) status).

Sources: the kernel's Documentation/admin-guide/md.rst, device-mapper/dm-raid.rst, and drivers/md/dm-mpath.c for the
status of a multipath device. Only looks: a scrub is not begun, no path is tried.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.dataclasses import replace
from tanist.model.hardware import Array, BlockDevice
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

BLOCK = "/sys/class/block"
PATH = re.compile(r"(\d+:\d+) ([AF]) \d+")


States = dict[str, str]  # by mapped device: its first line of dmsetup status, without its name


def read_arrays(host: Host, devices: Sequence[BlockDevice], states: States | Unread) -> tuple[Array, ...] | Unread:
    found = []
    for device in devices:
        if not re.fullmatch(r"raid\d+|linear", device.kind) or not device.name.startswith("md"):
            continue
        try:
            found.append(_read_md(host, device.name))
        except (OSError, ValueError) as error:
            return Unread(f"{device.title}: {error}")
    if isinstance(states, Unread):
        return states
    below = {device.name: device for device in devices}
    volumes = (device for device in devices if device.kind == "lvm")
    raids = (parse_raid(device, states.get(device.title, ""), below) for device in volumes)
    return (*found, *(one for one in raids if one is not None))


def _read_md(host: Host, name: str) -> Array:
    place = f"{BLOCK}/{name}/md"
    members = {
        one.removeprefix("dev-"): _word(host, f"{place}/{one}/state")
        for one in host.files.list(place)
        if one.startswith("dev-")
    }
    whole = tuple(one for one, state in members.items() if "in_sync" in state.split(","))
    return Array(
        name=name,
        level=_word(host, f"{place}/level"),
        disks=int(_word(host, f"{place}/raid_disks").split()[0]),
        in_sync=whole,
        others=tuple(f"{one}: {state}" for one, state in members.items() if one not in whole),
        action=_word(host, f"{place}/sync_action", "idle"),
        done=_word(host, f"{place}/sync_completed", "none").replace("none", "").replace(" / ", " of "),
        mismatches=int(_word(host, f"{place}/mismatch_cnt", "0") or 0),
        last_action=_word(host, f"{place}/last_sync_action", ""),
    )


def _word(host: Host, path: str, default: str | None = None) -> str:
    """OSError where it is not there and has no default: levels without redundancy have no sync_action."""
    try:
        return host.files.read(path, 4096).decode("ascii", "replace").strip()
    except FileNotFoundError:
        if default is None:
            raise
        return default


def read_states(host: Host, devices: Sequence[BlockDevice]) -> States | Unread:
    """Where one of them is mapped: "0 409600 raid raid1 2 AA 409600/409600 idle 0 0 -"."""
    if not any(device.kind in ("lvm", "mpath") for device in devices):
        return {}
    said = read_text(host, ("dmsetup", "status"))
    if isinstance(said, Unread):
        return said
    lines = [line.partition(": ") for line in said.splitlines()]
    return {name: rest for name, _, rest in reversed(lines) if rest}


def parse_raid(device: BlockDevice, status: str, below: dict[str, BlockDevice]) -> Array | None:
    """dm-raid.rst, "Status": kind, disks, a letter of each (A alive, a not in sync, D dead or failed), how far it is,
    what it is doing, mismatches. None for a volume without RAID."""
    words = status.split()
    if len(words) < 9 or words[2] != "raid" or not words[4].isdigit():
        return None
    images = [name for name in device.below if "_rimage_" in below[name].title]
    health = dict(zip(images, words[5], strict=False))
    tells = {"a": "not in sync", "D": "dead", "-": "missing"}
    return Array(
        name=device.name,
        level=re.sub(r"_.*", "", words[3]),
        disks=int(words[4]),
        in_sync=tuple(name for name, letter in health.items() if letter == "A"),
        others=tuple(f"{below[name].title}: {tells.get(one, one)}" for name, one in health.items() if one != "A"),
        action=words[7],
        done=words[6].replace("/", " of ") if words[7] != "idle" else "",
        mismatches=int(words[8]) if words[8].isdigit() else 0,
    )


def mark_failed_paths(host: Host, devices: Sequence[BlockDevice], states: States | Unread) -> tuple[BlockDevice, ...]:
    """multipath tells of each path whether it goes that way (A) or has given it up (F)."""
    if isinstance(states, Unread):
        return tuple(devices)
    return tuple(_mark(host, one, states.get(one.title, "")) if one.kind == "mpath" else one for one in devices)


def _mark(host: Host, device: BlockDevice, status: str) -> BlockDevice:
    failed = {number for number, letter in PATH.findall(status) if letter == "F"}
    marked = [
        replace(path, state="failed") if _word(host, f"{BLOCK}/{path.name}/dev", "") in failed else path
        for path in device.paths
    ]
    return replace(device, paths=tuple(marked))
