"""Marks and claim from the bytes and the tools' words of real file systems."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.facts import ext4, xfs
from tanist.facts.device import crc32c
from tanist.facts.storage import check_claim_in_place, read_claim_offline, read_marks
from tanist.host.fake import FakeDisk, FakeHost
from tanist.journal.claimfile import create_claim
from tanist.model.definition import Asset
from tanist.model.host import Ran
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread
from tests.unit.facts.storage.disks import (
    CLAIM,
    CLAIM_FILE,
    DEVICE,
    DIRECTORY,
    EXT4,
    MMP_PLACE,
    SIZE,
    XFS,
    Disk,
    case,
)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(str(tmp_path))


@pytest.fixture
def disk(host: FakeHost) -> Disk:
    return Disk(host)


def marks_of(host: FakeHost, asset: Asset, watch: float | None = 0.5) -> StorageMarks:
    found = read_marks(host, asset, watch_seconds=watch)
    assert isinstance(found, StorageMarks), found
    return found


def why(found: object) -> str:
    assert isinstance(found, Unread), found
    return found.why


# -- ext4
def test_ext4_unmounted_is_clean(host: FakeHost, disk: Disk) -> None:
    disk.hold_ext4("clean")
    marks = marks_of(host, EXT4)
    assert (marks.fstype, marks.state, marks.label, marks.size) == ("ext4", "clean", "asset", SIZE)
    assert len(marks.uuid) == 36 and marks.mmp is not None and marks.mmp.clean
    assert host.clock.ticks == 1000.0, "a clean MMP block is not watched"


def test_ext4_after_a_crash_is_dirty_and_a_still_mmp_block_proves_nothing(host: FakeHost, disk: Disk) -> None:
    disk.hold_ext4("dirty")
    marks = marks_of(host, EXT4)
    assert marks.state == "dirty" and marks.mmp is not None and marks.mmp.node == "ec-a"
    assert "stood still for 0.5 s, last written by ec-a" in marks.detail


@pytest.mark.requirement("A05", "A44")
def test_a_moving_mmp_block_is_a_sign_of_life_with_the_name_of_the_node(host: FakeHost, disk: Disk) -> None:
    disk.hold_ext4("dirty")
    block = disk.pieces[MMP_PLACE]
    answers = iter([block, struct.pack("<II", 0x4D4D50, 99) + block[8:]])

    def dd(argv: Sequence[str], stdin: bytes) -> Ran:
        if "skip=7987" in argv:
            disk.pieces[MMP_PLACE] = next(answers)
        return disk._dd(argv, stdin)

    host.answer_with(["dd"], dd)
    marks = marks_of(host, EXT4, watch=None)
    assert marks.state == "in-use" and "ec-a writes its MMP block" in marks.detail
    assert host.clock.ticks - 1000.0 >= 6, "as long as its own interval asks for"


MARK = ext4.parse_mmp(case("ext4-dirty.mmp"), 5)
SUPER = ext4.parse_super_block(case("ext4-clean.super"))


@pytest.mark.parametrize(
    ("change", "mark", "moved", "state", "words"),
    [
        ({}, None, False, "clean", "unmounted cleanly"),
        ({}, {}, False, "unknown", "its MMP block is not"),  # a frozen ext4 looks like this while it is mounted
        ({}, {"node": ""}, False, "unknown", "last written by somebody"),
        ({}, {"sequence": 0xE24D4D50}, False, "unknown", "fsck"),
        ({"errors": True}, None, False, "dirty", "e2fsck"),
        ({"valid": False}, None, False, "dirty", "journal"),
        ({"needs_recovery": True}, None, False, "dirty", "journal"),
        ({"needs_recovery": True}, {"node": ""}, True, "in-use", "somebody writes"),
        ({"needs_recovery": True}, {"sequence": 0xFF4D4D50}, False, "dirty", "journal"),
    ],
)
def test_what_ext4_marks_mean_together(
    change: dict[str, bool], mark: dict[str, int | str] | None, moved: bool, state: str, words: str
) -> None:
    assert not isinstance(SUPER, Unread) and not isinstance(MARK, Unread)
    mmp = None if mark is None else replace(MARK, **mark)  # type: ignore[arg-type]
    judged, detail = ext4.judge_marks(replace(SUPER, **change), mmp, moved, 0.5)  # type: ignore[arg-type]
    assert judged == state and words in detail


def test_every_flipped_bit_in_an_ext4_super_block_is_seen() -> None:
    data = case("ext4-clean.super")
    for at in range(0, 1024, 3):
        flipped = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        found = ext4.parse_super_block(flipped)
        assert isinstance(found, Unread) or at in range(0x64, 0x68), at  # the bit that says "has a checksum" itself


@given(st.binary(min_size=1024, max_size=1024))
def test_ext4_parsing_never_fails_otherwise(data: bytes) -> None:
    for candidate in (data, data[:0x38] + b"\x53\xef" + data[0x3A:]):
        assert isinstance(ext4.parse_super_block(candidate), (Unread, ext4.SuperBlock))
    ext4.parse_mmp(b"\x50\x4d\x4d\x00" + data[4:], 5)


def test_an_impossible_ext4_block_size_is_damage() -> None:
    data = bytearray(case("ext4-clean.super"))
    struct.pack_into("<I", data, 0x18, 40)
    struct.pack_into("<I", data, 0x3FC, crc32c(bytes(data[:0x3FC])))
    assert "block size" in why(ext4.parse_super_block(bytes(data)))


def test_an_old_small_ext4_has_no_high_half_of_its_size() -> None:
    data = bytearray(case("ext4-clean.super"))
    incompat, ro = struct.unpack_from("<II", data, 0x60)
    struct.pack_into("<II", data, 0x60, incompat & ~0x180, ro & ~0x400)
    struct.pack_into("<I", data, 0x150, 7)
    found = ext4.parse_super_block(bytes(data))
    assert isinstance(found, ext4.SuperBlock) and found.size == SIZE and found.mmp_block == 0


def test_an_ext4_without_mmp_and_a_damaged_mmp_block(host: FakeHost, disk: Disk) -> None:
    disk.hold_ext4("dirty")
    disk.pieces[MMP_PLACE] = bytes(1024)
    assert "MMP block is damaged" in why(read_marks(host, EXT4, watch_seconds=0.5))
    data = bytearray(case("ext4-dirty.super"))
    struct.pack_into("<I", data, 0x60, struct.unpack_from("<I", data, 0x60)[0] & ~0x100)
    struct.pack_into("<I", data, 0x3FC, crc32c(bytes(data[:0x3FC])))
    disk.pieces[1024] = bytes(data)
    marks = marks_of(host, EXT4)
    assert marks.state == "dirty" and marks.mmp is None and "MMP" not in marks.detail


def test_no_time_to_watch_is_no_watching(host: FakeHost, disk: Disk) -> None:
    disk.hold_ext4("dirty")
    marks = marks_of(host, EXT4, watch=0.0)
    assert marks.state == "dirty" and "was not watched" in marks.detail
    assert host.clock.ticks == 1000.0


# -- xfs
def test_xfs_marks(host: FakeHost, disk: Disk) -> None:
    disk.hold_xfs("clean")
    marks = marks_of(host, XFS)
    assert (marks.fstype, marks.state, marks.label, marks.size) == ("xfs", "clean", "asset", SIZE)
    disk.hold_xfs("dirty")
    assert marks_of(host, XFS).state == "dirty"
    assert ("blockdev", "--flushbufs", DEVICE) in host.ran, "the tools read through the page cache"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "xfs_logprint: said nothing"),
        ("xfs_logprint:\n    xlog_header_check_recover: damaged\n", "damaged"),
        ("sh: 1: xfs_logprint: not found", "not found"),
    ],
)
def test_an_xfs_log_that_cannot_be_read_is_unknown(text: str, detail: str) -> None:
    state, said = xfs.parse_log_state(text)
    assert state == "unknown" and detail in said


def test_every_flipped_bit_in_an_xfs_super_block_is_seen() -> None:
    data = case("xfs-clean.super")
    for at in range(512):
        flipped = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        found = xfs.parse_super_block(flipped.ljust(4096, b"\0"))
        assert isinstance(found, Unread) or at == 101, at  # the version itself: before 5 there was no checksum


def test_an_xfs_with_its_log_elsewhere_is_unknown(host: FakeHost, disk: Disk) -> None:
    disk.hold_xfs("clean")
    data = bytearray(case("xfs-clean.super"))
    struct.pack_into(">Q", data, 48, 0)
    struct.pack_into(">I", data, 224, 0)
    struct.pack_into("<I", data, 224, crc32c(bytes(data)) ^ 0xFFFFFFFF)
    disk.pieces[0] = bytes(data)
    assert marks_of(host, XFS).state == "unknown"


def test_a_cache_that_cannot_be_dropped_makes_xfs_unknown(host: FakeHost, disk: Disk) -> None:
    disk.hold_xfs("clean")
    host.answer(["blockdev"], status=1, stderr="blockdev: cannot open: Permission denied")
    assert marks_of(host, XFS).state == "unknown"
    assert "Permission denied" in why(read_claim_offline(host, XFS))
    host.answer(["blockdev"], status=1, stderr="blockdev: ioctl error on BLKFLSBUF: Inappropriate ioctl for device")
    assert marks_of(host, XFS).state == "clean", "a plain image file has no cache to drop"


BLOCK = xfs.parse_super_block(case("xfs-clean.super").ljust(4096, b"\0"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data offset 0 startblock 10 (0/10) count 2 flag 0", ((10, 2),)),
        ("data offset 0 startblock 9 (2/3) count 7 flag 0", ((2 * 20480 + 3, 2),)),
        (
            "data offset 0 startblock 10 (0/10) count 1 flag 0\ndata offset 1 startblock 99 (0/99) count 1 flag 0",
            ((10, 1), (99, 1)),
        ),
        ("data offset 0 startblock 10 (0/10) count 2 flag 1", "never written"),
        ("data offset 1 startblock 10 (0/10) count 1 flag 0", "hole"),
        ("data offset 0 startblock 10 (0/10) count 1 flag 0", "shorter"),
        ("/.tanist/claim: No such file or directory\nno current inode", "No such file"),
        ("", "said nothing"),
    ],
)
def test_where_xfs_has_the_claim(text: str, found: object) -> None:
    assert isinstance(BLOCK, xfs.SuperBlock)
    extents = xfs.parse_extents(text, BLOCK)
    assert (str(found) in extents.why) if isinstance(extents, Unread) else extents == found


def test_an_old_xfsprogs_is_named(host: FakeHost, disk: Disk) -> None:
    disk.hold_xfs("dirty")
    host.answer(["xfs_db"], "command path not found\nno current inode\n")
    assert "xfsprogs 5.10 or newer" in why(read_claim_offline(host, XFS))


# -- the claim, and whatever is wrong
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_the_claim_is_read_past_the_cache_and_without_mounting(host: FakeHost, disk: Disk, fstype: str) -> None:
    disk.hold_ext4("dirty") if fstype == "ext4" else disk.hold_xfs("dirty")
    asset = EXT4 if fstype == "ext4" else XFS
    assert read_claim_offline(host, asset) == CLAIM
    assert check_claim_in_place(host, asset, CLAIM) == ""
    assert "still shows another claim: held by ec-a" in check_claim_in_place(host, asset, replace(CLAIM, epoch=8))
    assert not any("mount" in word for argv in host.ran for word in argv)


def test_a_claim_that_cannot_be_read_is_unread_with_the_words_of_the_tool(host: FakeHost, disk: Disk) -> None:
    disk.hold_ext4("dirty")
    said = "debugfs 1.47.0 (5-Feb-2023)\n/.tanist/claim: File not found by ext2_lookup"
    host.answer(["debugfs"], stderr=said)
    assert why(read_claim_offline(host, EXT4)) == f"{DEVICE}: /.tanist/claim: File not found by ext2_lookup"
    assert "File not found" in check_claim_in_place(host, EXT4, CLAIM)
    host.answer(["debugfs"], "short", stderr="debugfs 1.47.0")
    assert "5 bytes" in why(read_claim_offline(host, EXT4))
    host.answer(["debugfs"], "x" * len(CLAIM_FILE))
    assert "both slots" in why(read_claim_offline(host, EXT4))
    host.answer(["debugfs"], status=127)
    assert "debugfs is not installed" in why(read_claim_offline(host, EXT4))
    disk.hold_xfs("dirty")
    host.answer(["xfs_db"], status=127)
    assert "xfs_db is not installed" in why(read_claim_offline(host, XFS))


def test_another_file_system_than_defined_is_named(host: FakeHost, disk: Disk) -> None:
    disk.hold_ext4("clean")
    host.answer(["blkid"], "DEVNAME=/dev/asset\nTYPE=ext4\n")
    assert "no xfs super block (found: ext4)" in why(read_marks(host, XFS))
    assert "no xfs super block" in why(read_claim_offline(host, XFS))
    disk.hold_xfs("clean")
    host.answer(["blkid"], status=2)
    assert "no ext4 super block (found: nothing that blkid knows)" in why(read_marks(host, EXT4))
    host.answer(["blkid"], status=127)
    assert "nothing" not in why(read_marks(host, EXT4))


@pytest.mark.parametrize("asset", [EXT4, XFS])
def test_a_missing_a_short_and_a_hanging_device(host: FakeHost, disk: Disk, asset: Asset) -> None:
    host.answer(["dd"], status=1, stderr=f"dd: failed to open '{DEVICE}': No such file or directory")
    assert "No such file or directory" in why(read_marks(host, asset))
    host.answer(["dd"], "short")
    assert "ends before byte 4096" in why(read_marks(host, asset))

    def hang(argv: Sequence[str], _: bytes) -> Ran:
        host.sleep(60)
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"")

    host.answer_with(["dd"], hang)
    assert "killed" in why(read_marks(host, asset))


def test_a_definition_without_a_file_system_is_unread(host: FakeHost) -> None:
    asset = Asset(kind="filesystem", device=DEVICE)
    assert "names no file system" in why(read_marks(host, asset))
    assert "names no file system" in why(read_claim_offline(host, asset))


def test_what_this_node_has_mounted_itself_is_in_use_here(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    host = FakeHost(str(tmp_path / "host"), disks={DEVICE: FakeDisk(path=str(tmp_path / "disk"))})
    Disk(host).hold_ext4("dirty")
    host.files.make_directory("/var/opt/sun/xvm")
    host.mount_device(DEVICE, "/var/opt/sun/xvm", "ext4", (), None)
    marks = marks_of(host, EXT4, watch=None)
    assert marks.state == "in-use" and marks.mounted_at == ("/var/opt/sun/xvm",)
    assert host.clock.ticks == 1000.0, "its own MMP block is not watched"


def test_a_directory_has_no_marks_and_its_claim_is_read_where_it_lies(host: FakeHost) -> None:
    assert marks_of(host, DIRECTORY).state == "unknown"
    host.files.make_directory("/srv/tree")
    create_claim(host, "/srv/tree", CLAIM)
    assert read_claim_offline(host, DIRECTORY, "/srv/tree") == CLAIM
    assert check_claim_in_place(host, DIRECTORY, CLAIM) == ""
    assert isinstance(read_claim_offline(host, DIRECTORY), Unread)


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") ^ 0xFFFFFFFF == 0xE3069283  # RFC 3720, B.4's polynomial; the usual check value
