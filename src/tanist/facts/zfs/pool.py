"""The devices of one pool, and what their labels say. Never imports, never writes.

In: all devices of the pool, as the definition names them. Out: what each of their four labels holds, past the page
cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.device import describe_content, read_blocks, read_size
from tanist.facts.zfs.label import RING, SIZE, Label, Uberblock, parse_label
from tanist.model.dataclasses import dataclass, replace
from tanist.model.layers import ZfsLayer
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    path: str
    labels: tuple[Label, ...]  # those of the four that are whole, of the newest one's pool
    rings: str  # of the uberblocks, to see whether anybody writes

    @property
    def newest(self) -> Label:
        return max(self.labels, key=lambda one: one.commit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    name: str
    id: str
    devices: tuple[Device, ...]
    wrong: tuple[str, ...] = ()  # why the devices that were found may not be all of it, or not all of now

    @property
    def newest(self) -> Label:
        return max((one.newest for one in self.devices), key=lambda one: one.commit)

    @property
    def written(self) -> Uberblock | None:
        """The last of all uberblocks."""
        found = [label.newest for one in self.devices for label in one.labels if label.newest is not None]
        return max(found, key=lambda one: (one.commit, one.time), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLayer(ZfsLayer):
    """A layer whose pool was looked at a moment ago, once for all that a readout tells of it."""

    seen: Pool | Unread


def see_pool(host: Host, asset: Asset) -> Asset:
    """The asset with its pool as it is now: for a readout. What proves or changes something reads afresh."""
    return replace(asset, layers=tuple(_see(host, one) if isinstance(one, ZfsLayer) else one for one in asset.layers))


def _see(host: Host, layer: ZfsLayer) -> SeenLayer:
    seen = read_pool(host, layer.pool, layer.devices)
    return SeenLayer(dataset=layer.dataset, devices=layer.devices, seen=seen)


def find_pool(host: Host, layer: ZfsLayer) -> Pool | Unread:
    """As it was seen, else read now."""
    return layer.seen if isinstance(layer, SeenLayer) else read_pool(host, layer.pool, layer.devices)


def read_pool(host: Host, name: str, devices: Sequence[str]) -> Pool | Unread:
    """`name`: what the pool must be called; "" for any."""
    read = {path: read_device(host, path) for path in devices}
    found = [device for device in read.values() if isinstance(device, Device)]
    wrong = [device.why for device in read.values() if isinstance(device, Unread)]
    own = [device for device in found if name in ("", device.newest.pool)]
    if not own:
        wrong += [f"{device.path}: of the pool {device.newest.pool}" for device in found]
        return Unread("; ".join(wrong))
    ident = max((device.newest for device in own), key=lambda one: one.commit).pool_id
    same = tuple(device for device in own if device.newest.pool_id == ident)
    wrong += [f"{device.path}: of another pool" for device in found if device not in same]
    return Pool(name=same[0].newest.pool, id=ident, devices=same, wrong=(*wrong, *_find_missing(same)))


def _find_missing(devices: Sequence[Device]) -> list[str]:
    """What the labels name and no device is."""
    labels = [device.newest for device in devices]
    tops, there = {label.top_id for label in labels}, {label.device_id for label in labels}
    missing = len(frozenset().union(*(label.leaves for label in labels)) - there)
    lacks = max(label.tops for label in labels) - len(tops)
    if missing or lacks > 0:
        return ["not all devices of the pool are named by the definition and can be read"]
    return []


def read_device(host: Host, path: str) -> Device | Unread:
    size = read_size(host, path)
    if isinstance(size, Unread):
        return Unread(f"{path}: {size.why}")
    last = size // SIZE
    labels, rings = [], hashlib.sha256()
    for first in (0, last - 2):  # two at either end
        both = read_blocks(host, path, first, 2, SIZE)
        if isinstance(both, Unread):
            return Unread(f"{path}: {both.why}")
        for block, data in ((first, both[:SIZE]), (first + 1, both[SIZE:])):
            label = parse_label(data, block * SIZE)
            rings.update(data[RING:])
            if isinstance(label, Label):
                labels.append(label)
    if not labels:
        return Unread(f"{path}: no ZFS label (found: {describe_content(host, path)})")
    newest = max(labels, key=lambda one: one.commit)
    same = tuple(one for one in labels if (one.pool_id, one.device_id) == (newest.pool_id, newest.device_id))
    return Device(path=path, labels=same, rings=rings.hexdigest())
