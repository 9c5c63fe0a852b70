"""What of a stack of devices could fail alone and take the data with it. Devices -> names. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tanist.model.hardware import Array, BlockDevice, DiskPath

SPARED = {"raid4": 1, "raid5": 1, "raid6": 2, "raid10": 1}  # members that each level can lose (md(4))
GONE = ("offline", "failed", "dead", "deleting", "transport-offline", "blocked")  # states of a path


class Stack:
    """The devices below one another."""

    def __init__(self, devices: Iterable[BlockDevice], arrays: Iterable[Array]) -> None:
        self.devices = {one.name: one for one in devices}
        self.arrays = {one.name: one for one in arrays}

    def lowest(self, tops: Iterable[str]) -> tuple[BlockDevice, ...]:
        """The disks: where the paths begin, or nothing more is seen below."""
        found: dict[str, BlockDevice] = {}
        for name in tops:
            device = self.devices.get(name)
            if device is None:
                continue
            below = () if device.paths else self.lowest(device.below)
            found |= {one.name: one for one in (below or (device,))}
        return tuple(found.values())

    def fails_with_disk(self, tops: tuple[str, ...]) -> tuple[BlockDevice, ...]:
        return tuple(one for one in self.lowest(tops) if not self._stands(tops, without=(one.name,)))

    def fails_with_adapter(self, tops: tuple[str, ...]) -> tuple[str, ...]:
        lowest = self.lowest(tops)
        adapters = sorted({path.adapter for one in lowest for path in one.paths if path.adapter})
        return tuple(lost for lost in adapters if not self._stands(tops, without=_only_by(lost, lowest)))

    def fails_with_path(self, tops: tuple[str, ...]) -> tuple[BlockDevice, ...]:
        """Disks that have one working path, and without which nothing is left."""
        single = [one for one in self.lowest(tops) if len(working(one)) < 2]
        return tuple(one for one in single if not self._stands(tops, without=(one.name,)))

    def _stands(self, tops: tuple[str, ...], without: Collection[str]) -> bool:
        return all(self._is_up(name, without) for name in tops)

    def _is_up(self, name: str, without: Collection[str]) -> bool:
        device = self.devices.get(name)
        if device is None or name in without:
            return False
        if device.paths or not device.below:
            return True
        array = self.arrays.get(name)
        if array is None:
            return all(self._is_up(one, without) for one in device.below)
        up = sum(self._is_up(one, without) for one in array.in_sync)
        if array.level == "raid1":
            return up >= 1
        return up >= array.disks - SPARED.get(array.level, 0)


def _only_by(adapter: str, disks: Iterable[BlockDevice]) -> tuple[str, ...]:
    """Disks to which every working path goes by it."""
    return tuple(disk.name for disk in disks if all(path.adapter == adapter for path in working(disk)))


def working(disk: BlockDevice) -> tuple[DiskPath, ...]:
    return tuple(one for one in disk.paths if one.used and one.state not in GONE)
