"""Attributes of an inode, in the order that the kernel demands; removal that stops at mounts."""

from __future__ import annotations

import errno
import os
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tanist.host.attributes import Attributes, apply_attributes, change_flags, pinned, read_attributes
from tanist.host.directories import remove_entry

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
NOBODY = 0xFFFFFFFF
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *item)
    for item in ((1, 6, NOBODY), (2, 4, 77), (4, 0, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY))
)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def read(directory: int, name: str) -> Attributes:
    with pinned(directory, name) as pin:
        return read_attributes(pin, os.fstat(pin))


@pytest.mark.requirement("A54", "A55")
def test_setid_bits_acl_and_capabilities_survive_a_change_of_owner(directory: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    xattrs = (("security.capability", CAPABILITY), ("system.posix_acl_access", ACL), ("user.a", b"\0"))
    wanted = Attributes(mode=0o6640, uid=11, gid=12, mtime_ns=-1_500_000_000, xattrs=xattrs)
    for uid in (11, 99):
        with pinned(directory, "f") as pin:
            apply_attributes(pin, Attributes(mode=0o777, uid=uid, gid=1, mtime_ns=5, xattrs=(("user.old", b"1"),)))
            apply_attributes(pin, wanted)
        assert read(directory, "f") == wanted


def test_a_link_gets_owner_time_and_xattrs_itself(directory: int, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("x")
    before = read(directory, "target")
    (tmp_path / "l").symlink_to("target")
    wanted = Attributes(mode=0o777, uid=3, gid=4, mtime_ns=123_456_789, xattrs=(("trusted.a", b"1"),))
    with pinned(directory, "l") as pin:
        apply_attributes(pin, wanted)
    assert (read(directory, "l"), read(directory, "target")) == (wanted, before)


def test_a_name_swapped_for_a_link_leads_nowhere(directory: int, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("x")
    (tmp_path / "f").write_text("x")
    before = read(directory, "victim")
    with pinned(directory, "f") as pin:
        (tmp_path / "f").unlink()
        (tmp_path / "f").symlink_to("victim")
        apply_attributes(pin, Attributes(mode=0o4777, uid=7, gid=7, mtime_ns=1))
        change_flags(pin, ())
    assert read(directory, "victim") == before


def test_flags_come_and_go_and_leave_the_others(directory: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pinned(directory, "f") as pin:
        assert change_flags(pin, ("append-only", "immutable")) == ()
        assert read(directory, "f").flags == ("append-only", "immutable")
        assert change_flags(pin, ("append-only",)) == ("append-only", "immutable")
        assert change_flags(pin, ()) == ("append-only",)


def test_flags_do_not_stop_a_removal_and_the_directory_keeps_its_own(directory: int, tmp_path: Path) -> None:
    (tmp_path / "d" / "deep").mkdir(parents=True)
    (tmp_path / "d" / "deep" / "f").write_text("x")
    for name, flag in (("d/deep/f", "immutable"), ("d/deep", "append-only"), ("d", "immutable")):
        with pinned(directory, name) as pin:
            change_flags(pin, (flag,))
    d = os.open(tmp_path / "d", os.O_RDONLY)
    try:
        assert remove_entry(d, "deep") == 2
        assert os.listdir(d) == []
        assert read(directory, "d").flags == ("immutable",)
    finally:
        os.close(d)
        remove_entry(directory, "d")


def test_removal_stops_at_a_mount_of_the_same_file_system(tmp_path: Path) -> None:
    """In a mount namespace of its own, by unshare(1)."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "f").write_text("x")
    (tmp_path / "gone" / "m").mkdir(parents=True)
    program = (
        "import os, sys\nfrom tanist.host.files import Files\n"
        "try:\n    Files(sys.argv[1]).remove_tree('/gone')\n"
        "except OSError as error:\n    sys.exit(error.errno)\n"
    )
    shell = f"mount --bind '{tmp_path}/kept' '{tmp_path}/gone/m' && exec \"$@\""
    argv = ["unshare", "-m", "sh", "-c", shell, "sh", sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(argv, check=False).returncode == errno.EBUSY
    assert (tmp_path / "kept" / "f").exists()


def test_reading_does_not_open_a_fifo(directory: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert read(directory, "fifo").mode == 0o600
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
