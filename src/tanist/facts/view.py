"""A look at a file system below which there are layers that this node has not put together: a read-only window.

In: a host and an asset. Out: for as long as the `with` lasts, a device to read from. Where the layers are up on this
node that is the asset's own device, or else a read-only loop device over the right bytes of a disk. Nothing is
assembled, activated or written.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tanist.facts.device import Place, ask
from tanist.model.definition import LvmLayer, MdLayer
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset


@contextmanager
def open_view(host: Host, asset: Asset) -> Iterator[str | Unread]:
    place = find_place(host, asset)
    if isinstance(place, Unread):
        yield place
        return
    if not place.offset:
        yield place.device
        return
    window = _open_window(host, place)
    try:
        yield window
    finally:
        if isinstance(window, str):
            ask(host, ["losetup", "--detach", window])


def find_place(host: Host, asset: Asset) -> Place | Unread:
    """Where the file system's bytes are, as far as this node can see them now."""
    if not asset.layers or is_block_device(host, asset.device):
        return Place(device=asset.device, offset=0, size=0)
    place = Place(device="", offset=0, size=0)
    for layer in asset.layers:
        found = find_layer(host, layer, place)
        if isinstance(found, Unread):
            return found
        place = found
    return place


def find_layer(host: Host, layer: MdLayer | LvmLayer, below: Place) -> Place | Unread:
    """Where the layer's own bytes are, those of the layer below it being at `below`."""
    if isinstance(layer, MdLayer):
        return find_array(host, layer)
    from tanist.facts import lvm  # most assets have no layers, and each start would pay for it

    pv = Place(device=layer.disk, offset=0, size=0) if layer.disk else below
    group = lvm.read_group(host, pv)
    if isinstance(group, Unread):
        return group
    if group.name != layer.group:
        return Unread(f"{pv.device}: holds the volume group {group.name}, not {layer.group}")
    return lvm.find_volume(group, layer.volume, pv)


def find_array(host: Host, layer: MdLayer) -> Place | Unread:
    if is_block_device(host, layer.device):
        return Place(device=layer.device, offset=0, size=0)
    from tanist.facts import md

    members, wrong = md.read_members(host, layer)
    if not members:
        return Unread(f"no member of {layer.device} can be read: {'; '.join(wrong)}")
    newest = members[0]
    if newest.level != md.RAID1:
        return Unread(f"{layer.device} is RAID {newest.level}: its marks are read where it is assembled")
    return Place(device=newest.device, offset=newest.offset, size=newest.size)


def is_block_device(host: Host, path: str) -> bool:
    try:
        info = host.files.stat(path)
    except OSError:
        return False
    return info is not None and stat.S_ISBLK(info.st_mode)


def _open_window(host: Host, place: Place) -> str | Unread:
    limits = [f"--offset={place.offset}", *([f"--sizelimit={place.size}"] if place.size else [])]
    ran = ask(host, ["losetup", "--find", "--show", "--read-only", "--direct-io=on", *limits, place.device])
    if isinstance(ran, Unread):
        return ran
    return ran.text.strip() if ran.status == 0 else Unread(f"{place.device}: {ran.complaint}")
