"""btrfs's marks and its claim, from the raw devices.

In: the devices of one file system. Out: StorageMarks, the bytes of the claim, or Unread. Never mounts, never writes.
btrfs keeps no mark of being mounted: without a log to replay, one that was unmounted and one that is at work look the
same. So it is never "clean".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.btrfs.claim import read_claim
from tanist.facts.btrfs.devices import find_devices
from tanist.facts.btrfs.superblock import ERROR, SEEDING, SuperBlock, explain_unreadable
from tanist.facts.btrfs.trees import Trees, UnreadableError
from tanist.model.storage import StorageMarks, StorageState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

CONTENTS = {0x1: "data", 0x4: "metadata"}  # the chunks' kinds, and how often each is kept
PROFILES = {
    0x8: "raid0",
    0x10: "raid1",
    0x20: "dup",
    0x40: "raid10",
    0x80: "raid5",
    0x100: "raid6",
    0x200: "raid1c3",
    0x400: "raid1c4",
}
TRIES = 5  # an owner at work commits every 30 s, and whenever it is asked to


def read_marks(host: Host, devices: Sequence[str]) -> StorageMarks | Unread:
    found = find_devices(host, devices)
    if isinstance(found, Unread):
        return found
    state, detail = judge_marks(found.block)
    detail = "; ".join((detail, *found.wrong))
    block = found.block
    return StorageMarks(fstype="btrfs", state=state, detail=detail, label=block.label, uuid=block.uuid, size=block.size)


def judge_marks(block: SuperBlock) -> tuple[StorageState, str]:
    if block.flags & ERROR:
        return "dirty", "with errors that the kernel noted: run btrfs check"
    if block.log is not None:
        return "dirty", "not unmounted: its log is to be replayed"
    if block.flags & SEEDING:
        return "unknown", "a seed: it can only be read"
    if why := explain_unreadable(block):
        return "unknown", why
    return "unknown", "no log to replay; btrfs keeps no mark of being mounted"


def read_claim_file(host: Host, devices: Sequence[str], *, whole: bool = True) -> bytes | Unread:
    """Again where another node has written meanwhile. `whole`: see find_devices()."""
    found = find_devices(host, devices, whole=whole)
    for _ in range(TRIES):
        if isinstance(found, Unread):
            return found
        claim = read_claim(host, found)
        if not isinstance(claim, Unread):
            return claim
        before, found = found, find_devices(host, devices, whole=whole)
        if found == before:
            return claim
    return Unread("its owner commits quicker than it can be read")


def read_profiles(host: Host, devices: Sequence[str]) -> tuple[str, ...] | Unread:
    """In use, as the chunk tree has them: ("data raid1", "metadata raid1")."""
    found = find_devices(host, devices)
    if isinstance(found, Unread):
        return found
    try:
        kinds = {chunk.kind for chunk in Trees(host, found.devices, found.block).walk_chunks()}
    except UnreadableError as error:
        return Unread(str(error))
    except (struct.error, IndexError):
        return Unread("a block of its trees is damaged")
    names = {
        f"{content} {next((name for bit, name in PROFILES.items() if kind & bit), 'single')}"
        for kind in kinds
        for part, content in CONTENTS.items()
        if kind & part
    }
    return tuple(sorted(names))
