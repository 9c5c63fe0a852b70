"""Storage that assembles itself at boot: LVM, MD, ZFS. Pure: configuration and what the asset lies on -> would it?"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable
from typing import Any

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What a block device lies on, from top to bottom, and the names that fstab(5) may call it by."""

    kinds: tuple[tuple[str, str], ...] = ()  # ("lvm", "vg0-data"), ("raid1", "md0"), ("disk", "sda")
    names: tuple[str, ...] = ()

    @property
    def volume(self) -> tuple[str, str] | None:
        """(volume group, logical volume)"""
        found = next((name for kind, name in self.kinds if kind == "lvm"), None)
        return split_mapped(found) if found else None

    @property
    def arrays(self) -> tuple[str, ...]:
        return tuple(name for kind, name in self.kinds if kind.startswith("raid") or kind == "linear")


def parse_lsblk(text: str, device: str) -> Stack:
    """`lsblk -s -J -o NAME,PATH,TYPE,UUID,LABEL DEVICE` (lsblk(8)); an empty stack for anything else."""
    try:
        tops = json.loads(text)["blockdevices"]
    except (ValueError, KeyError, TypeError):
        return Stack(names=(device,))
    kinds: list[tuple[str, str]] = []
    names = [device]
    for top in tops:
        names += [f"{key}={top[field]}" for key, field in (("UUID", "uuid"), ("LABEL", "label")) if top.get(field)]
        names += [str(top["path"])] if top.get("path") else []
        names += [f"/dev/disk/by-{field}/{top[field]}" for field in ("uuid", "label") if top.get(field)]
        kinds += _walk(top)
    stack = Stack(kinds=tuple(kinds), names=tuple(dict.fromkeys(names)))
    if stack.volume:
        group, volume = stack.volume
        return Stack(kinds=stack.kinds, names=(*stack.names, f"/dev/{group}/{volume}"))
    return stack


def _walk(node: Any) -> list[tuple[str, str]]:
    found = [(str(node.get("type", "")), str(node.get("name", "")))]
    for child in node.get("children") or ():
        found += _walk(child)
    return found


def split_mapped(name: str) -> tuple[str, str] | None:
    """The device mapper's name "vg-lv", with each dash of a part doubled (lvm(8))."""
    parts = re.split(r"(?<!-)-(?!-)", name)
    return (parts[0].replace("--", "-"), parts[1].replace("--", "-")) if len(parts) == 2 else None


# -- LVM
def parse_auto_activation(text: str) -> tuple[str, ...] | None:
    """`activation/auto_activation_volume_list` of lvm.conf(5); None where it is not set: everything is activated."""
    plain = "\n".join(re.sub(r"#.*", "", line) for line in text.splitlines())
    found = re.search(r"(?:activation/)?auto_activation_volume_list\s*=\s*(\[[^\]]*\]|\"[^\"]*\")", plain)
    return tuple(re.findall(r"\"([^\"]*)\"", found[1])) if found else None


def lvm_activates(text: str, group: str, volume: str) -> bool:
    """A tag in the list may fit: it counts as one that does."""
    chosen = parse_auto_activation(text)
    if chosen is None:
        return True
    return any(one in (group, f"{group}/{volume}") or one.startswith("@") for one in chosen)


# -- MD
def parse_mdadm(text: str) -> tuple[tuple[str, ...], ...]:
    """mdadm.conf(5): lines as words; one that begins with a blank continues the one before."""
    lines: list[list[str]] = []
    for line in text.splitlines():
        words = re.sub(r"(^|\s)#.*", "", line).split()
        if words and line[0] in " \t" and lines:
            lines[-1] += words
        elif words:
            lines.append(words)
    return tuple(tuple(words) for words in lines)


def md_assembles(text: str, name: str, uuid: str) -> bool:
    """Whether udev would assemble it as its disks appear: not when it is ignored, or nothing is and it is not named."""
    everything = True
    for keyword, *words in parse_mdadm(text):
        if keyword.upper() == "AUTO":
            everything = not any(word.lower() == "-all" for word in words)
        if keyword.upper() == "ARRAY":
            named = f"UUID={uuid}".lower() in [word.lower() for word in words] or f"/dev/{name}" in words
            if named:
                return "<ignore>" not in words
    return everything


# -- ZFS
def in_pool_cache(data: bytes, pool: str) -> bool:
    """Whether zpool.cache (an XDR nvlist: a string is its length, then its bytes) has this pool."""
    return struct.pack(">I", len(pool)) + pool.encode() in data


def pools_below(mounts: Iterable[tuple[str, str, str]], tree: str) -> tuple[str, ...]:
    """`mounts`: (target, source, file system type) -> the pools that the tree or something in it lies on."""
    inside = [source for target, source, kind in mounts if kind == "zfs" and f"{target}/".startswith(f"{tree}/")]
    return tuple(dict.fromkeys(source.split("/")[0] for source in inside))
