"""The kernel's words about a mount, from dmesg of Linux 6.18 (and one line of 6.1's form)."""

from __future__ import annotations

import pytest

from tanist.facts.kernellog import choose_mount, parse_lines, without_use

EXT4 = """\
[52737.810095] EXT4-fs (loop4): mounted filesystem c6985bc2-773f-4566-bd83-0b1b40f62bf4 r/w with ordered data mode.
[52737.965779] EXT4-fs (loop4): unmounting filesystem c6985bc2-773f-4566-bd83-0b1b40f62bf4.
[52738.000000] XFS (loop44): Mounting V5 Filesystem 73ebdc42-eeee-4cfe-8346-d6f83c0ffb4d
[52738.047650] EXT4-fs (loop4): recovery complete
[52738.050129] EXT4-fs (loop4): mounted filesystem c6985bc2-773f-4566-bd83-0b1b40f62bf4 r/w with ordered data mode.
"""
XFS = """\
[52739.264019] XFS (dm-0): Mounting V5 Filesystem 73ebdc42-eeee-4cfe-8346-d6f83c0ffb4d
[52739.275767] XFS (dm-0): Ending clean mount
[52739.446283] XFS (dm-0): Mounting V5 Filesystem 73ebdc42-eeee-4cfe-8346-d6f83c0ffb4d
[52739.457025] XFS (dm-0): Starting recovery (logdev: internal)
[52739.457399] XFS (dm-0): Ending recovery (logdev: internal)
[52739.457989] XFS (dm-0): Unmounting Filesystem 73ebdc42-eeee-4cfe-8346-d6f83c0ffb4d
"""
OLDER = """\
[    5.1] EXT4-fs (sda): recovery complete
[    5.2] EXT4-fs (sda): mounted filesystem with ordered data mode. Quota mode: none.
[    9.9] EXT4-fs error (device sda): ext4_lookup:1855: inode #2: comm ls: deleted inode referenced: 12
"""


@pytest.mark.parametrize(
    ("text", "name", "first", "count"),
    [
        (EXT4, "loop4", "recovery complete", 2),
        (XFS, "dm-0", "Mounting V5", 3),
        (OLDER, "sda", "recovery complete", 2),
        (EXT4, "loop", "", 0),
    ],
)
def test_the_last_mount_of_that_device_is_told(text: str, name: str, first: str, count: int) -> None:
    found = choose_mount(without_use(parse_lines(text, name)))
    assert len(found) == count
    assert not found or found[0].startswith(first)


def test_a_refusal_is_all_that_was_said_since_the_last_use() -> None:
    """fs/ext4/mmp.c, dump_mmp_msg()."""
    refused = OLDER + (
        "[   20.1] EXT4-fs (sda): unmounting filesystem.\n"
        "[   31.2] EXT4-fs warning (device sda): ext4_multi_mount_protect:328: "
        "Device is already active on another node.\n"
    )
    found = choose_mount(parse_lines(refused, "sda"))
    assert found == ("ext4_multi_mount_protect:328: Device is already active on another node.",)
