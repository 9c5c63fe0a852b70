"""The asset as a device of this node: is it the same one that the other node sees (blkid(8), blockdev(8))?"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    size = read_text(host, ("blockdev", "--getsize64", asset.device))
    if isinstance(size, Unread):
        return size
    probed = read_text(host, ("blkid", "-p", "-o", "export", asset.device))
    if isinstance(probed, Unread):
        return probed
    values = parse_export(probed)
    fstype = values.get("TYPE", "")
    return Disk(
        device=asset.device,
        size=int(size) if size.strip().isdigit() else 0,
        uuid=values.get("UUID", ""),
        fstype=fstype,
        supported=not fstype or _is_supported(host, fstype),
    )


def parse_export(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _is_supported(host: Host, fstype: str) -> bool:
    try:
        known = host.files.read("/proc/filesystems", 65536).decode("ascii", "replace").split()
    except OSError:
        known = []
    if fstype in known:
        return True
    said = read_text(host, ("modprobe", "-n", "-q", fstype))
    return not isinstance(said, Unread)
