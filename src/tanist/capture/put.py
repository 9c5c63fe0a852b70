"""Put entries of a store in place. In: what is wanted and how the host differs. Only restore.py calls this.

All work is done through descriptors of directories; a new inode gets content and attributes under a temporary name and
then its own by rename(2), but in a directory that was just made, which nobody can enter before it is finished. Inode
flags come last, because an immutable file cannot be renamed or linked.
"""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence

from tanist.capture.compare import Difference, Stream, Wanted
from tanist.capture.manifest import Entry
from tanist.capture.tarball import read_content
from tanist.capture.values import TEMPORARY
from tanist.host.attributes import (
    Attributes,
    apply_attributes,
    apply_to_new,
    change_flags,
    pinned,
    read_attributes_open,
)
from tanist.host.directories import DIRECTORY, deep_enough, remove_entry
from tanist.host.files import write_all
from tanist.model.dataclasses import dataclass

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
CHUNK = 1 << 20
NAMED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a restore did, as paths: the first NAMED of each kind, there may be millions."""

    written: tuple[str, ...] = ()  # new inodes: missing before, other content or another kind
    adjusted: tuple[str, ...] = ()  # owner, mode, times, xattrs or flags only
    removed: tuple[str, ...] = ()  # what went away, a directory by its own name only
    unchanged: int = 0  # entries

    def __bool__(self) -> bool:
        return bool(self.written or self.adjusted or self.removed)


class Paths:
    """Counted; the first of them by name."""

    def __init__(self) -> None:
        self.count = 0
        self.named: list[str] = []

    def add(self, path: str) -> None:
        self.count += 1
        if self.count <= NAMED:
            self.named.append(path)


def temporary_name(path: str) -> str:
    """Where new inodes of a restore of `path` get ready: the same after a kill, another for each path."""
    return f"{TEMPORARY}{zlib.crc32(os.fsencode(path)):08x}"


class Put:
    """One restore of one path. `base` is the directory that holds the path, `contents` are files.tar of each layer."""

    def __init__(
        self, wanted: Wanted, differences: Mapping[str, Difference], base: int, contents: Sequence[int]
    ) -> None:
        self.wanted, self.base, self.contents = wanted, base, contents
        self.stream = Stream(wanted.entries)
        self.temporary = temporary_name(wanted.path)
        self.what = {path: item.what for path, item in differences.items() if item.what != "extra"}
        self.extra: dict[str, list[str]] = {}
        self.touched: set[str] = set()
        for path, item in differences.items():
            if item.what == "extra":
                self.extra.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
            while (path := os.path.dirname(path)) != "/" and path not in self.touched:
                self.touched.add(path)
        self.written = Paths()
        self.adjusted = Paths()
        self.removed = Paths()
        self._firsts: dict[str, Entry] = {}  # files with several names
        self._born: dict[int, Attributes] = {}  # by directory: what a new file there begins with

    def changes(self, count: int) -> Changes:
        """`count`: of all entries."""
        return Changes(
            written=tuple(self.written.named),
            adjusted=tuple(self.adjusted.named),
            removed=tuple(self.removed.named),
            unchanged=count - self.written.count - self.adjusted.count,
        )

    def run(self) -> None:
        with deep_enough():
            self._put(self.base, self.stream.take(), fresh=False)

    def _put(self, directory: int, entry: Entry, *, fresh: bool) -> None:
        """`fresh`: the directory was just made, so nothing is there."""
        what = "missing" if fresh else self.what.get(entry.path)
        if entry.linked:
            self._firsts[entry.path] = entry
        if entry.kind == "directory":
            if what or entry.path in self.touched or entry.path in self.extra:
                self._put_directory(directory, entry, fresh=fresh, new=what in ("missing", "kind"))
            else:
                for inner in self.stream.inside(entry.path):
                    if inner.linked:
                        self._firsts[inner.path] = inner
        elif what == "attributes":
            self._adjust(directory, entry)
        elif what:
            self._put_new(directory, entry, fresh=fresh, replaces_directory=what == "kind")

    def _put_directory(self, directory: int, entry: Entry, *, fresh: bool, new: bool) -> None:
        name = os.path.basename(entry.path)
        if new:
            if not fresh:
                with contextlib.suppress(FileNotFoundError):
                    remove_entry(directory, name)
            os.mkdir(name, 0o700, dir_fd=directory)
        its = self.wanted.owners.local(entry)
        fd = os.open(name, DIRECTORY, dir_fd=directory)
        try:
            if not new:
                change_flags(fd, ())
            for extra in self.extra.get(entry.path, ()):
                remove_entry(fd, extra)
                self.removed.add(f"{entry.path}/{extra}")
            self._born.clear()  # the number of a descriptor comes again
            for child in self.stream.inside(entry.path):
                self._put(fd, child, fresh=new)
            self._born.clear()
            apply_attributes(fd, its)
            change_flags(fd, its.flags)
        finally:
            os.close(fd)
        if new:
            self.written.add(entry.path)
        elif self.what.get(entry.path):
            self.adjusted.add(entry.path)

    def _adjust(self, directory: int, entry: Entry) -> None:
        its = self.wanted.owners.local(entry)
        with pinned(directory, os.path.basename(entry.path)) as pin:
            change_flags(pin, ())
            apply_attributes(pin, its)
            change_flags(pin, its.flags)
        self.adjusted.add(entry.path)

    def _put_new(self, directory: int, entry: Entry, *, fresh: bool, replaces_directory: bool) -> None:
        path = entry.path
        name = path[path.rfind("/") + 1 :]
        if not fresh:
            self._make_way(directory, name, replaces_directory)
        if entry.kind == "hard link":
            self._link(directory, name, entry)
        elif entry.kind == "file":
            try:
                self._put_file(directory, name, entry, self.wanted.owners.local(entry), fresh=fresh)
            except OSError as error:
                error.filename = path  # a full disk tells no name
                raise
        else:
            at = name if fresh else self.temporary
            self._make(directory, at, entry)
            with pinned(directory, at) as pin:
                apply_attributes(pin, self.wanted.owners.local(entry))
                if not fresh:
                    os.rename(at, name, src_dir_fd=directory, dst_dir_fd=directory)
        self.written.add(path)

    def _make_way(self, directory: int, name: str, replaces_directory: bool) -> None:
        with contextlib.suppress(FileNotFoundError):
            remove_entry(directory, self.temporary)  # of a restore that was killed
        with contextlib.suppress(FileNotFoundError):
            if replaces_directory:
                remove_entry(directory, name)
            else:
                with pinned(directory, name) as old:
                    change_flags(old, ())

    def _put_file(self, directory: int, name: str, entry: Entry, its: Attributes, *, fresh: bool) -> None:
        at = name if fresh else self.temporary
        fd = os.open(at, NEW_FILE, 0o600, dir_fd=directory)
        try:
            born = self._born.get(directory)
            if born is None:  # all that are made here begin alike
                born = self._born[directory] = read_attributes_open(fd, os.fstat(fd))
            self._write(fd, entry)
            apply_to_new(fd, its, born)
            if not fresh:
                os.rename(at, name, src_dir_fd=directory, dst_dir_fd=directory)
            if its.flags:
                change_flags(fd, its.flags)
        finally:
            os.close(fd)

    def _write(self, fd: int, entry: Entry) -> None:
        content = self.contents[entry.layer]
        if entry.data is None:
            if 0 < entry.size <= CHUNK:
                write_all(fd, os.pread(content, entry.size, entry.offset))
                return
            for chunk in read_content(content, entry):
                write_all(fd, chunk)
            return
        os.ftruncate(fd, entry.size)
        offset = entry.offset
        for begin, length in entry.data:
            end = begin + length
            while begin < end:
                chunk = os.pread(content, min(CHUNK, end - begin), offset)
                if not chunk:
                    raise ValueError(f"{entry.path}: files.tar ends before it")
                done = os.pwrite(fd, chunk, begin)
                begin, offset = begin + done, offset + done

    def _make(self, directory: int, at: str, entry: Entry) -> None:
        match entry.kind:
            case "link":
                os.symlink(entry.target, at, dir_fd=directory)
            case "fifo":
                os.mkfifo(at, 0o600, dir_fd=directory)
            case "socket":
                os.mknod(at, 0o600 | stat.S_IFSOCK, dir_fd=directory)
            case "character device":
                os.mknod(at, 0o600 | stat.S_IFCHR, os.makedev(*entry.device), dir_fd=directory)
            case "block device":
                os.mknod(at, 0o600 | stat.S_IFBLK, os.makedev(*entry.device), dir_fd=directory)

    def _link(self, directory: int, name: str, entry: Entry) -> None:
        first = self._firsts[entry.target]
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
