"""Would this node's kernel mount the asset's file system? From its super block, never by trying.

In: a host and an asset. Out: what stands in the way, "" where nothing is known to: what can't be read here is told by
those who read the marks and the claim. Never mounts, never writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts import ext4, xfs
from tanist.facts.backups import describe_backups
from tanist.facts.features import is_to_be_repaired, parse_features, read_super_block
from tanist.facts.view import open_view
from tanist.model.filesystems import find_lacking, has_backports, parse_release
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset

OSRELEASE = "/proc/sys/kernel/osrelease"


def check_mountable(host: Host, asset: Asset) -> str:
    if asset.kind != "filesystem" or not asset.fstype or asset.zfs is not None:
        return ""
    if asset.members:
        return _check_members(host, asset)
    with open_view(host, asset) as device:
        data = device if isinstance(device, Unread) else read_super_block(host, device, asset.fstype)
        if isinstance(data, Unread) or isinstance(device, Unread):
            return ""
        damage = find_damage(data, asset.fstype)
        if damage:
            return f"{asset.device}: {damage}; {describe_backups(host, device, asset.fstype, asset.device)}"
    return judge_features(data, asset, read_release(host))


def _check_members(host: Host, asset: Asset) -> str:
    """One super block tells enough; whether a device may be missing is for the mount to say."""
    read = [read_super_block(host, device, asset.fstype) for device in asset.disks]
    whole = [data for data in read if not isinstance(data, Unread) and not find_damage(data, asset.fstype)]
    return judge_features(whole[0], asset, read_release(host)) if whole else ""


def find_damage(data: bytes, fstype: str) -> str:
    """`data`: as read_super_block() reads them."""
    if fstype == "btrfs":
        from tanist.facts.btrfs import superblock  # most assets are not, and each start would pay for it

        found = superblock.parse_super_block(data)
        return found.why if isinstance(found, Unread) else ""
    block = xfs.parse_super_block(data) if fstype == "xfs" else ext4.parse_super_block(data[1024:2048])
    return block.why if isinstance(block, Unread) else ""


def judge_features(data: bytes, asset: Asset, kernel: str) -> str:
    """`kernel`: as uname -r says it. One whose number tells little judges for itself, at the mount."""
    device = asset.device
    if is_to_be_repaired(data, asset.fstype):
        return f"{device}: xfs has marked it as to be repaired, and no kernel mounts it: xfs_repair -n {device}"
    features, release = parse_features(data, asset.fstype), parse_release(kernel)
    if isinstance(features, Unread) or not release or has_backports(kernel):
        return ""
    lacking = find_lacking(features, release)
    if not lacking:
        return ""
    return (
        f"{device}: its file system has {', '.join(lacking)}, which this node's kernel {kernel} does not mount; "
        "bring this node to the kernel that made it"
    )


def read_release(host: Host) -> str:
    try:
        return host.files.read(OSRELEASE, 256).decode("ascii", "replace").strip()
    except OSError:
        return ""
