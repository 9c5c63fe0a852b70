"""Who on this node uses disks: mounts, swap, what is put together on them, and processes (fuser(1)). Only looks."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tanist.facts.sysfs import list_names, read_word

if TYPE_CHECKING:
    from tanist.host.host import Host


def find_users(host: Host, disks: tuple[str, ...]) -> tuple[str, ...]:
    """Who on this node uses the disks, or parts of them: mounts, and what is put together on them."""
    mounts = {one.device: one.target for one in host.mounts()}
    found = []
    for disk in disks:
        block = f"/sys/class/block/{disk}"
        for name in (disk, *(one for one in list_names(host, block) if one.startswith(disk))):
            place = f"/sys/class/block/{name}"
            found += [f"/dev/{name} by {one}" for one in list_names(host, f"{place}/holders")]
            number = read_word(host, f"{place}/dev")
            found += [f"/dev/{name} mounted at {mounts[number]}"] if number in mounts else []
    swaps = read_word(host, "/proc/swaps").splitlines()[1:]
    used = {posixpath.basename(line.split()[0]) for line in swaps if line}
    return (*found, *(f"/dev/{one} by swap" for one in disks if one in used))


def parse_pids(text: str) -> list[str]:
    """Process numbers as fuser(1) prints them, without its letters for the kind of use."""
    return [word.rstrip("cefFrm") for word in text.split()]
