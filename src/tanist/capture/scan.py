"""Walk the paths that were asked for, and read all that is there.

Nothing is followed and nothing is opened by name twice: each inode is pinned first, so that no link planted in a
service's own directory leads the walk away. A file that changes while it is read is read again.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from tanist.capture.manifest import Asked, Entry, Kind, sort_key
from tanist.capture.manifest_format import TEMPORARY, check_path
from tanist.capture.tarball import Sink
from tanist.host.attributes import Attributes, path_of, pinned, read_attributes
from tanist.host.directories import DIRECTORY, mount_id
from tanist.model.dataclasses import dataclass, field, replace
from tanist.model.errors import Failed, Refused

if TYPE_CHECKING:
    from tanist.host.host import Host

ATTEMPTS = 3
CHUNK = 1 << 20
NOWHERE_ELSE: Mapping[str, str] = {}
DEPTH_LIMIT = 250  # directories inside one another: each level holds a descriptor
KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


class _Unreadable(Exception):
    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(path)
        self.path, self.error = path, error


@dataclass(slots=True)
class Scan:
    """What was found. Use scan_paths()."""

    host: Host
    sink: Sink
    elsewhere: Mapping[str, str]
    asked: list[Asked] = field(default_factory=list)
    parents: dict[str, Entry] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    unsteady: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    _links: dict[tuple[int, int], str] = field(default_factory=dict)
    _users: dict[int, str] = field(default_factory=dict)
    _groups: dict[int, str] = field(default_factory=dict)

    def user(self, number: int) -> str:
        if number not in self._users:
            self._users[number] = self.host.user_name(number) or ""
        return self._users[number]

    def group(self, number: int) -> str:
        if number not in self._groups:
            self._groups[number] = self.host.group_name(number) or ""
        return self._groups[number]

    def ask(self, path: str) -> None:
        self._links.clear()  # a hard link counts inside one path: another one is restored at another moment
        missing = self._note_parents(path)
        if missing:
            self.asked.append(Asked(path=path, state="absent", missing_from=missing))
            return
        lies = self.elsewhere.get(path, path)
        directory = self.host.files.open_directory(os.path.dirname(lies))
        try:
            there = self._add(directory, os.path.basename(lies), path, None, 0)
        finally:
            os.close(directory)
        self.asked.append(Asked(path=path, state="present" if there else "absent", missing_from="" if there else path))

    def _note_parents(self, path: str) -> str:
        """Records the directories above `path`; answers the topmost one that is missing."""
        parts = path.split("/")
        for length in range(2, len(parts)):
            parent = "/".join(parts[:length])
            if parent in self.parents:
                continue
            try:
                fd = self.host.files.open_directory(parent)
            except FileNotFoundError:
                return parent
            try:
                info = os.fstat(fd)
            finally:
                os.close(fd)
            its = Attributes(mode=stat.S_IMODE(info.st_mode), uid=info.st_uid, gid=info.st_gid, mtime_ns=0)
            self.parents[parent] = self._entry(parent, "directory", its)
        return ""

    def _add(self, directory: int, name: str, path: str, mount: str | None, depth: int) -> bool:
        """False when it is not there (any more), or is not to be held."""
        try:
            with pinned(directory, name) as pin:
                return self._add_pinned(pin, path, mount, depth)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _Unreadable(path, error) from error

    def _add_pinned(self, pin: int, path: str, mount: str | None, depth: int) -> bool:
        info = os.fstat(pin)
        kind = KINDS.get(stat.S_IFMT(info.st_mode))
        if kind is None:
            self.devices.append(path)
            return False
        if kind == "directory":
            return self._add_directory(pin, info, path, mount, depth)
        first = self._links.setdefault((info.st_dev, info.st_ino), path) if info.st_nlink > 1 else path
        if first != path:
            self._keep(replace(self._entry(path, "hard link", read_attributes(pin, info)), target=first))
        elif kind == "file":
            self._add_file(pin, path)
        else:
            target = os.readlink("", dir_fd=pin) if kind == "link" else ""
            self._keep(replace(self._entry(path, kind, read_attributes(pin, info)), target=target))
        return True

    def _entry(self, path: str, kind: Kind, attributes: Attributes) -> Entry:
        user, group = self.user(attributes.uid), self.group(attributes.gid)
        return Entry(path=path, kind=kind, attributes=attributes, user=user, group=group)

    def _keep(self, entry: Entry) -> None:
        self.sink.put(entry, ())
        self.entries.append(entry)

    def _add_directory(self, pin: int, info: os.stat_result, path: str, mount: str | None, depth: int) -> bool:
        if depth > DEPTH_LIMIT:
            raise OSError(errno.ELOOP, f"more than {DEPTH_LIMIT} directories inside one another")
        fd = os.open(path_of(pin), DIRECTORY & ~os.O_NOFOLLOW)
        try:
            here = mount_id(fd)
            if here != (mount or here):
                self.mounts.append(path)
                return False
            self._keep(self._entry(path, "directory", read_attributes(pin, info)))
            for name in sorted(os.listdir(fd)):
                if not name.startswith(TEMPORARY):
                    self._add(fd, name, f"{path}/{name}", here, depth + 1)
            if os.fstat(fd).st_mtime_ns != info.st_mtime_ns:
                self.unsteady.append(path)
        finally:
            os.close(fd)
        return True

    def _add_file(self, pin: int, path: str) -> None:
        mark = self.sink.mark()
        entry, steady = self._read_file(pin, path)
        for _ in range(ATTEMPTS - 1):
            if steady:
                break
            self.sink.rewind(mark)
            entry, steady = self._read_file(pin, path)
        self.entries.append(entry)
        if not steady:
            self.unsteady.append(path)

    def _read_file(self, pin: int, path: str) -> tuple[Entry, bool]:
        """The file, and whether it held still."""
        import hashlib

        digest, before = hashlib.sha256(), os.fstat(pin)
        entry = replace(self._entry(path, "file", read_attributes(pin, before)), size=before.st_size)
        fd = os.open(path_of(pin), os.O_RDONLY | os.O_NOATIME | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            offset, size = self.sink.put(entry, _chunks(fd, path, before.st_size, digest.update))
        finally:
            os.close(fd)
        steady = _key(before) == _key(os.fstat(pin)) and size == before.st_size
        return replace(entry, offset=offset, size=size, sha256=digest.hexdigest()), steady


def _key(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _chunks(fd: int, path: str, size: int, seen: Callable[[bytes], None]) -> Iterator[bytes]:
    while size > 0:
        try:
            chunk = os.read(fd, min(size, CHUNK))
        except OSError as error:
            raise _Unreadable(path, error) from error
        if not chunk:
            return
        seen(chunk)
        yield chunk
        size -= len(chunk)


def scan_paths(host: Host, paths: Sequence[str], sink: Sink, elsewhere: Mapping[str, str] = NOWHERE_ELSE) -> Scan:
    """Everything at `paths`; what `elsewhere` names is read where it lies for now. Refused for what a store does not
    hold; Failed when something cannot be read."""
    ordered = sorted({check_path(path) for path in paths}, key=sort_key)
    for one, two in pairwise(ordered):
        if two.startswith(one + "/"):
            raise Refused(f"{two} lies inside {one}, which is captured as a whole", next_step="name one of them only")
    scan = Scan(host, sink, elsewhere)
    try:
        for path in ordered:
            scan.ask(path)
    except _Unreadable as error:
        raise Failed(f"{error.path} cannot be read: {error.error.strerror}") from error.error
    except OSError as error:  # a directory above a path that was asked for
        raise Failed(f"{error.filename or 'a directory'} cannot be opened: {error.strerror}") from error
    if scan.devices or scan.mounts:
        raise Refused("\n".join(_complaints(scan)), next_step="move it out of the captured directory")
    return scan


def _complaints(scan: Scan) -> list[str]:
    return [f"{path} is a device node, which a capture does not hold" for path in scan.devices[:10]] + [
        f"{path} has another file system mounted on it, which a capture does not hold" for path in scan.mounts[:10]
    ]
