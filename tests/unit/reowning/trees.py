"""Trees with one of everything that a re-owning walk meets, and what must be true of them afterwards."""

from __future__ import annotations

import array
import fcntl
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import replace

from tanist.host.attributes import (
    ACL_ACCESS,
    ACL_DEFAULT,
    FS_IOC_SETFLAGS,
    IMMUTABLE,
    Attributes,
    pinned,
    read_attributes,
)
from tanist.host.reown_log import Numbering
from tanist.host.reown_xattrs import CAPABILITY, map_xattrs
from tanist.model.host import Renumber

# pg 113 -> 118 and uce 1000 <-> 1001: a collision completed to a swap, and a swap; groups a ring of three
SWAP = Renumber(users=((113, 118), (118, 113), (1000, 1001), (1001, 1000)), groups=((120, 126), (126, 130), (130, 120)))
CAPS = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service, effective, revision 2
Seen = dict[str, tuple[str, Attributes, int]]


def make_acl(*named: tuple[int, int]) -> bytes:
    items = [(0x01, 7, 0xFFFFFFFF), *((tag, 5, who) for tag, who in sorted(named)), (0x04, 5, 0xFFFFFFFF)]
    items += [(0x10, 7, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF)]
    items.sort(key=lambda one: one[0])
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *item) for item in items)


def make_file(path: str, uid: int, gid: int, mode: int = 0o640) -> None:
    with open(path, "wb") as file:
        file.write(os.fsencode(path))
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def make_tree(tree: str, *, flags: bool = True) -> None:
    """Small, and one of each: names, links, set-id bits, capability, ACLs, flags, fifo, deep and odd names."""
    os.makedirs(f"{tree}/.tanist", mode=0o700)
    for directory, uid, gid in (("data", 113, 120), ("data/deep", 113, 126), ("run", 1000, 130), ("root", 0, 0)):
        os.mkdir(f"{tree}/{directory}")
        os.chown(f"{tree}/{directory}", uid, gid)
    os.chmod(f"{tree}/run", 0o3775)
    for n, (uid, gid) in enumerate([(113, 120), (118, 126), (1000, 130), (1001, 120), (0, 126), (7, 8), (113, 0)]):
        make_file(f"{tree}/data/file{n}", uid, gid)
    make_file(f"{tree}/data/deep/a\nname \udcff", 113, 120)
    make_file(f"{tree}/data/set-id", 113, 120, 0o6755)
    make_file(f"{tree}/data/capable", 118, 126, 0o750)
    os.setxattr(f"{tree}/data/capable", CAPABILITY, CAPS)
    make_file(f"{tree}/data/acl", 0, 0, 0o750)  # its owner stays, its entries move
    os.setxattr(f"{tree}/data/acl", ACL_ACCESS, make_acl((0x02, 113), (0x02, 7), (0x08, 130)))
    os.setxattr(f"{tree}/data/deep", ACL_DEFAULT, make_acl((0x02, 1000), (0x02, 1001)))
    make_file(f"{tree}/one", 113, 120)
    for name in ("data/two", "run/three"):
        os.link(f"{tree}/one", f"{tree}/{name}")
    outside = f"{tree}/../outside"
    if not os.path.exists(outside):
        make_file(outside, 113, 120)
    for name, target in (("link", "../outside"), ("run/link", "../data"), ("data/loop", "loop")):
        os.symlink(target, f"{tree}/{name}")
        os.lchown(f"{tree}/{name}", 113, 120)
    os.mkfifo(f"{tree}/run/fifo", 0o620)
    os.lchown(f"{tree}/run/fifo", 1001, 126)
    if flags:
        make_file(f"{tree}/root/fixed", 113, 120, 0o4711)
        make_file(f"{tree}/root/plain fixed", 118, 120)
        for name in ("fixed", "plain fixed"):
            set_flags(f"{tree}/root/{name}", IMMUTABLE)
    os.chown(tree, 113, 120)


def set_flags(path: str, flags: int) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, array.array("l", [flags]), True)
    finally:
        os.close(fd)


def read_tree(tree: str) -> Seen:
    """Path -> kind, attributes, change time, tanist's own directory left out."""
    found: Seen = {}

    def add(directory: int, name: str, path: str) -> None:
        with pinned(directory, name) as pin:
            info = os.fstat(pin)
            kind = stat.filemode(info.st_mode)[0]
            found[path] = (kind, read_attributes(pin, info), info.st_ctime_ns)
        if kind == "d":
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            try:
                for inner in os.listdir(fd):
                    if (path, inner) != ("", ".tanist"):
                        add(fd, inner, f"{path}/{inner}")
            finally:
                os.close(fd)

    top = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        add(top, ".", "")
    finally:
        os.close(top)
    return found


def owners(seen: Seen) -> dict[str, tuple[str, Attributes]]:
    return {path: (kind, its) for path, (kind, its, _) in seen.items()}


def mapped(seen: Seen, renumber: Renumber) -> dict[str, tuple[str, Attributes]]:
    """What a walk must make of it: computed without a walk."""
    numbers = Numbering.of(renumber)

    def one(its: Attributes) -> Attributes:
        uid, gid = numbers.owner((its.uid, its.gid))
        return replace(its, uid=uid, gid=gid, xattrs=map_xattrs(its.xattrs, numbers))

    return {path: (kind, one(its)) for path, (kind, its, _) in seen.items()}


def clear_flags(tree: str) -> None:
    for name in ("fixed", "plain fixed"):
        if os.path.exists(f"{tree}/root/{name}"):
            set_flags(f"{tree}/root/{name}", 0)


def count_points(run: Callable[[Callable[[str], None]], object]) -> int:
    points: list[str] = []
    run(points.append)
    return len(points)
