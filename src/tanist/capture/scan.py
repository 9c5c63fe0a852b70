"""Walk the paths that were asked for, and read all that has changed since the last time.

Nothing is followed: each directory is opened in the one above it, each file in its directory, so that no link planted
in a service's own directory leads the walk away. What looks as it did (seen.py) is not read. A file that changes while
it is read is read again.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from tanist.capture.acl import is_acl
from tanist.capture.entry_format import render_entry
from tanist.capture.layer import Layer
from tanist.capture.manifest import Asked, Entry, Kind, sort_key
from tanist.capture.reading import ATTEMPTS, SMALL, Counting, find_data, key, read_chunks, read_small
from tanist.capture.seen import DIGEST, UNSETTLED, Block, Blocks, Noting
from tanist.capture.tarball import Named
from tanist.capture.values import TEMPORARY, check_path
from tanist.host.attributes import Attributes, pinned, read_attributes, read_attributes_open
from tanist.host.directories import DIRECTORY, deep_enough, mounts_below
from tanist.model.dataclasses import dataclass, field
from tanist.model.errors import Failed, Refused

if TYPE_CHECKING:
    from tanist.host.host import Host

NOWHERE_ELSE: Mapping[str, str] = {}
TOGETHER = 4096  # names of a directory that are looked at in one go
FRESH = 20_000_000  # ns: what changed this shortly before may change again without another time (inode(7))
SECOND = 1_000_000_000  # ns: some file systems keep no more (ext4 with inodes of 128 bytes, some servers); FAT keeps 2
FRESH_MARK = "?"
SELF = "."  # the name of a captured path in its own block
DEPTH_LIMIT = 4000  # directories inside one another: each level holds a descriptor
KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}
OPEN = os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
VANISHED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE}

Found = dict[str, tuple[os.stat_result, str]]


class Unreadable(Exception):
    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(path)
        self.path, self.error = path, error


@dataclass(slots=True)
class _Above:
    """A directory that the walk is in."""

    path: str
    fd: int
    put: bool  # its entry is in the layer


@dataclass(slots=True, kw_only=True)
class Scan:
    """What was found. Use scan_paths()."""

    host: Host
    make_layer: Callable[[Named, Named], Layer]  # called once something has changed
    blocks: Blocks
    noting: Noting
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    devices_allowed: frozenset[str] = frozenset()
    begun: int = field(default_factory=time.time_ns)
    layer: Layer | None = None
    asked: list[Asked] = field(default_factory=list)
    parents: dict[str, Entry] = field(default_factory=dict)
    unsteady: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    count: int = 0
    owners: dict[int, str] = field(default_factory=dict)
    owner_groups: dict[int, str] = field(default_factory=dict)
    acls: set[bytes] = field(default_factory=set)
    names: tuple[dict[int, str], dict[int, str]] = field(default_factory=lambda: ({}, {}))
    pairs: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)  # owner and group that go together
    above: list[_Above] = field(default_factory=list)
    _put_count: int = 0
    _links: dict[tuple[int, int], tuple[str, bool]] = field(default_factory=dict)

    # -- names of owners
    def user(self, number: int) -> str:
        known = self.names[0]
        if number not in known:
            known[number] = self.host.user_name(number) or ""
        return known[number]

    def group(self, number: int) -> str:
        known = self.names[1]
        if number not in known:
            known[number] = self.host.group_name(number) or ""
        return known[number]

    def is_changed(self) -> bool:
        return self._put_count > 0 or (self.layer is not None and self.layer.took)

    # -- one path
    def ask(self, path: str) -> None:
        self._links.clear()  # a hard link counts inside one path: another one is restored at another moment
        missing, info, before = self._note_parents(path), None, self.count
        if not missing:
            info = self._top(path)
            missing = "" if info else path
        if missing and self.blocks.take(path) is not None:
            self._take_away(path)
        state: Literal["present", "absent"] = "absent" if missing else "present"
        directory = info is not None and stat.S_ISDIR(info.st_mode)
        self.asked.append(
            Asked(path=path, state=state, missing_from=missing, directory=directory, count=self.count - before)
        )

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
            user, group = self.user(its.uid), self.group(its.gid)
            self.parents[parent] = Entry(path=parent, kind="directory", attributes=its, user=user, group=group)
        return ""

    def _top(self, path: str) -> os.stat_result | None:
        lies = self.elsewhere.get(path, path)
        directory, name = self.host.files.open_directory(os.path.dirname(lies)), os.path.basename(lies)
        try:
            mounted = mounts_below(directory, name)
            self.mounts += [path + inside for inside in mounted]
            if not mounted:
                self._look(directory, path, [SELF], self.blocks.take(path), own=name)
                self.mounts += [path + inside for inside in mounts_below(directory, name)]
            return os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return None
        finally:
            os.close(directory)

    # -- a directory
    def _walk(self, fd: int, path: str, info: os.stat_result, *, put: bool) -> None:
        """What is inside; closes `fd`. `put`: its own entry is in the layer already."""
        self.above.append(_Above(path, fd, put))
        try:
            if len(self.above) > DEPTH_LIMIT:
                raise Unreadable(path, OSError(errno.ELOOP, f"more than {DEPTH_LIMIT} directories inside one another"))
            names = _names(fd, path)
            if names and names[-1] >= TEMPORARY:
                names = [one for one in names if not one.startswith(TEMPORARY)]
            inside, done = path + "/", 0
            while (old := self.blocks.take(inside)) is not None or done < len(names):
                end = len(names) if old is None else bisect_right(names, old.last())
                low = ""
                while end - done > 2 * TOGETHER:
                    high = names[done + TOGETHER - 1]
                    self._look(fd, inside, names[done : done + TOGETHER], old, low=low, high=high)
                    done, low = done + TOGETHER, high
                self._look(fd, inside, names[done:end], old, low=low)
                done = end
            if os.fstat(fd).st_mtime_ns != info.st_mtime_ns:
                self.unsteady.append(path)
        finally:
            self.above.pop()
            os.close(fd)

    def _look(
        self,
        fd: int,
        inside: str,
        names: list[str],
        old: Block | None,
        *,
        low: str = "",
        high: str = "",
        own: str = "",
    ) -> None:
        """Names of one directory, in order. Where they look as they did, only the directories among them are entered.
        `low`, `high`: of a long block, this is the part after one name, up to another. `own`: the name of a captured
        path itself; `inside` is its path, and in the note it is SELF."""
        found: dict[str, tuple[os.stat_result, str]] = {}
        lines, fresh, several = [], False, False
        limit, coarse = self.begun - FRESH, self.begun - 2 * SECOND
        for name in names:
            try:
                info = os.stat(own or name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Unreadable(inside if own else inside + name, error) from error
            changed, mode = info.st_ctime_ns, info.st_mode
            look = f"{mode} {info.st_ino} {info.st_size} {info.st_mtime_ns} {changed}"
            if changed >= coarse and (changed >= limit or not changed % SECOND):
                look, fresh = FRESH_MARK + look, True
            if info.st_nlink > 1 and mode & 0o170000 != stat.S_IFDIR:
                several = True
            found[name] = info, look
            lines.append(f"{name}\0{look}\0")
        text = "".join(lines).encode("utf-8", "surrogateescape")
        if old is not None and text == old.lines and not fresh and not several and old.is_settled():
            self._pass(fd, inside, found, old, own)
        else:
            self._compare(fd, inside, found, old, text, (low, high), own)

    def _pass(self, fd: int, inside: str, found: Found, old: Block, own: str) -> None:
        self.count += len(found)
        self.noting.keep(old)
        for name, (info, _) in found.items():
            if info.st_mode & 0o170000 == stat.S_IFDIR:
                path = inside if own else inside + name
                sub = self._open(fd, own or name, path, DIRECTORY)
                if sub is not None:
                    self._walk(sub, path, info, put=False)

    def _compare(
        self, fd: int, inside: str, found: Found, old: Block | None, text: bytes, part: tuple[str, str], own: str
    ) -> None:
        before = old.parse(*part) if old is not None else {}
        digests: list[bytes] = []
        place: int | None = None
        for name in sorted(before.keys() | found.keys()) if before.keys() - found.keys() else found:
            path = inside if own else inside + name
            if name not in found:
                self._take_away(path)
                continue
            info, look = found[name]
            was = before.get(name)
            if was is not None and _format(was[0]) != stat.S_IFMT(info.st_mode):
                self._take_away(path)
                was = None
            known = was[1] if was is not None else None
            same = was is not None and was[0] == look and look[0] != FRESH_MARK
            if not stat.S_ISDIR(info.st_mode):
                digests.append(self._consider(fd, own or name, path, info, known, same=same))
                continue
            sub = self._open(fd, own or name, path, DIRECTORY)
            if sub is None:
                digests.append(UNSETTLED)
                continue
            try:
                its = None if same and known else read_attributes_open(sub, os.fstat(sub))
                digest, put = self._keep(self._entry(path, "directory", its), known) if its else (known or b"", False)
            except BaseException as error:
                os.close(sub)
                if isinstance(error, OSError):
                    raise Unreadable(path, error) from error
                raise
            digests.append(digest)
            self.count += 1
            if place is None:
                place = self.noting.add(inside, text, len(found), old)
            self._walk(sub, path, info, put=put)
        if not found:
            return
        if place is None:
            place = self.noting.add(inside, text, len(found), old)
        self.noting.fill(place, inside, text, b"".join(digests), old)

    # -- one entry
    def _consider(
        self, fd: int, name: str, path: str, info: os.stat_result, known: bytes | None, *, same: bool
    ) -> bytes:
        """Everything but a directory; answers its digest, UNSETTLED where it must be looked at again."""
        self.count += 1
        kind = KINDS[stat.S_IFMT(info.st_mode)]
        same = same and known is not None and known != UNSETTLED
        if info.st_nlink > 1:
            place = (info.st_dev, info.st_ino)
            first = self._links.get(place)
            if first is not None:
                return self._another_name(fd, name, path, known, first)
            if same and known is not None and not known[-1] & 1:
                self._links[place] = path, False
                return known
            count = self._put_count
            digest = self._read(fd, name, path, kind, info, known)
            self._links[place] = path, self._put_count > count
            return digest
        if same and known is not None:
            return known
        return self._read(fd, name, path, kind, info, known)

    def _another_name(self, fd: int, name: str, path: str, known: bytes | None, first: tuple[str, bool]) -> bytes:
        """A hard link goes with the file: where that is written anew, by hand all its names must be."""
        try:
            with pinned(fd, name) as pin:
                entry = self._entry(path, "hard link", read_attributes(pin, os.fstat(pin)))
        except OSError as error:
            return self._settle_error(path, error)
        entry.target = first[0]
        return self._keep(entry, None if first[1] else known)[0]

    def _read(self, fd: int, name: str, path: str, kind: Kind, info: os.stat_result, known: bytes | None) -> bytes:
        if kind == "file":
            return self._read_file(fd, name, path, known)
        if kind in ("character device", "block device") and path not in self.devices_allowed:
            self.devices.append(path)
            return UNSETTLED
        try:
            with pinned(fd, name) as pin:
                now = os.fstat(pin)
                if stat.S_IFMT(now.st_mode) != stat.S_IFMT(info.st_mode):
                    raise OSError(errno.ESTALE, "became something else", name)
                entry = self._entry(path, kind, read_attributes(pin, now))
                entry.target = os.readlink("", dir_fd=pin) if kind == "link" else ""
                entry.device = (os.major(now.st_rdev), os.minor(now.st_rdev)) if "device" in kind else (0, 0)
                entry.linked = now.st_nlink > 1
        except OSError as error:
            return self._settle_error(path, error)
        return self._keep(entry, known)[0]

    def _read_file(self, fd: int, name: str, path: str, known: bytes | None) -> bytes:
        opened = self._open(fd, name, path, OPEN)
        if opened is None:
            return UNSETTLED
        try:
            for attempt in range(ATTEMPTS):
                now = os.fstat(opened)
                if not stat.S_ISREG(now.st_mode):
                    raise OSError(errno.ESTALE, "became something else", name)
                if attempt:
                    os.lseek(opened, 0, os.SEEK_SET)
                entry = self._entry(path, "file", read_attributes_open(opened, now))
                entry.linked, entry.size = now.st_nlink > 1, now.st_size
                take = self._take_small if now.st_size <= SMALL else self._take_large
                digest = take(opened, now, entry, known, last=attempt == ATTEMPTS - 1)
                if digest is not None:
                    return digest
        except OSError as error:
            return self._settle_error(path, error)
        finally:
            os.close(opened)
        self.unsteady.append(path)
        return UNSETTLED

    def _take_small(
        self, fd: int, info: os.stat_result, entry: Entry, known: bytes | None, *, last: bool
    ) -> bytes | None:
        """The digest; None when the file did not hold still. The last time it is captured all the same."""
        data, entry.data = read_small(fd, info)
        if entry.data is None:
            steady, entry.size = len(data) == info.st_size, len(data)
        else:
            steady, data = len(data) == entry.stored, data.ljust(entry.stored, b"\0")
        steady = steady and key(info) == key(os.fstat(fd))
        if not steady and not last:
            return None
        entry.sha256 = sha256(data).hexdigest()
        digest, _ = self._keep(entry, known, (data,))
        return digest if steady else None

    def _take_large(
        self, fd: int, info: os.stat_result, entry: Entry, known: bytes | None, *, last: bool
    ) -> bytes | None:
        entry.data = find_data(fd, info)
        layer = self._open_layer()
        mark = layer.mark()
        counting = Counting(read_chunks(fd, entry.size, entry.data), entry.stored)
        layer.put(entry, counting)
        steady = counting.size == entry.stored and key(info) == key(os.fstat(fd))
        entry.sha256 = counting.digest.hexdigest()
        body = render_entry(entry)
        digest = _digest(body, entry)
        if (not steady and not last) or digest == known:
            layer.rewind(mark)
            return digest if steady else None
        layer.note(entry, body)
        self._put_count += 1
        return digest if steady else None

    def _entry(self, path: str, kind: Kind, its: Attributes) -> Entry:
        pair = self.pairs.get((its.uid, its.gid))
        if pair is None:
            pair = self.pairs[its.uid, its.gid] = self.user(its.uid), self.group(its.gid)
            self.owners[its.uid], self.owner_groups[its.gid] = pair
        for name, value in its.xattrs:
            if is_acl(name):
                self.acls.add(value)
        return Entry(path=path, kind=kind, attributes=its, user=pair[0], group=pair[1])

    # -- the layer
    def _keep(self, entry: Entry, known: bytes | None, content: Iterable[bytes] = ()) -> tuple[bytes, bool]:
        """Its digest, and whether it was put into the layer: not when it is what it was."""
        body = render_entry(entry)
        digest = _digest(body, entry)
        if digest == known:
            return digest, False
        layer = self._open_layer()
        layer.put(entry, content)
        layer.note(entry, body)
        self._put_count += 1
        return digest, True

    def _open_layer(self) -> Layer:
        """With the directories above what comes next: by hand, too, they get their times back last."""
        if self.layer is None:
            self.layer = self.make_layer(self.user, self.group)
        for above in self.above:
            if not above.put:
                above.put = True
                entry = self._entry(above.path, "directory", read_attributes_open(above.fd, os.fstat(above.fd)))
                self.layer.put(entry)
                self.layer.note(entry, render_entry(entry))
        return self.layer

    def _take_away(self, path: str) -> None:
        self._open_layer().take_away(path)

    # -- what can go wrong
    def _open(self, fd: int, name: str, path: str, flags: int) -> int | None:
        """None when it went away or became something else a moment ago."""
        try:
            return os.open(name, flags, dir_fd=fd)
        except OSError as error:
            if error.errno not in VANISHED:
                raise Unreadable(path, error) from error
            self.unsteady.append(path)
            return None

    def _settle_error(self, path: str, error: OSError) -> bytes:
        """For an entry that went away or became something else meanwhile; any other error is one."""
        if error.errno not in VANISHED:
            raise Unreadable(path, error) from error
        self.unsteady.append(path)
        return UNSETTLED


def _digest(body: str, entry: Entry) -> bytes:
    """Its last bit tells another name of a file from the first one."""
    digest = blake2b(body.encode("ascii"), digest_size=DIGEST).digest()
    return digest[:-1] + bytes((digest[-1] & 0xFE | (entry.kind == "hard link"),))


def _names(fd: int, path: str) -> list[str]:
    try:
        return sorted(os.listdir(fd))
    except OSError as error:
        raise Unreadable(path, error) from error


def _format(look: str) -> int:
    return stat.S_IFMT(int(look.lstrip(FRESH_MARK).split(" ", 1)[0]))


def scan_paths(scan: Scan, paths: Sequence[str]) -> Scan:
    """Everything at `paths`. Refused for what a store does not hold; Failed when something cannot be read."""
    ordered = sorted({check_path(path) for path in paths}, key=sort_key)
    for one, two in pairwise(ordered):
        if two.startswith(one + "/"):
            raise Refused(f"{two} lies inside {one}, which is captured as a whole", next_step="name one of them only")
    try:
        with deep_enough():
            for path in ordered:
                scan.ask(path)
    except Unreadable as error:
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
