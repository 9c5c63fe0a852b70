"""Can a tree be seen through an id map on this host? Told before anything is changed; the mount has the last word."""

from __future__ import annotations

import re

from tanist.host.host import Host
from tanist.model.definition import Controller
from tanist.model.paths import is_inside

OSRELEASE = "/proc/sys/kernel/osrelease"
SINCE = {"ext4": (5, 12), "xfs": (5, 12), "btrfs": (5, 15), "f2fs": (5, 18), "tmpfs": (6, 3)}  # mount_setattr(2)


def read_no_idmap(host: Host, controller: Controller) -> str:
    """Why not, "" when it can, or when nothing here tells."""
    fstype = controller.asset.fstype or read_fstype(host, controller.tree)
    if fstype not in SINCE:
        return f"{fstype} takes no id maps"
    try:
        release = host.files.read(OSRELEASE, 4096).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
    number = re.match(r"(\d+)\.(\d+)", release)
    if number is None or (int(number[1]), int(number[2])) >= SINCE[fstype]:
        return ""
    since = ".".join(str(part) for part in SINCE[fstype])
    return f"this kernel ({release}) has no id maps for {fstype} (Linux {since})"


def read_fstype(host: Host, path: str) -> str:
    """Of the file system that holds a path."""
    holding = [one for one in host.mounts() if is_inside(path, one.target)]
    deepest = max((len(one.target) for one in holding), default=0)
    return next((one.fstype for one in reversed(holding) if len(one.target) == deepest), "?")
