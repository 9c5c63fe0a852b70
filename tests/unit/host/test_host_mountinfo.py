"""Lines of /proc/self/mountinfo, taken from real machines, to values."""

from __future__ import annotations

import pytest

from tanist.host.mountinfo import find_mount, parse_mountinfo
from tanist.model.dataclasses import replace
from tanist.model.host import Mount

CASES = {
    "29 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro": Mount(
        target="/",
        source="/dev/nvme0n1p2",
        fstype="ext4",
        root="/",
        options=("rw", "relatime"),
        device="259:2",
    ),
    "41 29 7:2 / /var/opt/sun/xvm rw,noatime,idmapped shared:3 - xfs /dev/mapper/vg-xvm rw,attr2,inode64": Mount(
        target="/var/opt/sun/xvm",
        source="/dev/mapper/vg-xvm",
        fstype="xfs",
        root="/",
        options=("rw", "noatime", "idmapped"),
        device="7:2",
    ),
    "50 29 0:24 /tanist/demo/hostname /etc/hostname rw,nosuid,nodev - tmpfs tmpfs rw,size=1024k,mode=755": Mount(
        target="/etc/hostname",
        source="tmpfs",
        fstype="tmpfs",
        root="/tanist/demo/hostname",
        options=("rw", "nosuid", "nodev"),
        device="0:24",
    ),
    # no optional field, several, a source with spaces, an empty source
    r"60 29 0:5 / /mnt/with\040space\011tab\012line\134back\043hash rw - cifs //nas/my\040share rw": Mount(
        target="/mnt/with space\ttab\nline\\back#hash",
        source="//nas/my share",
        fstype="cifs",
        root="/",
        options=("rw",),
        device="0:5",
    ),
    "61 29 0:50 / /x rw master:1 propagate_from:2 unbindable - fuse.sshfs a@b:/c rw,user_id=0": Mount(
        target="/x", source="a@b:/c", fstype="fuse.sshfs", root="/", options=("rw",), device="0:50"
    ),
    "62 29 0:51 / /y rw - tmpfs  rw": Mount(
        target="/y", source="", fstype="tmpfs", root="/", options=("rw",), device="0:51"
    ),
    "63 29 8:1 /gone//deleted /z rw - ext4 /dev/sda1 rw": Mount(
        target="/z", source="/dev/sda1", fstype="ext4", root="/gone//deleted", options=("rw",), device="8:1"
    ),
    r"64 29 0:52 / /odd\04x\\ rw - tmpfs none rw": Mount(
        target="/odd\\04x\\\\", source="none", fstype="tmpfs", root="/", options=("rw",), device="0:52"
    ),
}


@pytest.mark.parametrize("line", CASES)
def test_a_line_becomes_a_mount(line: str) -> None:
    wide = tuple(line.rpartition(" ")[2].split(","))
    assert parse_mountinfo(line.encode() + b"\n") == (replace(CASES[line], wide=wide),)


def test_a_name_that_is_not_utf8_survives() -> None:
    (mount,) = parse_mountinfo(b"1 2 0:1 / /mnt/\xff\xe4 rw - tmpfs none rw\n")
    assert mount.target.encode("utf-8", "surrogateescape") == b"/mnt/\xff\xe4"


@pytest.mark.parametrize("line", ["rubbish", "1 2 0:1 / /x rw tmpfs none rw", "1 2 0:1 /x - tmpfs none rw"])
def test_a_line_that_does_not_fit_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="not a line of mountinfo"):
        parse_mountinfo(line.encode())


def test_the_mount_on_top_is_the_later_one() -> None:
    mounts = parse_mountinfo(b"1 0 0:1 / /x rw - tmpfs below rw\n2 1 0:2 / /x rw - tmpfs above rw\n")
    found = find_mount(mounts, "/x")
    assert found is not None and found.source == "above"
    assert find_mount(mounts, "/y") is None
