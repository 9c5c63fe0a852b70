"""Something changed among these files and directories: inotify(7) through the C library.

Directories are watched with all that lies below them, files through their directory, because a file that is replaced
by rename(2) is another inode. No links are followed. What it saw is not told in detail: whoever asks looks again.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator

IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF = 0x100, 0x200, 0x400, 0x800
IN_Q_OVERFLOW, IN_IGNORED = 0x4000, 0x8000
IN_ONLYDIR, IN_DONT_FOLLOW, IN_ISDIR = 0x01000000, 0x02000000, 0x40000000
CHANGES = (
    IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF
    | IN_MOVE_SELF
)  # fmt: skip
_EVENT = struct.Struct("iIII")  # wd, mask, cookie, length of the name that follows
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Quick to make again: `rearm` looks for directories that came since, and is to be called now and then."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._fd: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _error("inotify_init1")
        self._paths = tuple(paths)
        self._directories: dict[int, str] = {}
        self._names: dict[str, set[str]] = {}  # of a directory of which only some names count; none: all of them do
        self.full = False  # fs.inotify.max_user_watches is reached: some changes go unseen
        self.rearm()

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def rearm(self) -> None:
        self.full = False
        for path in self._paths:
            parent, _, name = path.rstrip("/").rpartition("/")
            self._names.setdefault(parent or "/", set()).add(name)
        for directory in [one for path in self._paths for one in _directories_below(path)]:
            self._names.pop(directory, None)
            self._add(directory)
        for directory in list(self._names):
            self._add(directory)

    def read(self) -> bool:
        """Whether something that counts happened since the last time. Never waits."""
        changed = False
        while data := self._read():
            at = 0
            while at < len(data):
                number, mask, _, length = _EVENT.unpack_from(data, at)
                name = os.fsdecode(data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0"))
                at += _EVENT.size + length
                changed |= self._take(number, mask, name)
        return changed

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, 65536)
        except BlockingIOError:
            return b""

    def _take(self, number: int, mask: int, name: str) -> bool:
        if mask & IN_Q_OVERFLOW:
            self.rearm()
            return True
        directory = self._directories.get(number, "")
        if mask & IN_IGNORED:
            self._directories.pop(number, None)
            return False
        names = self._names.get(directory)
        if names is not None and name not in names:
            return False
        if mask & IN_ISDIR and mask & (IN_CREATE | IN_MOVED_TO):
            for below in _directories_below(f"{directory.rstrip('/')}/{name}"):
                self._add(below)
        return True

    def _add(self, directory: str) -> None:
        number = _libc.inotify_add_watch(self._fd, os.fsencode(directory), CHANGES | IN_ONLYDIR | IN_DONT_FOLLOW)
        if number >= 0:
            self._directories[number] = directory
            return
        error = _error(directory)
        if error.errno == errno.ENOSPC:
            self.full = True
        elif error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            raise error


def _directories_below(path: str) -> Iterator[str]:
    """`path` itself and all directories in it; none where it is no directory."""
    if os.path.isdir(path) and not os.path.islink(path):
        for directory, _, _ in os.walk(path):
            yield directory


def _error(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), what)
