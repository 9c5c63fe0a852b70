"""How large the disks below an asset are, each kernel asked anew; and what each layer has and could have of it.

In: a host and an asset. Out: NodeSizes, or Rooms from the lowest layer to the file system. `read_sizes` has the kernel
ask the disks again, which changes nothing but what it knows of them, and on a node that is no owner fits the multipath
map, which nobody uses there. Nothing is assembled, mounted or grown.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tanist.facts.device import kernel_name, read_size, resolve
from tanist.facts.kinds import kind_of
from tanist.facts.tool import read_text
from tanist.model.growing import NodeSizes, Room
from tanist.model.layers import DrbdLayer
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset

PATIENCE = 30.0  # seconds that a disk is given to tell its size
BLOCK = "/sys/class/block"
XFS_DATA = re.compile(r"^data\s+=.*bsize=(\d+)\s+blocks=(\d+)", re.MULTILINE)
EXT4_COUNT = re.compile(r"^Block count:\s+(\d+)$", re.MULTILINE)
EXT4_BLOCK = re.compile(r"^Block size:\s+(\d+)$", re.MULTILINE)


# -- the disks
def find_ends(host: Host, asset: Asset) -> dict[str, tuple[str, ...]]:
    """Disk as the definition names it -> the devices of this node by which it is reached."""
    if not asset.layers:
        return {disk: (disk,) for disk in asset.disks}
    found: dict[str, tuple[str, ...]] = {}
    for layer in asset.layers:
        for name, devices in kind_of(layer).find_ends(host, layer).items():
            found.setdefault(name, devices)
    return found


def read_sizes(host: Host, asset: Asset, node: str, *, standby: bool) -> NodeSizes:
    """`standby`: nothing of the asset is in use on this node."""
    ends = find_ends(host, asset)
    for device in dict.fromkeys(device for devices in ends.values() for device in devices):
        ask_again(host, device)
    for layer in asset.layers if standby else ():
        if layer.kind == "multipath":
            read_text(host, ("multipathd", "resize", "map", posixpath.basename(layer.device)), timeout=PATIENCE)
    shown = {name: _smallest(host, devices, name) for name, devices in ends.items()}
    if standby:
        shown |= {name: _map_too(host, name, size) for name, size in shown.items() if name not in ends[name]}
    own = tuple((layer.device, _read_own(host, layer)) for layer in asset.layers if isinstance(layer, DrbdLayer))
    return NodeSizes(node=node, sizes=tuple(shown.items()), own=own)


def _read_own(host: Host, layer: DrbdLayer) -> int | Unread:
    from tanist.facts.drbd import read_capacity, read_lower  # most assets have none

    disk = read_lower(host, layer.resource)
    if isinstance(disk, Unread):
        return disk
    ask_again(host, disk)
    return read_capacity(host, layer, disk)


def _smallest(host: Host, devices: tuple[str, ...], name: str) -> int | Unread:
    if not devices:
        return Unread(f"no way to {name} is seen")
    sizes = [read_size(host, device) for device in devices]
    wrong = [one for one in sizes if isinstance(one, Unread)]
    return wrong[0] if wrong else min(one for one in sizes if isinstance(one, int))


def _map_too(host: Host, name: str, size: int | Unread) -> int | Unread:
    """A map that stayed as it was is what a takeover would use."""
    if isinstance(size, Unread) or resolve(host, name) is None:
        return size
    there = read_size(host, name)
    return there if isinstance(there, Unread) else min(size, there)


def ask_again(host: Host, device: str) -> None:
    """SCSI disks (drivers/scsi/scsi_sysfs.c, rescan), iSCSI's among them, and loop devices; NVMe and virtio disks tell
    their kernel by themselves. What it then says is what counts."""
    name = kernel_name(host, device)
    rescan = f"{BLOCK}/{name}/device/rescan"
    if host.files.exists(rescan):
        read_text(host, ("tee", rescan), stdin=b"1\n", timeout=PATIENCE)
    elif host.files.exists(f"{BLOCK}/{name}/loop"):
        read_text(host, ("losetup", "--set-capacity", f"/dev/{name}"), timeout=PATIENCE)


# -- the layers
def read_rooms(host: Host, asset: Asset, target: str, sizes: Mapping[str, int], leave: int) -> Iterator[Room | Unread]:
    """From the lowest layer to the file system mounted at `target`, up to the first that can't be told; a pool's data
    sets have all of it by themselves. `sizes`: of the disks, the smallest that any node sees. `leave`: bytes that a
    volume group is to keep free."""
    below = 0
    for layer in asset.layers:
        room = kind_of(layer).read_room(host, layer, sizes, below)
        if isinstance(room, Room) and layer.kind == "lvm" and leave:
            room = Room(device=room.device, now=room.now, could=max(room.now, room.could - leave), why=room.why)
        yield room
        if isinstance(room, Unread):
            return
        below = room.could if room.grows else room.now
    for device in (asset.device, *asset.members) if asset.fstype != "zfs" else ():
        has = sizes.get(device, 0) if device in asset.members or not asset.layers else below
        yield read_file_system_room(host, asset, device, target, has)


def read_file_system_room(host: Host, asset: Asset, device: str, target: str, below: int) -> Room | Unread:
    now = read_file_system(host, asset.fstype, device, target)
    if isinstance(now, Unread):
        return now
    return Room(device=device, now=now, could=below // 4096 * 4096)


def read_file_system(host: Host, fstype: str, device: str, target: str) -> int | Unread:
    """Bytes of the mounted file system as its own tool tells them; of a btrfs, on this device."""
    match fstype:
        case "ext4":
            said = read_text(host, ("dumpe2fs", "-h", device), timeout=PATIENCE)
            return said if isinstance(said, Unread) else parse_ext4(said)
        case "xfs":
            said = read_text(host, ("xfs_growfs", "-n", target), timeout=PATIENCE)
            return said if isinstance(said, Unread) else parse_xfs(said)
        case _:
            found = read_btrfs(host, device, target)
            return found if isinstance(found, Unread) else found[1]


def parse_ext4(text: str) -> int | Unread:
    count, block = EXT4_COUNT.search(text), EXT4_BLOCK.search(text)
    return int(count[1]) * int(block[1]) if count and block else Unread("dumpe2fs tells no size")


def parse_xfs(text: str) -> int | Unread:
    found = XFS_DATA.search(text)
    return int(found[1]) * int(found[2]) if found else Unread("xfs_growfs tells no size")


def read_btrfs(host: Host, device: str, target: str) -> tuple[int, int] | Unread:
    """(number, bytes) of that device in the btrfs mounted there."""
    said = read_text(host, ("btrfs", "filesystem", "show", "--raw", target), timeout=PATIENCE)
    if isinstance(said, Unread):
        return said
    own = resolve(host, device)
    for number, size, path in parse_btrfs(said):
        if resolve(host, path) == own and own is not None:
            return number, size
    return Unread(f"{device} is no device of the btrfs at {target}: btrfs filesystem show {target}")


def parse_btrfs(text: str) -> Iterator[tuple[int, int, str]]:
    for line in text.splitlines():
        words = line.split(maxsplit=7)
        if words[:1] == ["devid"] and len(words) == 8:
            yield int(words[1]), int(words[3]), words[7]
