"""Two trees side by side: what differs, byte for byte and attribute for attribute. Looks only.

A first look, while the tree is still at work, notes what it found the same; a second one need not read that again. It
may leave out only what cannot have changed since: a store through a memory map changes an inode's ctime at the first
touch of a page only, until the page was written back. So both file systems are synced, and a file counts as seen when
its ctime is older than that (kernel: mm/page-writeback.c, folio_clear_dirty_for_io).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.capture.compare import describe_attributes
from tanist.capture.same import is_same
from tanist.host.attributes import pinned, read_attributes
from tanist.host.directories import DIRECTORY, deep_enough
from tanist.model.dataclasses import dataclass, replace

if TYPE_CHECKING:
    from tanist.host.host import Host

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
OWN_NAMES = (b".tanist", b"lost+found")  # at the top of the copy: no part of the tree
NOT_OLDER = 1_000_000_000  # ns: a ctime has the coarse clock of the kernel, and the sync took its time


@dataclass(frozen=True, slots=True, kw_only=True)
class Different:
    path: bytes  # relative to the tree, "" is the tree itself
    says: str
    content: bool = False  # in a regular file's bytes and nothing else
    flags: tuple[str, ...] | None = None  # what the copy lacks is only these


class Twins:
    """One pass over both. `seen`: what an earlier pass found the same; this one's own is in `same` afterwards."""

    def __init__(self, host: Host, first: str, second: str, seen: frozenset[int] = frozenset()) -> None:
        self.host, self.first, self.second, self.seen = host, first, second, seen
        self.same: set[int] = set()
        self.read = 0  # files whose bytes were read
        self.count = 0
        self._synced = 0
        self._links: dict[tuple[int, int], tuple[int, int]] = {}

    def differences(self) -> Iterator[Different]:
        self._synced = int(self.host.now() * 1e9) - NOT_OLDER
        for tree in (self.first, self.second):
            self.host.files.sync(tree)
        mine, theirs = (self.host.files.open_directory(tree) for tree in (self.first, self.second))
        try:
            with deep_enough():
                yield from self._attributes(b"", mine, theirs)
                yield from self._directory(b"", mine, theirs)
        finally:
            os.close(mine)
            os.close(theirs)

    def _directory(self, path: bytes, mine: int, theirs: int) -> Iterator[Different]:
        ours, copied = ({os.fsencode(name) for name in os.listdir(fd)} for fd in (mine, theirs))
        if not path:
            copied -= {name for name in OWN_NAMES if name not in ours}
        for name in sorted(ours - copied):
            yield Different(path=_below(path, name), says="is missing in the copy")
        for name in sorted(copied - ours):
            yield Different(path=_below(path, name), says="is only in the copy")
        for name in sorted(ours & copied):
            yield from self._entry(_below(path, name), os.fsdecode(name), mine, theirs)

    def _entry(self, path: bytes, name: str, mine: int, theirs: int) -> Iterator[Different]:
        self.count += 1
        try:
            with pinned(mine, name) as one, pinned(theirs, name) as other:
                here, there = os.fstat(one), os.fstat(other)
                if stat.S_IFMT(here.st_mode) != stat.S_IFMT(there.st_mode):
                    yield Different(path=path, says="is of another kind in the copy")
                    return
                yield from self._attributes(path, one, other)
                yield from self._what(path, name, (mine, one, here), (theirs, other, there))
        except FileNotFoundError:
            yield Different(path=path, says="went away meanwhile")

    def _what(
        self, path: bytes, name: str, mine: tuple[int, int, os.stat_result], theirs: tuple[int, int, os.stat_result]
    ) -> Iterator[Different]:
        (directory, one, here), (other_directory, other, there) = mine, theirs
        if stat.S_ISDIR(here.st_mode):
            inner, inner_copy = (os.open(name, DIRECTORY, dir_fd=fd) for fd in (directory, other_directory))
            try:
                yield from self._directory(path, inner, inner_copy)
            finally:
                os.close(inner)
                os.close(inner_copy)
            return
        if here.st_nlink > 1 or there.st_nlink > 1:
            place, copy = (here.st_dev, here.st_ino), (there.st_dev, there.st_ino)
            if here.st_nlink != there.st_nlink or self._links.setdefault(place, copy) != copy:
                yield Different(path=path, says="is not one file with all its other names (hard links)")
                return
        if stat.S_ISREG(here.st_mode):
            yield from self._file(path, name, mine, theirs)
        elif stat.S_ISLNK(here.st_mode) and os.readlink("", dir_fd=one) != os.readlink("", dir_fd=other):
            yield Different(path=path, says="leads elsewhere in the copy")
        elif here.st_rdev != there.st_rdev:
            yield Different(path=path, says="is another device in the copy")

    def _file(
        self, path: bytes, name: str, mine: tuple[int, int, os.stat_result], theirs: tuple[int, int, os.stat_result]
    ) -> Iterator[Different]:
        key = hash((mine[2].st_ino, mine[2].st_ctime_ns, theirs[2].st_ino, theirs[2].st_ctime_ns))
        if mine[2].st_size == theirs[2].st_size and key in self.seen:
            self.same.add(key)
            return
        self.read += 1
        if mine[2].st_size != theirs[2].st_size or not _same_bytes(name, mine[0], theirs[0]):
            yield Different(path=path, says="has other content in the copy", content=True)
        elif max(mine[2].st_ctime_ns, theirs[2].st_ctime_ns) < self._synced:
            self.same.add(key)

    def _attributes(self, path: bytes, one: int, other: int) -> Iterator[Different]:
        here, there = (read_attributes(pin, os.fstat(pin)) for pin in (one, other))
        if says := describe_attributes(here, there):
            alike = not describe_attributes(replace(here, flags=there.flags), there)
            yield Different(path=path, says=f"in the copy {says}", flags=here.flags if alike else None)


def _same_bytes(name: str, mine: int, theirs: int) -> bool:
    one, other = (os.open(name, READ, dir_fd=fd) for fd in (mine, theirs))
    try:
        return is_same(one, other)
    finally:
        os.close(one)
        os.close(other)


def _below(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
