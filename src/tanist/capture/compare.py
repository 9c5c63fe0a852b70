"""A path of this host beside what a store has for it. Looks only, and holds no more than what differs."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from tanist.capture.acl import is_acl, map_acl
from tanist.capture.manifest import Entry, Manifest
from tanist.capture.ownership import Owners
from tanist.capture.reading import CHUNK
from tanist.capture.scan import KINDS
from tanist.host.attributes import LABEL, Attributes, pinned, read_attributes, read_attributes_open
from tanist.host.directories import DIRECTORY, deep_enough
from tanist.model.dataclasses import dataclass

if TYPE_CHECKING:
    from tanist.host.host import Host

What = Literal["missing", "extra", "kind", "content", "attributes"]
NEW = ("missing", "kind", "content")  # an inode that a restore makes anew
OPEN = os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
LINKED_SAYS = "is not one file with all its other names (hard links)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    path: str
    what: What
    says: str  # for people, after the path


class Wanted:
    """What a store has for one path, with this host's numbers."""

    def __init__(self, host: Host, manifest: Manifest, path: str) -> None:
        self.host, self.path = host, path
        self.entries: Iterable[Entry] = manifest.entries.below(path)
        self.owners = Owners(host, manifest)
        asked = manifest.asked_for(path)
        self.present = asked is not None and asked.state == "present"


class Stream:
    """Entries one after the other, with a look at the next one."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = iter(entries)
        self.next = next(self._entries, None)

    def take(self) -> Entry:
        entry = self.next
        assert entry is not None
        self.next = next(self._entries, None)
        return entry

    def inside(self, path: str) -> Iterator[Entry]:
        """All that lies inside a directory, and was not taken meanwhile: the children, when each takes its own."""
        prefix = path + "/"
        while self.next is not None and self.next.path.startswith(prefix):
            yield self.take()


class Comparison:
    """One pass over the host. `new` is told of each entry that a restore would make anew."""

    def __init__(self, wanted: Wanted, new: Callable[[Entry], None] | None = None) -> None:
        self.wanted, self.tell_new = wanted, new
        self.stream = Stream(wanted.entries)
        self.found: dict[str, Difference] = {}
        self.count = 0
        self._groups: dict[str, list[str]] = {}  # of names of one file
        self._inodes: dict[str, tuple[int, int]] = {}
        self._names: dict[str, int] = {}  # how many names an inode has here
        self._wrong: set[str] = set()  # groups that are to be made anew

    def run(self, directory: int) -> dict[str, Difference]:
        """By path, parents first."""
        with deep_enough():
            self._entry(directory, self.stream.take())
        self._check_groups()
        return self.found

    def nothing_there(self) -> None:
        entry = self.stream.take()
        self._count(entry)
        self._differs(entry, "missing", "is missing")

    def _differs(self, entry: Entry, what: What, says: str) -> None:
        self.found[entry.path] = Difference(path=entry.path, what=what, says=says)
        if what in NEW:
            self._new(entry)
            if entry.kind == "directory":
                for inner in self.stream.inside(entry.path):
                    self._count(inner)
                    self._new(inner)

    def _new(self, entry: Entry) -> None:
        self.wanted.owners.local(entry)  # so that each account is known to be there
        if self.tell_new is not None:
            self.tell_new(entry)
        if entry.linked or entry.kind == "hard link":
            self._wrong.add(entry.target if entry.kind == "hard link" else entry.path)

    def _count(self, entry: Entry) -> None:
        self.count += 1
        if entry.linked:
            self._groups[entry.path] = [entry.path]
        elif entry.kind == "hard link":
            self._groups[entry.target].append(entry.path)

    def _entry(self, directory: int, entry: Entry) -> None:
        self._count(entry)
        name = entry.path[entry.path.rfind("/") + 1 :]
        try:
            info = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            self._differs(entry, "missing", "is missing")
            return
        kind = KINDS.get(stat.S_IFMT(info.st_mode), "unknown kind")
        if entry.kind == "hard link":
            place = self._inodes.get(entry.target)
            if kind == "directory":
                self._differs(entry, "kind", "is a directory, not a hard link")
            elif place != (info.st_dev, info.st_ino):
                self._differs(entry, "content", f"is not the same file as {entry.target}")
            return
        if kind != entry.kind:
            self._differs(entry, "kind", f"is a {kind}, not a {entry.kind}")
        elif kind in ("file", "directory"):
            self._open(directory, name, entry)
        else:
            with pinned(directory, name) as pin:
                self._compare(entry, os.fstat(pin), pin, read_attributes)

    def _open(self, directory: int, name: str, entry: Entry) -> None:
        flags = DIRECTORY if entry.kind == "directory" else OPEN
        fd = os.open(name, flags, dir_fd=directory)
        try:
            self._compare(entry, os.fstat(fd), fd, read_attributes_open)
            if entry.kind == "directory":
                self._directory(fd, entry)
        finally:
            os.close(fd)

    def _compare(
        self, entry: Entry, info: os.stat_result, fd: int, read: Callable[[int, os.stat_result], Attributes]
    ) -> None:
        if entry.linked:
            self._inodes[entry.path] = info.st_dev, info.st_ino
            self._names[entry.path] = info.st_nlink
        says = self._content(fd, info, entry)
        if says:
            self._differs(entry, "content", says)
        elif says := describe_attributes(self.wanted.owners.local(entry), read(fd, info)):
            self._differs(entry, "attributes", says)

    def _content(self, fd: int, info: os.stat_result, entry: Entry) -> str:
        if entry.kind == "directory":
            return ""
        if info.st_nlink != 1 and not entry.linked:
            return f"has {info.st_nlink} names (hard links)"
        if entry.kind == "link" and os.readlink("", dir_fd=fd) != entry.target:
            return "leads elsewhere"
        if "device" in entry.kind and (os.major(info.st_rdev), os.minor(info.st_rdev)) != entry.device:
            return "is another device"
        if entry.kind == "file" and (info.st_size != entry.size or not has_content(fd, entry)):
            return "has other content"
        return ""

    def _directory(self, fd: int, entry: Entry) -> None:
        names = set(os.listdir(fd))
        for child in self.stream.inside(entry.path):
            names.discard(child.path[child.path.rfind("/") + 1 :])
            self._entry(fd, child)
        for name in sorted(names):
            path = f"{entry.path}/{name}"
            self.found[path] = Difference(path=path, what="extra", says="is not in the store")

    def _check_groups(self) -> None:
        """Hard links are right together or wrong together: else one name too few inside could hide one too many
        outside."""
        for first, members in self._groups.items():
            if first not in self._wrong and self._names.get(first) == len(members):
                continue
            for path in members:
                found = self.found.get(path)
                if found is None or found.what == "attributes":
                    self.found[path] = Difference(path=path, what="content", says=LINKED_SAYS)


def has_content(fd: int, entry: Entry) -> bool:
    """Is what a file of the right size holds what is stored?"""
    import hashlib

    digest = hashlib.sha256()
    if entry.data is None:
        left = entry.size + 1  # one that has grown meanwhile does not fit
        while left > 1 and (chunk := os.read(fd, min(left, CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
        return digest.hexdigest() == entry.sha256
    end = 0
    for begin, length in entry.data:
        if not _is_zero(fd, end, begin):
            return False
        end = begin + length
        for at in range(begin, end, CHUNK):
            digest.update(os.pread(fd, min(CHUNK, end - at), at))
    return digest.hexdigest() == entry.sha256 and _is_zero(fd, end, entry.size)


def _is_zero(fd: int, begin: int, end: int) -> bool:
    """Where there is no data, nothing is read."""
    while begin < end:
        try:
            begin = os.lseek(fd, begin, os.SEEK_DATA)
        except OSError:  # a hole up to the end (ENXIO)
            return True
        if begin >= end:
            return True
        chunk = os.pread(fd, min(CHUNK, end - begin), begin)
        if chunk.count(0) != len(chunk):
            return False
        begin += len(chunk)
    return True


def describe_attributes(wanted: Attributes, found: Attributes) -> str:
    """What differs, for people; empty when nothing does."""
    if wanted == found:
        return ""
    says = []
    if (wanted.uid, wanted.gid) != (found.uid, found.gid):
        says.append(f"belongs to {found.uid}:{found.gid}, not {wanted.uid}:{wanted.gid}")
    if wanted.mode != found.mode:
        says.append(f"has mode {found.mode:04o}, not {wanted.mode:04o}")
    if wanted.mtime_ns != found.mtime_ns:
        says.append("has another time")
    ours, theirs = _comparable(wanted), _comparable(found)
    if LABEL not in ours:
        theirs.pop(LABEL, None)  # the host's own policy put it there
    says += [f"differs in {name}" for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name)]
    if wanted.flags != found.flags:
        says.append(f"has flags {', '.join(found.flags) or 'none'}, not {', '.join(wanted.flags) or 'none'}")
    return "; ".join(says)


def _comparable(its: Attributes) -> dict[str, bytes]:
    """The extended attributes, ACLs in one order."""

    def same(number: int) -> int:
        return number

    return {name: map_acl(data, same, same) if is_acl(name) else data for name, data in its.xattrs}


def compare(
    host: Host, wanted: Wanted, new: Callable[[Entry], None] | None = None
) -> tuple[dict[str, Difference], int]:
    """Every difference at a path, by path, parents first; and how many entries were compared."""
    path = wanted.path
    name = os.path.basename(path)
    try:
        directory = host.files.open_directory(os.path.dirname(path))
    except FileNotFoundError:
        if not wanted.present:
            return {}, 0
        work = Comparison(wanted, new)
        work.nothing_there()
        return work.found, work.count
    try:
        if wanted.present:
            work = Comparison(wanted, new)
            return work.run(directory), work.count
        os.stat(name, dir_fd=directory, follow_symlinks=False)
        return {path: Difference(path=path, what="extra", says="is not in the store")}, 0
    except FileNotFoundError:
        return {}, 0
    finally:
        os.close(directory)
