"""Trees of files for these tests: made, altered and compared, attributes included."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from tanist.host.attributes import Attributes, path_of, pinned, read_attributes

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep


def acl(*items: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *item) for item in items)


def acl_with(user: int, group: int) -> bytes:
    none = 0xFFFFFFFF
    return acl((1, 6, none), (2, 6, user), (4, 4, none), (8, 4, group), (16, 6, none), (32, 0, none))


def make_rich(top: Path, *, uid: int, gid: int) -> None:
    """One of everything that a store holds."""
    (top / "conf.d").mkdir(parents=True)
    (top / "main.conf").write_text("port = 5432\n")
    (top / "empty").touch()
    (top / "conf.d" / "big").write_bytes(os.urandom(70_000))
    tool = top / "tool"
    tool.write_bytes(b"#!/bin/true\n")
    (top / ("n" * 255)).write_text("a long name")
    Path(os.fsdecode(bytes(top) + b"/bytes-\xff\xfe")).write_text("not UTF-8")
    (top / "line\nbreak").write_text("newline")
    (top / "ümläut").write_text("UTF-8")
    os.symlink("/nowhere/at all", top / "link")
    os.link(top / "main.conf", top / "conf.d" / "same.conf")
    os.mkfifo(top / "fifo", 0o620)
    os.mknod(top / "socket", 0o755 | stat.S_IFSOCK)
    for path in (top, *top.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)
    os.chmod(tool, 0o4750)
    os.chmod(top / "main.conf", 0o640)
    os.chmod(top / "conf.d", 0o3770)
    os.setxattr(tool, "security.capability", CAPABILITY)
    os.setxattr(top / "main.conf", "user.note", b"\x00\xffraw=%\n")
    os.setxattr(top / "main.conf", "trusted.mark", b"t")
    os.setxattr(top / "main.conf", "system.posix_acl_access", acl_with(uid, gid))
    os.setxattr(top / "conf.d", "system.posix_acl_default", acl_with(uid, gid))
    os.setxattr(top / "link", "trusted.link", b"l", follow_symlinks=False)
    set_flags(top / "empty", ("immutable",))
    stamp = 1_600_000_000_123_456_789
    for path in sorted((top, *top.rglob("*")), key=lambda p: -len(p.parts)):
        if path.name != "empty":
            os.utime(path, ns=(stamp, stamp + len(path.parts)), follow_symlinks=False)


def set_flags(path: Path, flags: tuple[str, ...]) -> None:
    from tanist.host.attributes import change_flags

    fd = os.open(path.parent, os.O_RDONLY)
    try:
        with pinned(fd, path.name) as pin:
            change_flags(pin, flags)
    finally:
        os.close(fd)


def clear_all_flags(top: Path) -> None:
    for path in (top, *top.rglob("*")):
        if path.is_file() or path.is_dir():
            set_flags(path, ())


Seen = tuple[int, Attributes, object, tuple[str, int]]


def snapshot(top: Path) -> dict[str, Seen]:
    """Everything that must be equal: by relative name kind, attributes, content and who is hard linked to whom."""
    found: dict[str, Seen] = {}
    inodes: dict[int, str] = {}
    paths = [top, *sorted(top.rglob("*"))] if os.path.lexists(top) else []
    for path in paths:
        fd = os.open(path.parent, os.O_RDONLY)
        with pinned(fd, path.name) as pin:
            info = os.fstat(pin)
            attributes = read_attributes(pin, info)
            content: object = None
            if stat.S_ISREG(info.st_mode):
                content = Path(path_of(pin)).read_bytes()
            elif stat.S_ISLNK(info.st_mode):
                content = os.readlink("", dir_fd=pin)
        os.close(fd)
        name = str(path.relative_to(top))
        links = inodes.setdefault(info.st_ino, name), info.st_nlink if not stat.S_ISDIR(info.st_mode) else 0
        found[name] = (stat.S_IFMT(info.st_mode), attributes, content, links)
    return found
