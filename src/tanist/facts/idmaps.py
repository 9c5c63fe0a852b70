"""Can a tree be seen through an id map on this host? Told before anything is changed; the mount has the last word."""

from __future__ import annotations

from tanist.facts.mountable import read_release
from tanist.host.host import Host
from tanist.model.definition import Controller
from tanist.model.filesystems import parse_release
from tanist.model.paths import find_holder

OWN_USERS, INITIAL = "/proc/self/ns/user", "user:[4026531837]"  # linux/proc_ns.h, PROC_USER_INIT_INO
SINCE = {"ext4": (5, 12), "xfs": (5, 12), "btrfs": (5, 15), "f2fs": (5, 18), "tmpfs": (6, 3)}  # mount_setattr(2)


def read_no_idmap(host: Host, controller: Controller) -> str:
    """Why not, "" when it can, or when nothing here tells."""
    fstype = controller.asset.fstype or read_fstype(host, controller.tree)
    if fstype not in SINCE:
        return f"{fstype} takes no id maps"
    if in_user_namespace(host):
        return "in a user namespace the kernel gives no id map of a file system that was mounted outside"
    release = read_release(host)
    number = parse_release(release)
    if not number or number >= SINCE[fstype]:
        return ""
    since = ".".join(str(part) for part in SINCE[fstype])
    return f"this kernel ({release}) has no id maps for {fstype} (Linux {since})"


def in_user_namespace(host: Host) -> bool:
    """One that is not the machine's own (user_namespaces(7)); mount_setattr(2) wants rights in that of the file
    system."""
    try:
        return host.files.read_link(OWN_USERS) != INITIAL
    except OSError:
        return False


def read_fstype(host: Host, path: str) -> str:
    """Of the file system that holds a path."""
    mount = find_holder(host.mounts(), path)
    return mount.fstype if mount else "?"
