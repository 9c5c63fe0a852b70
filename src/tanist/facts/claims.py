"""Claims of any controller on a disk, whatever layers it lies under: nothing is mounted, assembled or activated.

A claim in a stack that can't be read from marks alone (stripes, RAID other than 1, other file systems) is not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.facts import ext4, lvm, md, xfs
from tanist.facts.device import Place, ask, read_export
from tanist.facts.view import open_window
from tanist.journal.claimfile import parse_claim
from tanist.model.claim import Claim
from tanist.model.layers import MdLayer
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

DEEPEST = 4  # layers


def find_claims(host: Host, device: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    places = [device, *(f"/dev/{part}" for part in parts)]
    return tuple(dict.fromkeys(claim for place in places for claim in _claims(host, device=place, depth=0)))


def _claims(host: Host, *, device: str, depth: int) -> Iterator[str]:
    kind = read_export(host, device).get("TYPE", "")
    if depth > DEEPEST or not kind:
        return
    if kind in ("ext4", "xfs", "btrfs"):
        data = _read_claim_file(host, kind, device)
        claim = data if isinstance(data, Unread) else parse_claim(data)
        if isinstance(claim, Claim):
            yield f"{claim.controller} is {claim.describe()}"
    elif kind == "linux_raid_member":
        members, _ = md.read_members(host, MdLayer(device="", uuid="", members=(device,)))
        for one in members:
            if one.level == md.RAID1:
                yield from _below(host, Place(device=device, offset=one.offset, size=one.size), depth)
    elif kind == "LVM2_member":
        place = Place(device=device, offset=0, size=0)
        group = lvm.read_group(host, place)
        for volume in () if isinstance(group, Unread) else group.tree.get("logical_volumes", {}):
            found = group if isinstance(group, Unread) else lvm.find_volume(group, volume, place)
            if isinstance(found, Place):
                yield from _below(host, found, depth)


def _read_claim_file(host: Host, kind: str, device: str) -> bytes | Unread:
    match kind:
        case "ext4":
            return ext4.read_claim_file(host, device)
        case "xfs":
            return xfs.read_claim_file(host, device)
        case _:
            from tanist.facts.btrfs import marks

            return marks.read_claim_file(host, (device,), whole=False)


def _below(host: Host, place: Place, depth: int) -> Iterator[str]:
    window = open_window(host, place)
    if isinstance(window, Unread):
        return
    try:
        yield from _claims(host, device=window, depth=depth + 1)
    finally:
        ask(host, ["losetup", "--detach", window])
