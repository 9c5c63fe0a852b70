"""System calls for which Python has no name: mounts by descriptor, the id map of a mount, user namespaces.

Thin: one function a call, integers and str in, descriptors out, OSError with what was tried. Numbers are the same on
every architecture since Linux 5.0 (open_tree and later); statx and umount2 go through the C library.
Sources: open_tree(2), mount_setattr(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2), statmount(2), and
include/uapi/linux/mount.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import struct
from collections.abc import Iterator
from typing import NoReturn

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
CLONE_NEWUSER = 0x10000000

OPEN_TREE_CLONE = 1
MOUNT_ATTR_IDMAP = 0x100000
MOVE_MOUNT_F_EMPTY_PATH = 4
UMOUNT_NOFOLLOW = 8
RENAME_EXCHANGE = 2
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6
STATX_MNT_ID_UNIQUE = 0x4000
STATMOUNT_SUPPORTED_MASK = 0x1000
STATMOUNT_MNT_UIDMAP = 0x2000
STATMOUNT_MNT_GIDMAP = 0x4000

NR_OPEN_TREE, NR_MOVE_MOUNT, NR_FSOPEN, NR_FSCONFIG, NR_FSMOUNT = 428, 429, 430, 431, 432
NR_CLONE3, NR_MOUNT_SETATTR, NR_STATMOUNT = 435, 442, 457

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_held = ctypes.PyDLL(None, use_errno=True)
_held.syscall.restype = ctypes.c_long


def _syscall(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    values = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *values)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def open_tree(path: str) -> int:
    """A detached clone of the mount that `path` is on, beginning at `path`; what is mounted below stays out."""
    return _syscall(NR_OPEN_TREE, AT_FDCWD, os.fsencode(path), OPEN_TREE_CLONE | os.O_CLOEXEC)


def set_idmap(mount_fd: int, userns_fd: int) -> None:
    attributes = ctypes.create_string_buffer(struct.pack("=QQQQ", MOUNT_ATTR_IDMAP, 0, 0, userns_fd), 32)
    _syscall(NR_MOUNT_SETATTR, mount_fd, b"", AT_EMPTY_PATH, attributes, 32)


def move_mount(mount_fd: int, target: str) -> None:
    _syscall(NR_MOVE_MOUNT, mount_fd, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH)


def fsopen(fstype: str) -> int:
    return _syscall(NR_FSOPEN, fstype.encode(), 1)  # FSOPEN_CLOEXEC


def fsconfig_flag(fs_fd: int, name: str) -> None:
    _syscall(NR_FSCONFIG, fs_fd, FSCONFIG_SET_FLAG, name.encode(), None, 0)


def fsconfig_string(fs_fd: int, name: str, value: str) -> None:
    _syscall(NR_FSCONFIG, fs_fd, FSCONFIG_SET_STRING, name.encode(), os.fsencode(value), 0)


def fsconfig_create(fs_fd: int) -> None:
    _syscall(NR_FSCONFIG, fs_fd, FSCONFIG_CMD_CREATE, None, None, 0)


def fsmount(fs_fd: int, attributes: int) -> int:
    return _syscall(NR_FSMOUNT, fs_fd, 1, attributes)  # FSMOUNT_CLOEXEC


def umount(target: str) -> None:
    if _libc.umount2(os.fsencode(target), UMOUNT_NOFOLLOW) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def mount_flags(target: str, flags: int) -> None:
    """mount(2) of nothing: how a mount that is there passes on what is mounted below it."""
    if _libc.mount(b"none", os.fsencode(target), None, ctypes.c_ulong(flags), None) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def set_nodename(name: str) -> None:
    """sethostname(2), as the socket module does it, whose import takes longer."""
    data = os.fsencode(name)
    if _libc.sethostname(data, len(data)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def unshare(flags: int) -> None:
    if _libc.unshare(flags) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def unique_mount_id(path: str) -> int:
    """statx(2) with STATX_MNT_ID_UNIQUE (Linux 6.8); OSError(ENOSYS) before."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.statx(AT_FDCWD, os.fsencode(path), AT_SYMLINK_NOFOLLOW, STATX_MNT_ID_UNIQUE, buffer) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    (mask,) = struct.unpack_from("=I", buffer, 0)
    if not mask & STATX_MNT_ID_UNIQUE:
        raise OSError(errno.ENOSYS, "this kernel does not number its mounts uniquely (Linux 6.8)")
    (number,) = struct.unpack_from("=Q", buffer, 144)
    return int(number)


def mount_idmap(mount_id: int) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """statmount(2): lines "on-disk seen count" for users and for groups, None when the mount has no map.

    OSError(ENOSYS) where the kernel does not tell (before Linux 6.15): never taken for "no map".
    """
    wanted = STATMOUNT_SUPPORTED_MASK | STATMOUNT_MNT_UIDMAP | STATMOUNT_MNT_GIDMAP
    request = ctypes.create_string_buffer(struct.pack("=IIQQ", 24, 0, mount_id, wanted), 24)
    answer = ctypes.create_string_buffer(65536)
    _syscall(NR_STATMOUNT, request, answer, len(answer), 0)
    (mask,) = struct.unpack_from("=Q", answer, 8)
    (supported,) = struct.unpack_from("=Q", answer, 144)
    if not mask & STATMOUNT_SUPPORTED_MASK or not supported & STATMOUNT_MNT_UIDMAP:
        raise OSError(errno.ENOSYS, "this kernel does not tell the id map of a mount (Linux 6.15)")
    if not mask & STATMOUNT_MNT_UIDMAP:
        return None
    users, at_users, groups, at_groups = struct.unpack_from("=IIII", answer, 152)
    return _strings(answer.raw, at_users, users), _strings(answer.raw, at_groups, groups)


def _strings(answer: bytes, offset: int, count: int) -> tuple[str, ...]:
    start = 512 + offset  # the fixed part of struct statmount
    return tuple(item.decode() for item in answer[start:].split(b"\0", count)[:count])


def user_namespace(uid_map: str, gid_map: str) -> int:
    """A descriptor of a new user namespace with these maps. No process is left behind."""
    with _child_in_namespace() as pid:
        for file, text in (("uid_map", uid_map), ("gid_map", gid_map)):
            fd = os.open(f"/proc/{pid}/{file}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, text.encode())
            except OSError as error:
                raise OSError(error.errno, f"the kernel refuses this {file}: {error.strerror}") from None
            finally:
                os.close(fd)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def _child_in_namespace() -> Iterator[int]:
    """The id of a process in a user namespace of its own, gone at the end of the block. It is born there, so nobody
    waits until it has run: on a busy machine that took most of a mount's time."""
    until, end = os.pipe()
    pid = _clone(CLONE_NEWUSER)
    if pid == 0:
        _wait_for_the_end(until, end)
    os.close(until)
    try:
        yield pid
    finally:
        os.close(end)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _clone(flags: int) -> int:
    """clone3(2), as fork(2) in all else. Through PyDLL: the child has the interpreter's lock, too."""
    arguments = ctypes.create_string_buffer(struct.pack("=8Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)
    pid: int = _held.syscall(ctypes.c_long(NR_CLONE3), arguments, ctypes.c_long(64))
    if pid < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"a user namespace cannot be made: {os.strerror(code)}")
    return pid


def _wait_for_the_end(until: int, end: int) -> NoReturn:
    """Only system calls: the copy of a process with threads may do nothing else. It ends with its parent, too."""
    try:
        os.close(end)
        os.read(until, 1)
    finally:
        os._exit(0)


def syncfs(fd: int) -> None:
    if _libc.syncfs(fd) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def exchange(old_directory: int, old: str, new_directory: int, new: str) -> None:
    """renameat2(2), RENAME_EXCHANGE: at no instant is either name without something."""
    if _libc.renameat2(old_directory, os.fsencode(old), new_directory, os.fsencode(new), RENAME_EXCHANGE) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_with_parent(number: int) -> None:
    """prctl(2), PR_SET_PDEATHSIG. A parent that was gone before is not noticed: look at getppid() afterwards."""
    if _libc.prctl(1, number, 0, 0, 0) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
