"""The mount table of a fake host: mounts redirect paths to the directories that stand for file systems.

Not played: read-only mounts, owners as seen through an id map, links among the parents of a mount point.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from tanist.host.fake_world import FakeDisk
from tanist.host.files import Files
from tanist.host.idmaps import check_idmap, render_sorted
from tanist.model.dataclasses import dataclass, replace
from tanist.model.host import IdMap, Mount

ROOT = Mount(target="/", source="/dev/vda1", fstype="ext4", root="/", options=("rw", "relatime"), device="252:1")
ATTRIBUTES = ("nosuid", "nodev", "noexec", "noatime", "nodiratime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    mount: Mount
    directory: str
    disk: FakeDisk | None
    idmap: IdMap | None


class FakeMounts:
    def __init__(self, name: str, files: Files, disks: dict[str, FakeDisk]) -> None:
        self.name = name
        self.files = files
        self.disks = disks
        self.entries: list[Entry] = []

    def table(self) -> tuple[Mount, ...]:
        return (ROOT, *(entry.mount for entry in self.entries))

    def device_is_there(self, device: str, target: str, fstype: str, idmap: IdMap | None) -> bool:
        """Whether it is mounted there already; OSError for whatever stands in the way of mounting it."""
        self._check_target(target)
        on_top = self.top(target)
        if on_top is not None:
            if on_top.mount.source != device or on_top.mount.root != "/":
                raise OSError(errno.EBUSY, f"{target}: {on_top.mount.source} is already mounted there, not {device}")
            if not _same_map(on_top.idmap, idmap):
                raise OSError(errno.EBUSY, f"{target}: {device} is already mounted there, with another id map")
            return True
        if not os.path.isdir(self.files.real(target)):
            raise OSError(errno.ENOTDIR, f"mount of {device} at {target}: not a directory")
        disk = self.disks.get(device)
        if disk is None:
            raise OSError(errno.ENOENT, f"mount of {device}: {os.strerror(errno.ENOENT)}")
        if disk.fstype != fstype:
            raise OSError(errno.EINVAL, f"mount of {device}: {os.strerror(errno.EINVAL)}")
        if disk.holder not in ("", self.name):
            disk.violations.append(f"mounted twice: {device} on {disk.holder} and {self.name}")
            if disk.guarded:
                raise OSError(errno.EBUSY, f"mount of {device}: {disk.holder} has it mounted")
        return False

    def add_device(self, device: str, target: str, fstype: str, options: Sequence[str], idmap: IdMap | None) -> None:
        if idmap is not None:
            check_idmap(idmap)
        disk = self.disks[device]
        first = "ro" if "ro" in options else "rw"
        flags = (first, *(item for item in ATTRIBUTES if item in options), "relatime")
        wide = (*flags, *(one for one in options if one not in flags))
        mount = Mount(
            target=target, source=device, fstype=fstype, root="/", options=flags, device=disk.number, wide=wide
        )
        self._add(mount, disk.path, disk, idmap)

    def bind_is_there(self, source: str, target: str, idmap: IdMap | None) -> bool:
        self._check_target(target)
        from_stat, to_stat = self.files.stat(source), self.files.stat(target)
        if from_stat is None or to_stat is None:
            raise OSError(errno.ENOENT, f"bind of {source}: {os.strerror(errno.ENOENT)}")
        on_top = self.top(target)
        same = (from_stat.st_dev, from_stat.st_ino) == (to_stat.st_dev, to_stat.st_ino)
        if on_top is not None and same and (idmap is None or _same_map(on_top.idmap, idmap)):
            return True
        if os.path.isdir(self.files.real(source, follow=True)) != os.path.isdir(self.files.real(target)):
            raise OSError(errno.ENOTDIR, f"bind of {source} over {target}: one is a directory, the other is not")
        return False

    def add_bind(self, source: str, target: str, idmap: IdMap | None) -> None:
        below = self._covering(source)
        if idmap is not None:
            check_idmap(idmap)
            if below is not None and below.idmap is not None:
                raise OSError(errno.EPERM, f"id map for {target}: {os.strerror(errno.EPERM)}")
        under = below.mount if below else ROOT
        root = os.path.join(under.root, os.path.relpath(source, under.target))
        options = tuple(item for item in under.options if item != "idmapped")
        mount = replace(under, target=target, root=os.path.normpath(root), options=options)
        inherited = below.idmap if below else None
        directory = self.files.real(source, follow=True)
        self._add(mount, directory, below.disk if below else None, idmap or inherited)

    def check_removable(self, target: str, in_use: Sequence[str]) -> None:
        on_top = self.top(target)
        if on_top is None:
            raise OSError(errno.EINVAL, f"unmount of {target}: not a mount point")
        later = self.entries[self.entries.index(on_top) + 1 :]
        inside = any(entry.mount.target.startswith(target + "/") for entry in later)
        if inside or target in in_use:
            raise OSError(errno.EBUSY, f"unmount of {target}: in use")

    def remove(self, target: str) -> None:
        on_top = self.top(target)
        assert on_top is not None
        self.entries.remove(on_top)
        self._settle()

    def cut_off(self, target: str) -> None:
        """Its file system is dead wherever it is mounted: nothing is found there any more."""
        on_top = self.top(target)
        if on_top is not None and on_top.mount.fstype in ("btrfs", "nfs4"):
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), target)
        for at, entry in enumerate(self.entries):
            if on_top is not None and entry.disk is on_top.disk:
                self.entries[at] = replace(entry, directory=f"{self.files.root}/.cut-off")
        self._settle()

    def clear(self) -> None:
        self.entries.clear()
        self._settle()

    def top(self, target: str) -> Entry | None:
        return next((entry for entry in reversed(self.entries) if entry.mount.target == target), None)

    def disk_at(self, path: str) -> FakeDisk | None:
        covering = self._covering(path)
        return covering.disk if covering else None

    def _covering(self, path: str) -> Entry | None:
        for entry in reversed(self.entries):
            if path == entry.mount.target or path.startswith(entry.mount.target + "/"):
                return entry
        return None

    def _check_target(self, target: str) -> None:
        info = self.files.stat(target, follow=False)
        if info is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), target)
        if os.path.islink(self.files.real(target)):
            raise OSError(errno.ELOOP, f"{target}: a symbolic link cannot be a mount point")

    def _add(self, mount: Mount, directory: str, disk: FakeDisk | None, idmap: IdMap | None) -> None:
        if idmap is not None:
            mount = replace(mount, options=(*mount.options, "idmapped"))
        self.entries.append(Entry(mount=mount, directory=directory, disk=disk, idmap=idmap))
        self._settle()

    def _settle(self) -> None:
        """A disk is held as long as any mount, a bind of a part of it too, keeps its file system alive."""
        self.files.redirects = tuple((entry.mount.target, entry.directory) for entry in self.entries)
        held = {id(entry.disk) for entry in self.entries}
        for disk in self.disks.values():
            if id(disk) in held:
                disk.holder = disk.holder or self.name
            elif disk.holder == self.name:
                disk.holder = ""


def _same_map(one: IdMap | None, other: IdMap | None) -> bool:
    if one is None or other is None:
        return one is other
    return render_sorted(one) == render_sorted(other)
