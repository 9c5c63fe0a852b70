"""The asset as a device of this node: is it the same one that the other node sees (blkid(8), blockdev(8))?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.device import parse_export, read_size
from tanist.facts.storage import read_marks
from tanist.facts.tool import read_text
from tanist.model.readout import Disk
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset


def read_disk(host: Host, asset: Asset) -> Disk | Unread | None:
    """Nothing is mounted and nothing written. None for an asset that is no device of its own."""
    if not asset.device:
        return None
    if asset.kind == "nfs":
        return Disk(device=asset.device, fstype=asset.fstype, supported=_is_supported(host, asset.fstype))
    if asset.replicated is not None or asset.zfs is not None:
        return _read_copy(host, asset)
    size = read_size(host, asset.device)
    if isinstance(size, Unread):
        return size
    probed = read_text(host, ("blkid", "-p", "-o", "export", asset.device))
    if isinstance(probed, Unread):
        return probed
    values = parse_export(probed)
    fstype = values.get("TYPE", "")
    return Disk(
        device=asset.device,
        size=size,
        uuid=values.get("UUID", ""),
        fstype=fstype,
        supported=not fstype or _is_supported(host, fstype),
    )


def _read_copy(host: Host, asset: Asset) -> Disk | Unread:
    """The device of a Secondary can't be opened, and a pool is none: what the file system's own marks say."""
    marks = read_marks(host, asset, watch_seconds=0.0)
    if isinstance(marks, Unread):
        return marks
    known = _is_supported(host, marks.fstype)
    return Disk(device=asset.device, size=marks.size, uuid=marks.uuid, fstype=marks.fstype, supported=known)


def _is_supported(host: Host, fstype: str) -> bool:
    try:
        known = host.files.read("/proc/filesystems", 65536).decode("ascii", "replace").split()
    except OSError:
        known = []
    if fstype in known:
        return True
    said = read_text(host, ("modprobe", "-n", "-q", fstype))
    return not isinstance(said, Unread)
