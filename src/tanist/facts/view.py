"""A look at a file system below which there are layers that this node has not put together: a read-only window.

In: a host and an asset. Out: for as long as the `with` lasts, a device to read from. Where the layers are up on this
node that is the asset's own device, or else a read-only loop device over the right bytes of a disk. Nothing is
assembled, activated or written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tanist.facts.device import Place, ask, is_block_device
from tanist.facts.kinds import kind_of
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
    window = open_window(host, place)
    try:
        yield window
    finally:
        if isinstance(window, str):
            ask(host, ["losetup", "--detach", window])


def find_place(host: Host, asset: Asset) -> Place | Unread:
    """Where the file system's bytes are, as far as this node can see them now."""
    if not asset.layers or (asset.replicated is None and not asset.zfs and is_block_device(host, asset.device)):
        return Place(device=asset.device, offset=0, size=0)
    place = Place(device="", offset=0, size=0)
    for layer in asset.layers:
        found = kind_of(layer).find_place(host, layer, place)
        if isinstance(found, Unread):
            return found
        place = found
    return place


def open_window(host: Host, place: Place) -> str | Unread:
    limits = [f"--offset={place.offset}", *([f"--sizelimit={place.size}"] if place.size else [])]
    ran = ask(host, ["losetup", "--find", "--show", "--read-only", "--direct-io=on", *limits, place.device])
    if isinstance(ran, Unread):
        return ran
    return ran.text.strip() if ran.status == 0 else Unread(f"{place.device}: {ran.complaint}")
