"""A copy-on-write snapshot of the tree as what a drill's copy is read from: one point in time, as after a power cut.

btrfs, where the tree is a subvolume of its own; everything else is read as it is. A snapshot lies in the tree, where
nobody but root looks, and is gone with the reading. One that a killed drill left is removed before the next one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.facts.idmaps import read_fstype
from tanist.model.errors import Failed

if TYPE_CHECKING:
    from tanist.host.host import Host

SUBVOLUME = 256  # inode of its root directory (btrfs(5), BTRFS_FIRST_FREE_OBJECTID)
PLACE = ".tanist/drill-snapshot"
TIMEOUT = 120.0  # seconds


def find_snapshot(host: Host, tree: str) -> str:
    """How one can be had: "btrfs", or "" for not at all."""
    info = host.files.stat(tree)
    if info is None or info.st_ino != SUBVOLUME or read_fstype(host, tree) != "btrfs":
        return ""
    try:
        return "btrfs" if host.run(["btrfs", "--version"], ok=None).status == 0 else ""
    except FileNotFoundError:
        return ""


@contextlib.contextmanager
def snapshot_of(host: Host, tree: str) -> Iterator[str]:
    """Where it can be read, for as long as the block runs; the tree itself where there is none. Failed when it can't
    be made."""
    how = find_snapshot(host, tree)
    if not how:
        yield tree
        return
    place = f"{tree}/{PLACE}"
    remove(host, place)
    made = host.run(["btrfs", "subvolume", "snapshot", "-r", "--", tree, place], ok=None, timeout=TIMEOUT)
    if made.status != 0:
        raise Failed(f"no snapshot of {tree} can be made: {made.complaint}")
    try:
        yield place
    finally:
        remove(host, place)


def remove(host: Host, place: str) -> None:
    if host.files.exists(place):
        host.run(["btrfs", "subvolume", "delete", "--", place], timeout=TIMEOUT)
