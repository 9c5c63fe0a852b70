"""An md array's marks on its members (kernel: drivers/md/md.c, include/uapi/linux/raid/md_p.h; md(4)).

In: the paths of the members. Out: what each says of the array, or Unread. Never assembles, never writes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tanist.facts.device import Place, is_block_device, kernel_name, read_blocks, read_size
from tanist.facts.kinds import Guard, Marks
from tanist.facts.selfstart.stacks import md_assembles
from tanist.facts.sysfs import read_word
from tanist.model.dataclasses import dataclass
from tanist.model.growing import Room
from tanist.model.hardware import Identity
from tanist.model.readout import LayerState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layers import MdLayer

MDADM = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")
MAGIC = 0xA92B4EFC
SECTOR = 512
RAID1 = 1
MISSING = 0xFFFE  # roles from here on up: faulty, spare, journal
AGAIN = 0.3  # seconds; md marks all members at once, so that none is behind for longer than a write takes
TIME = (1 << 40) - 1  # seconds; the bits above are for microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    device: str
    uuid: str
    events: int
    in_sync: bool
    level: int
    written: int  # when its array wrote this mark, seconds since 1970
    offset: int  # bytes before the data
    size: int  # bytes of data


def find_place(host: Host, layer: MdLayer, below: Place) -> Place | Unread:  # noqa: ARG001
    """Its members lie on disks of their own."""
    if is_block_device(host, layer.device):
        return Place(device=layer.device, offset=0, size=0)
    members, wrong = _read_once(host, layer)
    if not members:
        return Unread(f"no member of {layer.device} can be read: {'; '.join(wrong)}")
    newest = members[0]
    if newest.level != RAID1:
        return Unread(f"{layer.device} is RAID {newest.level}: its marks are read where it is assembled")
    return Place(device=newest.device, offset=newest.offset, size=newest.size)


def read_marks(host: Host, layer: MdLayer, below: Place) -> Marks:  # noqa: ARG001
    members, _ = _read_once(host, layer)
    return Marks(identities=tuple(Identity(what=f"array {layer.device}", uuid=one.uuid) for one in members[:1]))


def read_states(host: Host, layer: MdLayer) -> Iterator[LayerState]:
    yield read_array(host, layer)
    if starts := read_start(host, layer):
        yield starts


def read_array(host: Host, layer: MdLayer) -> LayerState:
    members, wrong = read_members(host, layer)
    left = f"{len(members)} of {len(layer.members)} members of {layer.device} are there"
    if not wrong:
        return LayerState(kind="array", name=layer.device, says=left)
    mend = f"replace the disk; while the array is assembled: mdadm {layer.device} --add MEMBER"
    return LayerState(kind="array", name=layer.device, says=left, wrong=f"{left}; {'; '.join(wrong)}", mend=mend)


def describe_missing(host: Host, layer: MdLayer) -> str:
    """What is wrong with members, and what may be lost with those of which nothing is known; "" where all are there."""
    members, wrong = read_members(host, layer)
    if not wrong or not members:
        return "; ".join(wrong)
    newest = members[0]
    says = f"{layer.device} has {_count(members, newest)} of {len(layer.members)} members: {'; '.join(wrong)}"
    unseen = [device for device in layer.members if device not in {one.device for one in members}]
    if not unseen:
        return says
    at = datetime.fromtimestamp(newest.written, UTC).isoformat(timespec="seconds")
    return (
        f"{says}. {newest.device} was marked last at {at}: if {' or '.join(unseen)} went on alone after that, "
        "what was written then is not on it"
    )


def _count(members: tuple[Member, ...], newest: Member) -> int:
    return sum(one.events == newest.events for one in members)


def read_start(host: Host, layer: MdLayer) -> LayerState | None:
    """An array that a boot would assemble as its disks appear: seen also while it is not assembled."""
    texts = [host.files.read(path, 1 << 20).decode("utf-8", "replace") for path in MDADM if host.files.exists(path)]
    if not md_assembles("\n".join(texts), layer.device.removeprefix("/dev/"), layer.uuid):
        return None
    says = f"MD assembles {layer.device} at boot, as soon as its disks appear"
    mend = "in mdadm.conf: AUTO -all   then: update-initramfs -u (dracut -f)"
    return LayerState(kind="array", name=f"{layer.device} at boot", says=says, wrong=says, mend=mend)


def read_guards(host: Host, layer: MdLayer) -> tuple[Guard, ...]:  # noqa: ARG001
    """md has no owner."""
    return ()


def find_ends(host: Host, layer: MdLayer) -> dict[str, tuple[str, ...]]:  # noqa: ARG001
    return {member: (member,) for member in layer.members}


def read_room(host: Host, layer: MdLayer, sizes: Mapping[str, int], below: int) -> Room | Unread:  # noqa: ARG001
    """All members must be there and alike: one that comes back later has to be large enough as well."""
    now = read_size(host, layer.device)
    members, wrong = read_members(host, layer)
    state = f"/sys/class/block/{kernel_name(host, layer.device)}/md"
    if isinstance(now, Unread):
        return now
    if wrong or read_word(host, f"{state}/degraded") != "0":
        return Unread(f"{layer.device} is not whole{'; ' if wrong else ''}{'; '.join(wrong)}: cat /proc/mdstat")
    if (doing := read_word(host, f"{state}/sync_action")) != "idle":
        return Unread(f"{layer.device} is at work on itself ({doing}), let it end first: cat /proc/mdstat")
    return Room(
        device=layer.device, now=now, could=min(sizes[one.device] - one.offset for one in members) // 1024 * 1024
    )


def read_members(host: Host, layer: MdLayer) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """Those that belong to the array, newest first, and what is wrong with the others. While its owner is at work one
    may be read before its mark is written anew and the next one after: left behind is who stays behind."""
    found, wrong = _read_once(host, layer)
    if any(one.events < found[0].events for one in found):
        before = {one.device: one.events for one in found}
        host.sleep(AGAIN)
        found, wrong = _read_once(host, layer)
        behind = (one for one in found if one.events < found[0].events and one.events == before.get(one.device))
        left = (f"{one.device}: left behind ({one.events} events of {found[0].events})" for one in behind)
        wrong = (*wrong, *left)
    return found, wrong


def _read_once(host: Host, layer: MdLayer) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    found, wrong = [], []
    for device in layer.members:
        data = read_blocks(host, device, 1, 1, 4096)
        member = data if isinstance(data, Unread) else parse_member(device, data)
        if isinstance(member, Unread):
            wrong.append(f"{device}: {member.why}")
        elif layer.uuid and member.uuid != layer.uuid:
            wrong.append(f"{device}: belongs to another array, {member.uuid}")
        else:
            found.append(member)
    return tuple(sorted(found, key=lambda one: (-one.events, not one.in_sync))), tuple(wrong)


def parse_member(device: str, data: bytes) -> Member | Unread:
    """`data`: 4096 bytes at offset 4096 (metadata 1.2)."""
    magic, major = struct.unpack_from("<II", data, 0)
    if magic != MAGIC or major != 1:
        return Unread("no md super block of version 1.2")
    disks = struct.unpack_from("<I", data, 220)[0]
    if not 1 <= disks <= 1920 or _checksum(data, disks) != struct.unpack_from("<I", data, 216)[0]:
        return Unread("the md super block is damaged: wrong checksum")
    number = struct.unpack_from("<I", data, 160)[0]
    role = struct.unpack_from("<H", data, 256 + 2 * number)[0] if number < disks else MISSING
    level = struct.unpack_from("<i", data, 72)[0]
    size = struct.unpack_from("<Q", data, 80)[0]
    offset = struct.unpack_from("<Q", data, 128)[0]
    return Member(
        device=device,
        uuid=data[16:32].hex(":", 4),
        events=struct.unpack_from("<Q", data, 200)[0],
        in_sync=role < MISSING,
        level=level,
        written=struct.unpack_from("<Q", data, 192)[0] & TIME,
        offset=offset * SECTOR,
        size=size * SECTOR,
    )


def _checksum(data: bytes, disks: int) -> int:
    """md.c, calc_sb_1_csum: the sum of all words, its own place taken as 0, folded once."""
    size = 256 + disks * 2
    whole = data[:216] + bytes(4) + data[220:size]
    words: tuple[int, ...] = struct.unpack_from(f"<{size // 4}I", whole)
    total = sum(words) + (int.from_bytes(whole[-2:], "little") if size % 4 else 0)
    return ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF
