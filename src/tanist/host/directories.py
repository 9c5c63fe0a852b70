"""Directories by descriptor: walking, removing and syncing that no planted link can lead astray.

Everything here takes descriptors or opens part by part with O_NOFOLLOW; names never hold a slash.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator

from tanist.host.attributes import change_flags, pinned

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
DEEP_CALLS, DEEP_FILES = 40_000, 10_000
LINKS_LIMIT = 40  # as the kernel's own (path_resolution(7))


def split_path(path: str) -> list[str]:
    """The parts of an absolute path. ".." would make `path` mean something else once a link is on the way."""
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f"not an absolute path: {path!r}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError(f'".." in a path: {path!r}')
    return parts


def open_walking(place: Callable[[str], str], mounts: tuple[str, ...], path: str, create: int | None) -> int:
    """See Files.open_directory. `place` says where a path lies, `mounts` are the paths where another directory
    begins (a fake host's mounts)."""
    parts, here, links = split_path(path), "", 0
    fd = os.open(place("/"), DIRECTORY & ~os.O_NOFOLLOW)
    try:
        while parts:
            part = parts.pop(0)
            if part == ".":
                continue
            following = os.path.dirname(here).rstrip("/") if part == ".." else f"{here}/{part}"
            target = None if part == ".." else _trusted_link(fd, part)
            if target is not None:
                links += 1
                if links > LINKS_LIMIT:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                parts[:0] = [item for item in target.split("/") if item]
                if not target.startswith("/"):
                    continue
                following = ""
            if part == ".." or target is not None or following in mounts:
                # a path made of trusted links and directories that were walked already, or a fake host's mount
                new = _reopen(place, mounts, following)
            else:
                new = _open_part(fd, part, create)
            os.close(fd)
            fd, here = new, following
        return fd
    except BaseException:
        os.close(fd)
        raise


def _reopen(place: Callable[[str], str], mounts: tuple[str, ...], path: str) -> int:
    if not path or path in mounts:
        return os.open(place(path or "/"), DIRECTORY & ~os.O_NOFOLLOW)
    return open_walking(place, mounts, path, None)


def _trusted_link(directory: int, name: str) -> str | None:
    """The target of a link that only root can have made; None when it is no link (or nothing)."""
    try:
        info = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(info.st_mode):
        return None
    around = os.fstat(directory)
    if info.st_uid != 0 or around.st_uid != 0 or around.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OSError(errno.ELOOP, "a link that somebody else than root could have made is not followed", name)
    return os.readlink(name, dir_fd=directory)


def _open_part(directory: int, name: str, create: int | None) -> int:
    try:
        return os.open(name, DIRECTORY, dir_fd=directory)
    except FileNotFoundError:
        if create is None:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, create, dir_fd=directory)
    fd = os.open(name, DIRECTORY, dir_fd=directory)
    os.fchmod(fd, create)
    os.fsync(directory)
    return fd


def fsync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def mount_id(fd: int) -> str:
    """Which mount a descriptor is on (proc(5), fdinfo): tells a bind mount of the same file system, too."""
    with open(f"/proc/self/fdinfo/{fd}", "rb") as text:
        for line in text:
            if line.startswith(b"mnt_id:"):
                return line.split()[1].decode()
    raise OSError(errno.ENOSYS, "the kernel does not tell the mount of a descriptor")


@contextlib.contextmanager
def deep_enough() -> Iterator[None]:
    """Room to walk far down: a walk calls itself and holds a descriptor for each directory that it is in."""
    import resource

    calls, files = sys.getrecursionlimit(), resource.getrlimit(resource.RLIMIT_NOFILE)
    sys.setrecursionlimit(max(calls, DEEP_CALLS))
    if files[0] != resource.RLIM_INFINITY and files[0] < DEEP_FILES:
        most = files[1] if files[1] != resource.RLIM_INFINITY else DEEP_FILES
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(files[0], min(DEEP_FILES, most)), files[1]))
    try:
        yield
    finally:
        sys.setrecursionlimit(calls)
        resource.setrlimit(resource.RLIMIT_NOFILE, files)


def mounts_below(directory: int, name: str) -> tuple[str, ...]:
    """Where something is mounted inside `name` of an open directory, as paths from `name` on (proc(5), mountinfo)."""
    above = os.readlink(f"/proc/self/fd/{directory}").rstrip("/")
    top = os.fsencode(f"{above}/{name}/")
    with open("/proc/self/mountinfo", "rb") as text:
        points = [line.split(b" ", 5)[4] for line in text]
    return tuple("/" + os.fsdecode(plain[len(top) :]) for one in points if (plain := _unescape(one)).startswith(top))


def _unescape(path: bytes) -> bytes:
    """Blanks, tabs, newlines and backslashes stand there as octal numbers."""
    head, *parts = path.split(b"\\")
    return head + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in parts)


def remove_entry(directory: int, name: str) -> int:
    """Remove what `name` is in an open directory, a directory with all that it holds; answers how many entries went.

    Links are removed as links. Immutable and append-only flags are cleared first. Where something is mounted:
    OSError(EBUSY), with everything on that mount left alone. Not there: FileNotFoundError.
    """
    with deep_enough():
        return _remove(directory, name, mount_id(directory))


def _remove(directory: int, name: str, mount: str) -> int:
    if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        _retrying(directory, name, lambda: os.unlink(name, dir_fd=directory))
        return 1
    fd = os.open(name, DIRECTORY, dir_fd=directory)
    try:
        if mount_id(fd) != mount:
            raise OSError(errno.EBUSY, "something is mounted here", name)
        count = sum(_remove(fd, inner, mount) for inner in os.listdir(fd))
    finally:
        os.close(fd)
    _retrying(directory, name, lambda: os.rmdir(name, dir_fd=directory))
    return count + 1


def _retrying(directory: int, name: str, change: Callable[[], None]) -> None:
    """Inode flags make even root's change EPERM: take them away, of the directory for a moment only."""
    try:
        change()
    except PermissionError:
        with pinned(directory, name) as pin:
            change_flags(pin, ())
        before = change_flags(directory, ())
        try:
            change()
        finally:
            if before:
                change_flags(directory, before)
