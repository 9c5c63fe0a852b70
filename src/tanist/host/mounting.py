"""Mounting on this machine: file systems and binds, with or without an id map, each call safe to repeat.

The mount is made detached, mapped, and only then put in its place: nobody ever sees the unmapped tree. Where the
parent is shared (systemd makes / so), the mount reaches the other mount namespaces as mount(8)'s would.
Measured on a quiet machine: 1.3 ms in all, half of it for the user namespace that carries the map.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence

from tanist.host import exports, syscalls
from tanist.host.idmaps import check_idmap, parse_extents, render_extents, render_sorted
from tanist.host.mountinfo import find_mount, parse_mountinfo, read_mounts
from tanist.model.exports import FSTYPE as NFS
from tanist.model.host import IdMap, Mount

IOC_SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125  # _IOR('X', 125, __u32): fs/ext4/ioctl.c, xfs_fs.h
NO_LOG_FLUSH = 2

ATTRIBUTES = {  # mount_setattr(2); relatime is 0, the kernel's default
    "ro": 0x1,
    "nosuid": 0x2,
    "nodev": 0x4,
    "noexec": 0x8,
    "noatime": 0x10,
    "strictatime": 0x20,
    "nodiratime": 0x80,
    "nosymfollow": 0x200000,
}
DEFAULTS = {"defaults", "rw", "relatime", "suid", "dev", "exec", "atime", "diratime"}
FOR_MOUNT_8 = {"auto", "noauto", "nofail", "_netdev", "user", "nouser", "users", "owner", "group"}
MAPS = "/run/tanist/idmaps"  # what this module mapped in this boot: older kernels do not tell


def mount_device(device: str, target: str, fstype: str, options: Sequence[str], idmap: IdMap | None) -> None:
    place = _place(target)
    if fstype == NFS:
        if idmap is not None:
            raise OSError(errno.EOPNOTSUPP, f"id map for {place}: the kernel has none for NFS")
        exports.mount_export(device, place, options)
        return
    mounted = find_mount(read_mounts(), place)
    if "degraded" in options:  # of a btrfs
        device, options = _leave_dead_out(device, options)
    if mounted is not None and (problem := _difference(mounted, device, idmap)):
        raise OSError(errno.EBUSY, f"{target}: {problem}")
    if mounted is not None:
        return
    if not os.path.isdir(place):
        raise OSError(errno.ENOTDIR, f"mount of {device} at {target}: not a directory")
    fd = _new_mount(device, fstype, options)
    try:
        _attach(fd, place, idmap)
    finally:
        os.close(fd)


def _leave_dead_out(device: str, options: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The kernel refuses a mount where a device that is named can't be read."""
    others = [one for one in options if one.startswith("device=")]
    there = [one for one in (device, *(one.removeprefix("device=") for one in others)) if _has_btrfs(one)] or [device]
    return there[0], [*(one for one in options if one not in others), *(f"device={one}" for one in there[1:])]


def _has_btrfs(device: str) -> bool:
    try:
        fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.pread(fd, 8, 65600) == b"_BHRfS_M"
    except OSError:
        return False
    finally:
        os.close(fd)


def mount_bind(source: str, target: str, idmap: IdMap | None) -> None:
    place = _place(target)
    os.stat(source)
    mounted = find_mount(read_mounts(), place)
    if mounted is not None and _same_file(source, place) and (idmap is None or _has_map(mounted, idmap)):
        return  # without `idmap` the bind has the source's map, whatever that is
    if os.path.isdir(source) != os.path.isdir(place):  # the kernel says EINVAL
        raise OSError(errno.ENOTDIR, f"bind of {source} over {target}: one is a directory, the other is not")
    try:
        fd = syscalls.open_tree(source)
    except OSError as error:
        raise OSError(error.errno, f"bind of {source}: {error.strerror}") from None
    try:
        _attach(fd, place, idmap)
    finally:
        os.close(fd)


def unmount(target: str) -> None:
    if exports.is_export(find_mount(read_mounts(), target)):
        exports.unmount_export(target)
        return
    try:
        syscalls.umount(target)
    except OSError as error:
        reason = {errno.EINVAL: "not a mount point", errno.EBUSY: "in use"}.get(error.errno or 0, error.strerror)
        raise OSError(error.errno, f"unmount of {target}: {reason}") from None


def cut_off(target: str) -> None:
    """OSError(EINVAL) for what is no mount of its own, or shares its device with the root; OSError(EOPNOTSUPP) for an
    export, which is not even opened: its filer may be away."""
    import fcntl
    import struct

    if exports.is_export(find_mount(read_mounts(), target)):
        raise OSError(errno.EOPNOTSUPP, f"{target} is on a filer, and can't be cut off from it here")
    fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if find_mount(read_mounts(), target) is None or os.fstat(fd).st_dev == os.stat("/").st_dev:
            raise OSError(errno.EINVAL, f"{target} is no mount of its own")
        fcntl.ioctl(fd, IOC_SHUTDOWN, struct.pack("=I", NO_LOG_FLUSH))
    finally:
        os.close(fd)


def read_idmap(target: str) -> IdMap | None:
    place = _place(target)
    mounted = find_mount(read_mounts(), place)
    if mounted is None:
        raise OSError(errno.EINVAL, f"{target}: not a mount point")
    if "idmapped" not in mounted.options:
        return None
    lines = syscalls.mount_idmap(syscalls.unique_mount_id(place))
    return IdMap(users=parse_extents(lines[0]), groups=parse_extents(lines[1])) if lines else None


def _place(target: str) -> str:
    """The path as the kernel's table has it. A link as target could not be unmounted again by the same name."""
    if os.path.islink(target):
        raise OSError(errno.ELOOP, f"{target}: a symbolic link cannot be a mount point")
    os.stat(target)
    return os.path.realpath(target)


def _attach(mount_fd: int, place: str, idmap: IdMap | None) -> None:
    if idmap is not None:
        _map(mount_fd, place, idmap)
        _remember_map(place, idmap)
    try:
        syscalls.move_mount(mount_fd, place)
    except OSError as error:
        raise OSError(error.errno, f"mount at {place}: {error.strerror}") from None


def _map(mount_fd: int, place: str, idmap: IdMap) -> None:
    check_idmap(idmap)
    namespace = syscalls.user_namespace(render_extents(idmap.users), render_extents(idmap.groups))
    try:
        syscalls.set_idmap(mount_fd, namespace)
    except OSError as error:
        raise OSError(error.errno, f"id map for {place}: {error.strerror}") from None
    finally:
        os.close(namespace)


def _new_mount(device: str, fstype: str, options: Sequence[str]) -> int:
    """A mount that is nowhere yet."""
    try:
        fs = syscalls.fsopen(fstype)
    except OSError as error:
        raise OSError(error.errno, f"file system {fstype}: {error.strerror}") from None
    doing = f"mount of {device}"
    try:
        syscalls.fsconfig_string(fs, "source", device)
        attributes = 0
        for option in options:
            doing = f"mount of {device}, option {option}"
            attributes |= _apply_option(fs, option)
        doing = f"mount of {device}"
        syscalls.fsconfig_create(fs)
        return syscalls.fsmount(fs, attributes)
    except OSError as error:
        said = _kernel_says(fs) or "its log may say more: dmesg"
        raise OSError(error.errno, f"{doing}: {error.strerror} ({said})") from None
    finally:
        os.close(fs)


def _apply_option(fs: int, option: str) -> int:
    """Attributes of the mount are returned, options of the file system set. What is for mount(8) only is left out."""
    name, separator, value = option.partition("=")
    if option in DEFAULTS or option in FOR_MOUNT_8 or name[:2] in ("x-", "X-") or name == "comment":
        return 0
    if option in ATTRIBUTES:
        if option == "ro":  # both, as mount(8) does: the file system itself is not to write either
            syscalls.fsconfig_flag(fs, "ro")
        return ATTRIBUTES[option]
    if separator:
        syscalls.fsconfig_string(fs, name, value)
    else:
        syscalls.fsconfig_flag(fs, option)
    return 0


def _kernel_says(fs: int) -> str:
    """fsopen(2): reading the descriptor gives its messages, "e text" for an error, until ENODATA."""
    said: list[str] = []
    while True:
        try:
            line = os.read(fs, 4096).decode("utf-8", "replace").strip()
        except OSError:
            return "; ".join(said)
        said.append(line[2:] if line[1:2] == " " else line)


def _difference(mounted: Mount, device: str, idmap: IdMap | None) -> str:
    """What is mounted there instead of the device with its map; empty when nothing else is."""
    if not _is_device(mounted, device):
        return f"{mounted.source} ({mounted.fstype}) is already mounted there, not {device}"
    if mounted.root != "/":
        return f"only {mounted.root} of {device} is mounted there"
    if _is_hidden(mounted, device):
        return f"{device} is mounted there, but hidden by a mount above it"
    if not _has_map(mounted, idmap):
        wrong = "no" if "idmapped" not in mounted.options else "an" if idmap is None else "another"
        return f"{device} is already mounted there, with {wrong} id map"
    return ""


def _is_hidden(mounted: Mount, device: str) -> bool:
    if mounted.fstype not in ("btrfs", "zfs"):
        return os.stat(mounted.target).st_dev != os.stat(device).st_rdev
    fd = os.open(mounted.target, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{fd}") as file:
            said = dict(line.split(":", 1) for line in file)
    finally:
        os.close(fd)
    number = said["mnt_id"].strip()  # proc(5); the first field of the table's lines
    with open("/proc/self/mountinfo", "rb") as file:
        found = [parse_mountinfo(line)[0] for line in file if line.startswith(f"{number} ".encode())]
    return found != [mounted]


def _is_device(mounted: Mount, device: str) -> bool:
    """btrfs has a number of its own in the table, and names one of its devices, by whatever name it was found. ZFS has
    no device at all, but a data set."""
    if mounted.fstype == "zfs":
        return mounted.source == device
    try:
        number = os.stat(device).st_rdev
        if mounted.fstype == "btrfs":
            return os.stat(mounted.source).st_rdev == number
    except OSError:
        return False
    return mounted.device == f"{os.major(number)}:{os.minor(number)}"


def _same_file(one: str, other: str) -> bool:
    first, second = os.stat(one), os.stat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _has_map(mounted: Mount, idmap: IdMap | None) -> bool:
    if idmap is None or "idmapped" not in mounted.options:
        return idmap is None and "idmapped" not in mounted.options
    try:
        found = read_idmap(mounted.target)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        return remembered_map(mounted.target) == render_sorted(idmap)
    return found is not None and render_sorted(found) == render_sorted(idmap)


# -- the maps of this boot, for kernels that do not tell them (before 6.15)
def _memory_file(place: str) -> str:
    return f"{MAPS}/{place.strip('/').replace('%', '%25').replace('/', '%2F')}"


def _remember_map(place: str, idmap: IdMap) -> None:
    """Before the mount appears, so that a mapped mount without its note is never tanist's."""
    os.makedirs(MAPS, mode=0o755, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_memory_file(place))  # where that is no tmpfs, a file that is emptied waits for its disk
    with open(_memory_file(place), "x") as file:
        file.write(render_sorted(idmap))


def remembered_map(place: str) -> str:
    try:
        with open(_memory_file(place)) as file:
            return file.read()
    except FileNotFoundError:
        return ""
