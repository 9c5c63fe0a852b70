"""Put entries of a store in place. In: what is wanted and how the host differs. Only restore.py calls this.

All work is done through descriptors of directories; a new inode gets content and attributes under a temporary name and
then its own by rename(2). Inode flags come last, because an immutable file cannot be renamed or linked.
"""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from collections.abc import Iterator

from tanist.capture.compare import Difference, Wanted
from tanist.capture.manifest import Entry
from tanist.capture.manifest_format import TEMPORARY
from tanist.capture.tarball import read_content
from tanist.host.attributes import apply_attributes, change_flags, path_of, pinned
from tanist.host.directories import DIRECTORY, remove_entry
from tanist.host.files import write_all
from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a restore did, as paths."""

    written: tuple[str, ...] = ()  # new inodes: missing before, other content or another kind
    adjusted: tuple[str, ...] = ()  # owner, mode, times, xattrs or flags only
    removed: tuple[str, ...] = ()  # what went away, a directory by its own name only
    unchanged: int = 0  # entries

    def __bool__(self) -> bool:
        return bool(self.written or self.adjusted or self.removed)


def temporary_name(path: str) -> str:
    """Where new inodes of a restore of `path` get ready: the same after a kill, another for each path."""
    return f"{TEMPORARY}{zlib.crc32(os.fsencode(path)):08x}"


class Put:
    """One restore of one path. `base` is the directory that holds the path, `content` is files.tar."""

    def __init__(self, wanted: Wanted, differences: tuple[Difference, ...], base: int, content: int) -> None:
        self.wanted, self.base, self.content = wanted, base, content
        self.temporary = temporary_name(wanted.path)
        self.what = {item.path: item.what for item in differences if item.what != "extra"}
        self.extra: dict[str, list[str]] = {}
        for item in differences:
            if item.what == "extra":
                self.extra.setdefault(os.path.dirname(item.path), []).append(os.path.basename(item.path))
        self.touched = {above for path in (*self.what, *(d.path for d in differences)) for above in _above(path)}
        self.written: list[str] = []
        self.adjusted: list[str] = []
        self.removed: list[str] = []

    def changes(self) -> Changes:
        changed = len(self.written) + len(self.adjusted)
        return Changes(
            written=tuple(self.written),
            adjusted=tuple(self.adjusted),
            removed=tuple(self.removed),
            unchanged=len(self.wanted.entries) - changed,
        )

    def put(self, directory: int, entry: Entry, *, fresh: bool = False) -> None:
        """`fresh`: the directory was just made, so nothing is there."""
        what = "missing" if fresh else self.what.get(entry.path)
        if entry.kind == "directory":
            if what or entry.path in self.touched or entry.path in self.extra:
                self._put_directory(directory, entry, new=what in ("missing", "kind"))
        elif what == "attributes":
            self._adjust(directory, entry)
        elif what:
            self._put_new(directory, entry, replaces_directory=what == "kind")

    def _put_directory(self, directory: int, entry: Entry, *, new: bool) -> None:
        name = os.path.basename(entry.path)
        if new:
            with contextlib.suppress(FileNotFoundError):
                remove_entry(directory, name)
            os.mkdir(name, 0o700, dir_fd=directory)
        its = self.wanted.owners.local(entry)
        with pinned(directory, name) as pin:
            change_flags(pin, ())
            fd = os.open(path_of(pin), DIRECTORY & ~os.O_NOFOLLOW)
            try:
                for extra in self.extra.get(entry.path, ()):
                    remove_entry(fd, extra)
                    self.removed.append(f"{entry.path}/{extra}")
                for child in self.wanted.children[entry.path]:
                    self.put(fd, child, fresh=new)
            finally:
                os.close(fd)
            apply_attributes(pin, its)
            change_flags(pin, its.flags)
        if new:
            self.written.append(entry.path)
        elif self.what.get(entry.path):
            self.adjusted.append(entry.path)

    def _adjust(self, directory: int, entry: Entry) -> None:
        its = self.wanted.owners.local(entry)
        with pinned(directory, os.path.basename(entry.path)) as pin:
            change_flags(pin, ())
            apply_attributes(pin, its)
            change_flags(pin, its.flags)
        self.adjusted.append(entry.path)

    def _put_new(self, directory: int, entry: Entry, *, replaces_directory: bool) -> None:
        name = os.path.basename(entry.path)
        with contextlib.suppress(FileNotFoundError):
            if replaces_directory:
                remove_entry(directory, name)
            else:
                with pinned(directory, name) as old:
                    change_flags(old, ())
        if entry.kind == "hard link":
            self._link(directory, name, entry)
        else:
            its = self.wanted.owners.local(entry)
            self._make(directory, entry)
            with pinned(directory, self.temporary) as pin:
                apply_attributes(pin, its)
                os.rename(self.temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
                change_flags(pin, its.flags)
        self.written.append(entry.path)

    def _make(self, directory: int, entry: Entry) -> None:
        match entry.kind:
            case "link":
                os.symlink(entry.target, self.temporary, dir_fd=directory)
            case "fifo":
                os.mkfifo(self.temporary, 0o600, dir_fd=directory)
            case "socket":
                os.mknod(self.temporary, 0o600 | stat.S_IFSOCK, dir_fd=directory)
            case _:
                self._make_file(directory, entry)

    def _make_file(self, directory: int, entry: Entry) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.temporary, flags, 0o600, dir_fd=directory)
        try:
            for chunk in read_content(self.content, entry):
                write_all(fd, chunk)
        finally:
            os.close(fd)

    def _link(self, directory: int, name: str, entry: Entry) -> None:
        first = self.wanted.by_path[entry.target]
        with self._directory_of(first) as there:
            first_name = os.path.basename(first.path)
            with pinned(there, first_name) as pin:
                change_flags(pin, ())
                os.link(first_name, self.temporary, src_dir_fd=there, dst_dir_fd=directory, follow_symlinks=False)
                os.rename(self.temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
                change_flags(pin, self.wanted.owners.local(first).flags)

    @contextlib.contextmanager
    def _directory_of(self, entry: Entry) -> Iterator[int]:
        """The directory of an entry below the path, reached part by part from its base."""
        fd = os.open(".", DIRECTORY, dir_fd=self.base)
        try:
            below = os.path.dirname(entry.path)[len(os.path.dirname(self.wanted.path)) :]
            for part in below.split("/")[1:] if below else ():
                deeper = os.open(part, DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = deeper
            yield fd
        finally:
            os.close(fd)


def _above(path: str) -> Iterator[str]:
    while (path := os.path.dirname(path)) != "/":
        yield path
