"""Everything about an inode but its content: owner, mode, times, xattrs (ACLs and capabilities are xattrs), flags.

An inode is pinned first (O_PATH, never following) and then read or changed through its descriptor, so that swapping
its name for a link meanwhile leads nowhere. The order of apply_attributes() matters and was measured: chown(2) as root
drops set-id bits and capabilities, chmod(2) rewrites an ACL's mask, and a flag like immutable forbids all the others,
rename(2) included: flags come last, after the file has its name.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterator

from tanist.model.dataclasses import dataclass

FS_IOC_GETFLAGS = 0x80086601  # ioctl_iflags(2)
FS_IOC_SETFLAGS = 0x40086602
IMMUTABLE, APPEND_ONLY = 0x10, 0x20
KEPT_FLAGS = {"append-only": APPEND_ONLY, "immutable": IMMUTABLE}
ALL_KEPT = IMMUTABLE | APPEND_ONLY
NO_FLAGS = {errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}  # file systems without inode flags
NO_XATTRS = {errno.EOPNOTSUPP, errno.ENOSYS}

ACL_ACCESS, ACL_DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
RAW_ACLS = {"trusted.SGI_ACL_FILE", "trusted.SGI_ACL_DEFAULT"}  # xfs: the same ACLs once more, ids as on the disk
LABEL = "security.selinux"  # the host's policy decides on it: set where captured, never removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    mode: int  # permission, set-id and sticky bits
    uid: int
    gid: int
    mtime_ns: int
    xattrs: tuple[tuple[str, bytes], ...] = ()  # sorted by name
    flags: tuple[str, ...] = ()  # of KEPT_FLAGS, sorted


@contextlib.contextmanager
def pinned(directory: int, name: str) -> Iterator[int]:
    """A descriptor of the inode that `name` is now, whatever its kind; links are not followed, fifos do not block."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        yield fd
    finally:
        os.close(fd)


def path_of(fd: int) -> str:
    """A path that leads to the inode of a descriptor itself, a link included (proc(5), /proc/PID/fd)."""
    return f"/proc/self/fd/{fd}"


def read_attributes(pin: int, info: os.stat_result) -> Attributes:
    return Attributes(
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        mtime_ns=info.st_mtime_ns,
        xattrs=read_xattrs(pin),
        flags=read_flags(pin, info),
    )


def read_attributes_open(fd: int, info: os.stat_result) -> Attributes:
    """The same of a file or directory that is open for reading: quicker, because no name is looked up."""
    xattrs, found = read_xattrs_open(fd), _get_flags(fd)
    return Attributes(
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        mtime_ns=info.st_mtime_ns,
        xattrs=xattrs,
        flags=tuple(key for key, bit in KEPT_FLAGS.items() if found & bit) if found & ALL_KEPT else (),
    )


def read_xattrs(pin: int) -> tuple[tuple[str, bytes], ...]:
    path = path_of(pin)
    try:
        return tuple((key, os.getxattr(path, key)) for key in sorted({*os.listxattr(path)} - RAW_ACLS))
    except OSError as error:
        if error.errno in NO_XATTRS:
            return ()
        raise


def read_xattrs_open(fd: int) -> tuple[tuple[str, bytes], ...]:
    try:
        names = os.listxattr(fd)
        if not names:
            return ()
        return tuple((key, os.getxattr(fd, key)) for key in sorted({*names} - RAW_ACLS))
    except OSError as error:
        if error.errno not in NO_XATTRS:
            raise
        return ()


def read_flags(pin: int, info: os.stat_result) -> tuple[str, ...]:
    if not _has_flags(info):
        return ()
    with _opened(pin) as fd:
        found = _get_flags(fd)
    return tuple(key for key, bit in KEPT_FLAGS.items() if found & bit)


def apply_attributes(pin: int, wanted: Attributes) -> None:
    """All but the flags. The inode must be neither immutable nor append-only: change_flags() first."""
    info, path = os.fstat(pin), path_of(pin)
    if (info.st_uid, info.st_gid) != (wanted.uid, wanted.gid):
        os.chown(path, wanted.uid, wanted.gid)
    keep = {key for key, _ in wanted.xattrs} | {LABEL}
    for key, _ in read_xattrs(pin):
        if key not in keep:
            os.removexattr(path, key)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(path, wanted.mode)
    found = dict(read_xattrs(pin))
    for key, value in wanted.xattrs:
        if found.get(key) != value and key not in RAW_ACLS:
            os.setxattr(path, key, value)
    apply_mtime(pin, wanted.mtime_ns)


def apply_to_new(fd: int, wanted: Attributes, born: Attributes) -> None:
    """As apply_attributes(), to a file that was just made, and is open. `born`: what it had then, from its directory
    (default ACL, set-group-id bit) and this process's umask."""
    chown = (wanted.uid, wanted.gid) != (born.uid, born.gid)
    if chown:
        os.fchown(fd, wanted.uid, wanted.gid)
    keep = {key for key, _ in wanted.xattrs} | {LABEL} if born.xattrs else ()
    for key, _ in born.xattrs:
        if key not in keep:
            os.removexattr(fd, key)
    if chown or born.xattrs or wanted.mode != born.mode:
        os.fchmod(fd, wanted.mode)
    for key, value in wanted.xattrs:
        if key not in RAW_ACLS:
            os.setxattr(fd, key, value)
    os.utime(fd, ns=(wanted.mtime_ns, wanted.mtime_ns))


def apply_mtime(pin: int, mtime_ns: int) -> None:
    info = os.fstat(pin)
    if info.st_mtime_ns != mtime_ns:
        os.utime(path_of(pin), ns=(info.st_atime_ns, mtime_ns))


def change_flags(pin: int, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Immutable and append-only as wanted, the other inode flags as they are; answers the kept ones of before."""
    if not _has_flags(os.fstat(pin)):
        return ()
    with _opened(pin) as fd:
        found = _get_flags(fd)
        flags = found & ~(IMMUTABLE | APPEND_ONLY)
        for key in wanted:
            flags |= KEPT_FLAGS[key]
        if flags != found:
            fcntl.ioctl(fd, FS_IOC_SETFLAGS, array.array("l", [flags]), True)
    return tuple(key for key, bit in KEPT_FLAGS.items() if found & bit)


def _has_flags(info: os.stat_result) -> bool:
    return stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)


@contextlib.contextmanager
def _opened(pin: int) -> Iterator[int]:
    fd = os.open(path_of(pin), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        yield fd
    finally:
        os.close(fd)


def _get_flags(fd: int) -> int:
    try:
        return int.from_bytes(fcntl.ioctl(fd, FS_IOC_GETFLAGS, b"\0" * 8), sys.byteorder)
    except OSError as error:
        if error.errno in NO_FLAGS:
            return 0
        raise
