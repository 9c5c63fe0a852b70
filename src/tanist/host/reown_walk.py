"""One worker's share of a re-owning walk: each of its inodes gets the number that the map gives to what it had.

In: an open tree, a map, the record so far. Out: owners, ACL entries and capabilities changed where they differ, every
change recorded before it is made. Links are never followed, each inode is changed once. Killed at any point, the next
walk over the same record ends the same. OSError names the file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from itertools import islice

from tanist.host.attributes import (
    ACL_ACCESS,
    ACL_DEFAULT,
    Attributes,
    apply_attributes,
    change_flags,
    pinned,
    read_attributes,
)
from tanist.host.directories import DIRECTORY
from tanist.host.reown_log import PLAIN, Numbering, Pair, Record, Writer, render_frame, render_special
from tanist.host.reown_xattrs import CAPABILITY, map_xattrs
from tanist.model.dataclasses import dataclass, field, replace

BATCH = 1 << 18  # inodes recorded with one sync
CHUNK = 16384  # entries of a directory held at a time
OPEN_LIMIT = 4096  # directories kept open for a batch
OURS = ".tanist"  # root's own, at the top of the tree
SET_ID = stat.S_ISUID | stat.S_ISGID
TYPE, LINK, DIRECTORY_TYPE = 0o170000, stat.S_IFLNK, stat.S_IFDIR  # of a mode, inode(7)
TELLING = {ACL_ACCESS, ACL_DEFAULT, CAPABILITY}
BLOCK = 6  # 64 inodes lie together: two workers do not write to one block of the inode table

Point = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which inodes are whose: hard links to one inode meet in one worker."""

    part: int
    of: int

    def mine(self, inode: int) -> bool:
        return (inode >> BLOCK) % self.of == self.part


@dataclass(slots=True, eq=False)
class Directory:
    fd: int
    name: str
    above: Directory | None
    plain: list[tuple[str, Pair]] = field(default_factory=list)  # name, new owner
    special: list[tuple[str, int, Attributes]] = field(default_factory=list)  # name, inode, what it had
    users: int = 1  # the walk itself, and the batch

    @property
    def path(self) -> str:
        names: list[str] = []
        here: Directory | None = self
        while here is not None:
            names.append(here.name)
            here = here.above
        return "/".join(reversed(names))


@dataclass(slots=True)
class Counts:
    looked_at: int = 0
    changed: int = 0


class Walk:
    def __init__(
        self, tree: str, numbering: Numbering, share: Share, record: Record, writer: Writer, point: Point
    ) -> None:
        self.counts = Counts()
        self._tree = tree
        self._map = numbering
        self._owners: dict[Pair, Pair] = {}  # those met so far, and what becomes of them
        self._share = share
        self._record = record
        self._writer = writer
        self._point = point
        self._links: set[int] = set()  # inodes with several names that were seen
        self._waiting: list[Directory] = []
        self._frame = bytearray()
        self._specials = bytearray()
        self._pending = 0

    def run(self) -> None:
        before = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._run()
        finally:
            os.fchdir(before)
            os.close(before)

    def _run(self) -> None:
        top = Directory(fd=os.open(self._tree, DIRECTORY), name=self._tree, above=None)
        device = os.fstat(top.fd).st_dev
        os.fchdir(top.fd)
        if self._share.mine(os.fstat(top.fd).st_ino):
            self._look(top, ["."])
        stack = [(top, self._chunks(top))]
        while stack:
            directory, children = stack[-1]
            name = next(children, None)
            if name is None:
                stack.pop()
                self._let_go(directory)
                continue
            child = self._open(directory, name, device)
            stack.append((child, self._chunks(child)))
            if self._pending >= BATCH or len(self._waiting) >= OPEN_LIMIT:
                self._flush()
        self._flush()

    def _open(self, directory: Directory, name: str, device: int) -> Directory:
        try:
            fd = os.open(name, DIRECTORY | os.O_NOATIME, dir_fd=directory.fd)
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{directory.path}/{name}") from None
        child = Directory(fd=fd, name=name, above=directory)
        if os.fstat(fd).st_dev != device:
            path = child.path
            os.close(fd)
            raise OSError(errno.EXDEV, "another file system or subvolume lies inside the tree", path)
        return child

    def _chunks(self, directory: Directory) -> Iterator[str]:
        """Looks at what is in a directory; yields its directories, to be walked in between."""
        with os.scandir(directory.fd) as entries:
            while chunk := list(islice(entries, CHUNK)):
                os.fchdir(directory.fd)
                share, inner, looks = self._share, [], []
                for entry in chunk:
                    if entry.is_dir(follow_symlinks=False):
                        if directory.above is None and entry.name == OURS:
                            continue
                        inner.append(entry.name)
                    inode = entry.inode()
                    if (inode >> BLOCK) % share.of == share.part:
                        looks.append((inode, entry.name))
                looks.sort()  # as they lie on the disk
                self._look(directory, [name for _, name in looks])
                if self._pending >= BATCH:
                    self._flush()
                yield from inner

    def _look(self, directory: Directory, names: list[str]) -> None:
        """Inodes, the working directory being their parent's: recorded and noted for change where they must. One
        function for all of them, and no call of another for most: half of a walk's own time was spent in such calls."""
        lstat, listxattr, pack = os.lstat, os.listxattr, PLAIN.pack
        recorded, owners, frame = self._record.owners, self._owners, self._frame
        plain: list[tuple[str, Pair]] = []
        name = ""
        try:
            for name in names:
                info = lstat(name)
                mode, inode = info.st_mode, info.st_ino
                kind = mode & TYPE
                if kind != DIRECTORY_TYPE and info.st_nlink > 1:
                    if inode in self._links:
                        continue
                    self._links.add(inode)
                if inode in recorded:
                    self._look_again(directory, name, info)
                    continue
                had = (info.st_uid, info.st_gid)
                owner = owners.get(had)
                if owner is None:
                    owner = owners[had] = self._map.owner(had)
                moves = owner != had
                telling = () if kind == LINK else listxattr(name, follow_symlinks=False)
                if (telling and not TELLING.isdisjoint(telling)) or (
                    moves and mode & SET_ID and kind != DIRECTORY_TYPE
                ):
                    self._look_closely(directory, name, info, moves)
                elif moves:
                    frame += pack(inode, *had)
                    plain.append((name, owner))
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{directory.path}/{name}") from None
        self.counts.looked_at += len(names)
        if plain:
            self._keep(directory, len(plain))
            directory.plain += plain

    def _look_closely(self, directory: Directory, name: str, info: os.stat_result, moves: bool) -> None:
        """An inode of which chown(2) would drop something, or whose ACL names ids."""
        with pinned(directory.fd, name) as pin:
            had = read_attributes(pin, info)
        if moves or map_xattrs(had.xattrs, self._map) != had.xattrs:
            self._specials += render_special(info.st_ino, had)
            self._keep(directory)
            directory.special.append((name, info.st_ino, had))

    def _look_again(self, directory: Directory, name: str, info: os.stat_result) -> None:
        """An inode that an attempt before this one recorded, and may have changed."""
        old, found = self._record.owners[info.st_ino], (info.st_uid, info.st_gid)
        if not self._record.may_have(old, found):
            raise OSError(
                errno.ESTALE,
                f"belongs to {found[0]}:{found[1]}, and the record has {old[0]}:{old[1]}: somebody else changed it; "
                f"chown -h {old[0]}:{old[1]} it, then go on",
            )
        special = self._record.special.get(info.st_ino)
        if special is not None:
            self._keep(directory)
            directory.special.append((name, info.st_ino, special))
        elif (owner := self._map.owner(old)) != found:
            self._keep(directory)
            directory.plain.append((name, owner))

    # -- a batch
    def _keep(self, directory: Directory, inodes: int = 1) -> None:
        if not directory.plain and not directory.special:
            directory.users += 1
            self._waiting.append(directory)
        self._pending += inodes

    def _let_go(self, directory: Directory) -> None:
        directory.users -= 1
        if not directory.users:
            os.close(directory.fd)

    def _flush(self) -> None:
        """Record, sync, change."""
        frames = [
            render_frame(kind, bytes(data)) for kind, data in ((b"P", self._frame), (b"S", self._specials)) if data
        ]
        if frames or (self._waiting and self._map != Numbering(users={}, groups={})):
            self._point("record")
            self._writer.append(*frames)
            self._point("recorded")
        self._frame.clear()
        self._specials.clear()
        self.counts.changed += self._pending
        self._pending = 0
        waiting, self._waiting = self._waiting, []
        lchown = os.lchown
        for directory in waiting:
            os.fchdir(directory.fd)
            for name, (uid, gid) in directory.plain:
                try:
                    lchown(name, uid, gid)
                except PermissionError:
                    self._change_fixed(directory, name, uid, gid)
                except OSError as error:
                    raise OSError(error.errno, error.strerror, f"{directory.path}/{name}") from None
                self._point("changed")
            for name, _, had in directory.special:
                self._change_special(directory, name, had)
            directory.plain.clear()
            directory.special.clear()
            self._let_go(directory)

    def _change_fixed(self, directory: Directory, name: str, uid: int, gid: int) -> None:
        """Immutable or append-only: that is recorded before it is taken away for a moment."""
        with pinned(directory.fd, name) as pin:
            info = os.fstat(pin)
            had = read_attributes(pin, info)
        if not had.flags:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), f"{directory.path}/{name}")
        old = self._record.owners.get(info.st_ino, (had.uid, had.gid))
        had = replace(had, uid=old[0], gid=old[1])
        assert self._map.owner(old) == (uid, gid)
        self._writer.append(render_frame(b"S", render_special(info.st_ino, had)))
        self._point("recorded")
        self._change_special(directory, name, had)

    def _change_special(self, directory: Directory, name: str, had: Attributes) -> None:
        uid, gid = self._map.owner((had.uid, had.gid))
        wanted = replace(had, uid=uid, gid=gid, xattrs=map_xattrs(had.xattrs, self._map))
        try:
            with pinned(directory.fd, name) as pin:
                if read_attributes(pin, os.fstat(pin)) == wanted:
                    return
                change_flags(pin, ())
                self._point("unlocked")
                apply_attributes(pin, wanted)
                self._point("changed")
                change_flags(pin, wanted.flags)
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{directory.path}/{name}") from None
        self._point("changed")
