"""Damage and features that this kernel does not know, on file systems that mkfs made in a file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import cast

import pytest

from tanist.facts.device import crc32c
from tanist.facts.features import parse_features, read_features
from tanist.facts.mountable import check_mountable, judge_features
from tanist.facts.storage import read_marks
from tanist.host.local import LocalHost
from tanist.model.definition import Asset, FsType
from tanist.model.unread import Unread

host = LocalHost()
EXT4_SUPER, EXT4_INCOMPATIBLE, EXT4_READ_ONLY, XFS_INCOMPATIBLE = 1024, 0x60, 0x64, 216
UNKNOWN = 1 << 30
BTRFS_SUPER = 65536


def make(path: Path, *mkfs: str) -> Asset:
    with path.open("wb") as file:
        file.truncate(320 << 20)
    subprocess.run([*mkfs, str(path)], check=True, capture_output=True)
    return Asset(kind="filesystem", device=str(path), fstype=cast("FsType", mkfs[0].removeprefix("mkfs.")))


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def set_ext4_bit(path: Path, at: int, bit: int) -> None:
    """As a newer kernel would leave it: the checksum is right."""
    data = bytearray(path.read_bytes()[EXT4_SUPER : EXT4_SUPER + 1024])
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "little") | bit).to_bytes(4, "little")
    data[0x3FC:] = crc32c(bytes(data[:0x3FC])).to_bytes(4, "little")
    overwrite(path, EXT4_SUPER, bytes(data))


def set_xfs_bit(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes()[:512])
    at = XFS_INCOMPATIBLE
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") | bit).to_bytes(4, "big")
    data[224:228] = bytes(4)
    data[224:228] = (crc32c(bytes(data)) ^ 0xFFFFFFFF).to_bytes(4, "little")
    overwrite(path, 0, bytes(data))


@pytest.mark.parametrize(
    ("size", "place"),
    [("4096", "block 32768 is intact: e2fsck -fn -b 32768 -B 4096"), ("1024", "block 8193 is intact")],
)
@pytest.mark.parametrize("damage", [b"\0" * 1024, b"\x05"], ids=["zeroed", "one byte"])
def test_a_damaged_ext4_super_block_is_refused_with_the_place_of_an_intact_copy(
    tmp_path: Path, size: str, place: str, damage: bytes
) -> None:
    asset = make(tmp_path / "image", "mkfs.ext4", "-q", "-F", "-b", size)
    assert check_mountable(host, asset) == ""
    overwrite(tmp_path / "image", EXT4_SUPER, damage)
    said = check_mountable(host, asset)
    assert place in said and str(tmp_path / "image") in said
    assert isinstance(read_marks(host, asset), Unread), "never clean"
    block, bytes_each = (place.split()[1], size)
    mended = subprocess.run(
        ["e2fsck", "-fy", "-b", block, "-B", bytes_each, asset.device], capture_output=True, check=False
    )
    assert mended.returncode in (0, 1), mended.stdout
    assert check_mountable(host, asset) == "", "what it said mends it"


def test_without_a_copy_at_the_usual_places_it_is_said_how_to_find_one(tmp_path: Path) -> None:
    asset = make(tmp_path / "image", "mkfs.ext4", "-q", "-F", "-b", "4096", "-g", "16384")
    overwrite(tmp_path / "image", EXT4_SUPER, bytes(1024))
    assert f"mke2fs -n {asset.device} lists the places" in check_mountable(host, asset)


def test_a_damaged_xfs_super_block_is_refused_with_the_place_of_the_second_one(tmp_path: Path) -> None:
    asset = make(tmp_path / "image", "mkfs.xfs", "-q", "-f")
    assert check_mountable(host, asset) == ""
    overwrite(tmp_path / "image", 8, b"\xff")
    said = check_mountable(host, asset)
    assert "wrong checksum; the secondary super block at byte 83886080 is intact" in said
    assert f"xfs_repair -n {asset.device}" in said
    assert isinstance(read_marks(host, asset), Unread)
    subprocess.run(["xfs_repair", asset.device], check=True, capture_output=True)
    assert check_mountable(host, asset) == ""


@pytest.mark.parametrize(
    ("fstype", "at", "word"),
    [
        ("ext4", EXT4_INCOMPATIBLE, "incompatible:0x40000000 (of a newer Linux)"),
        ("ext4", EXT4_READ_ONLY, "read-only:0x40000000 (of a newer Linux)"),
        ("xfs", XFS_INCOMPATIBLE, "incompatible:0x40000000 (of a newer Linux)"),
    ],
)
def test_a_feature_of_a_newer_kernel_is_refused_by_name(tmp_path: Path, fstype: str, at: int, word: str) -> None:
    path = tmp_path / "image"
    asset = make(path, *(("mkfs.xfs", "-q", "-f") if fstype == "xfs" else ("mkfs.ext4", "-q", "-F")))
    if fstype == "xfs":
        set_xfs_bit(path, UNKNOWN)
    else:
        set_ext4_bit(path, at, UNKNOWN)
    head = path.read_bytes()[:4096]
    said = judge_features(head, asset, "6.1.0-18-amd64")
    assert word in said and "6.1.0-18-amd64 does not mount" in said
    for kernel in ("", "7.1.2", "5.14.0-570.el9.x86_64"):
        assert judge_features(head, asset, kernel) == "", "its number tells nothing: the mount will"


def test_a_damaged_btrfs_super_block_is_refused_with_what_mends_it(tmp_path: Path) -> None:
    asset = make(tmp_path / "image", "mkfs.btrfs", "-q")
    assert check_mountable(host, asset) == ""
    overwrite(tmp_path / "image", BTRFS_SUPER + 0x48, b"\xff")
    said = check_mountable(host, asset)
    assert f"wrong checksum; btrfs rescue super-recover -v {asset.device}" in said
    assert isinstance(read_marks(host, asset), Unread)
    subprocess.run(["btrfs", "rescue", "super-recover", "-y", asset.device], check=False, capture_output=True)
    assert check_mountable(host, asset) == ""


def test_names_of_btrfs_are_those_of_its_kernel_and_unknown_ones_are_told(tmp_path: Path) -> None:
    asset = make(tmp_path / "image", "mkfs.btrfs", "-q", "-R", "free-space-tree")
    head = (tmp_path / "image").read_bytes()[BTRFS_SUPER:][:4096]
    found = parse_features(head, "btrfs")
    wanted = {"free_space_tree", "no_holes", "skinny_metadata", "extended_iref"}
    assert not isinstance(found, Unread) and wanted <= set(found) and not any(":" in one for one in found)
    assert read_features(host, asset) == found
    assert judge_features(head, asset, "4.5.0") == ""
    assert "free_space_tree (from Linux 4.5)" in judge_features(head, asset, "4.4.0")
    newer = bytearray(head)
    newer[0xBC + 5] |= 1
    assert "incompatible:0x10000000000 (of a newer Linux)" in judge_features(bytes(newer), asset, "6.1.0")
    assert isinstance(parse_features(bytes(4096), "btrfs"), Unread)


def test_an_xfs_that_waits_for_its_repair_is_refused(tmp_path: Path) -> None:
    asset = make(tmp_path / "image", "mkfs.xfs", "-q", "-f")
    set_xfs_bit(tmp_path / "image", 0x10)
    assert "as to be repaired" in check_mountable(host, asset)


def test_a_named_feature_counts_from_its_first_kernel_on(tmp_path: Path) -> None:
    asset = make(tmp_path / "image", "mkfs.xfs", "-q", "-f", "-m", "bigtime=1")
    head = (tmp_path / "image").read_bytes()[:4096]
    assert judge_features(head, asset, "5.10.0") == ""
    assert "bigtime (from Linux 5.10)" in judge_features(head, asset, "5.9.3")


def test_what_cannot_be_read_is_told_by_others(tmp_path: Path) -> None:
    assert check_mountable(host, Asset(kind="filesystem", device=str(tmp_path / "none"), fstype="ext4")) == ""
    assert check_mountable(host, Asset(kind="directory")) == ""
