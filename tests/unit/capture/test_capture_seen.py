"""What looks as it did is not read again: a changed file must never look as it did. On real file systems.

A change is told by mode, inode, size, mtime and ctime together. The first four can be put back, and are, here.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tanist.capture.layer import Layer
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.scan import FRESH_MARK, Scan, scan_paths
from tanist.capture.seen import HEAD, Block, Blocks, Noting, TornNote, open_seen
from tanist.capture.store import verify_store
from tanist.host.fake import FakeHost
from tests.unit.capture.test_capture_generations import active as active
from tests.unit.capture.test_capture_generations import run
from tests.unit.capture.test_capture_layers import PG, Line, change
from tests.unit.capture.test_capture_layers import sharing as sharing
from tests.unit.capture.trees import make_rich
from tests.unit.host.machines import in_namespaces, shell

KINDS = {"ext4": 16, "ext4 -I 128": 16, "xfs": 320, "btrfs": 128, "tmpfs": 16}  # MiB
ROUNDS = 24


def mount(kind: str) -> FakeHost:
    """An empty host on a file system of its own."""
    os.mkdir("/mnt/top")
    if kind == "tmpfs":
        shell("mount -t tmpfs top /mnt/top")
    else:
        shell(
            f"truncate -s {KINDS[kind]}M /mnt/image && mkfs.{kind} -q /mnt/image && mount -o loop /mnt/image /mnt/top"
        )
    os.makedirs("/mnt/top/ec-a/etc/pg")
    return FakeHost("/mnt/top/ec-a", "ec-a", users={"root": 0}, groups={"root": 0})


def rewrite(file: Path, number: int) -> None:
    """In place."""
    with file.open("r+b") as open_file:
        open_file.write(b"%04d" % number)


def replace_by_rename(file: Path, number: int) -> None:
    new = file.with_name("new")
    new.write_bytes(b"%04d" % number)
    new.rename(file)


def remove_and_make(file: Path, number: int) -> None:
    """ext4 gives it the same inode number again."""
    file.unlink()
    file.write_bytes(b"%04d" % number)


WAYS = {"in place": rewrite, "rename": replace_by_rename, "made anew": remove_and_make}


@pytest.mark.requirement("A34", "A38")
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_the_same_size_and_time_is_captured_at_once_after_the_last_capture(kind: str) -> None:
    """As a backup that is restored with its old times looks. On ext4 with small inodes times have no fractions: there
    most of the changes have the ctime of the one before."""
    program = kind.split()[0]
    if program != "tmpfs" and shutil.which(f"mkfs.{program}") is None:
        pytest.skip(f"mkfs.{program} is not installed")

    def body() -> None:
        line = Line(mount(kind))
        for way, act in WAYS.items():
            file, stamps = line.top / way, []
            for number in range(ROUNDS):
                if number == 0:
                    file.write_bytes(b"%04d" % number)
                else:
                    act(file, number)
                os.chmod(file, 0o644)
                os.utime(file, ns=(0, 10**18))
                info = file.stat()
                stamps.append((info.st_ino, info.st_ctime_ns))
                if number == 0:
                    line.whole()
                else:
                    assert line.changes() is not None, f"{way}, number {number}"
                assert compare_path(line.host, line.store, PG) == (), f"{way}, number {number}"
            assert kind != "ext4 -I 128" or act is not rewrite or len(set(stamps)) < ROUNDS / 2
        verify_store(line.host, line.store)
        shell("umount /mnt/top")

    in_namespaces(body)


def test_directories_that_changed_places_are_looked_into(host: FakeHost) -> None:
    line = Line(host)
    for name in ("a", "b"):
        (line.top / name / "in").mkdir(parents=True)
        (line.top / name / "in" / "f").write_text(name)
    for path in line.top.rglob("*"):
        os.utime(path, ns=(0, 10**18))
    line.whole()
    (line.top / "a").rename(line.top / "c")
    (line.top / "b").rename(line.top / "a")
    (line.top / "c").rename(line.top / "b")
    os.utime(line.top, ns=(0, 10**18))
    assert line.changes() is not None
    line.check()
    host.files.remove_tree(PG)
    restore_path(host, line.store, PG)
    assert (line.top / "a/in/f").read_text() == "b"


def test_what_changed_after_the_clock_says_is_looked_at_again_each_time(host: FakeHost) -> None:
    """The clock went back: nothing that it says now is older than anything."""
    make_rich(Path(host.root + PG), uid=0, gid=0)
    noting = Noting(host.root + "/seen")
    directory = os.open(host.root, os.O_RDONLY)
    scan = Scan(
        host=host,
        make_layer=lambda user, group: Layer(directory, 0, user, group),
        blocks=Blocks(),
        noting=noting,
        begun=1,
    )
    try:
        scan_paths(scan, (PG,))
        noting.save({})
    finally:
        noting.close()
        if scan.layer is not None:
            scan.layer.close()
        os.close(directory)
    looks = [look for block in blocks_of(host.root + "/seen") for look, _ in block.parse().values()]
    assert len(looks) > 10 and all(look.startswith(FRESH_MARK) for look in looks)


def blocks_of(path: str) -> list[Block]:
    """All of a note. TornNote, or ValueError where open_seen() would not have it."""
    found = open_seen(path)
    if found is None:
        raise ValueError("it is not believed")
    with found[0] as file:
        blocks, taken = Blocks(file), []
        while blocks.next not in taken:
            taken.append(blocks.next)
            blocks._advance()
        return taken


@pytest.mark.requirement("A38")
def test_of_a_note_with_a_flipped_bit_nothing_is_believed(host: FakeHost) -> None:
    """A name that it has lost would stay in later captures when its file is gone."""
    make_rich(Path(host.root + PG), uid=0, gid=0)
    line = Line(host)
    line.whole()
    note = Path(line.seen)
    right, blocks = note.read_bytes(), blocks_of(line.seen)
    for place in range(HEAD, len(right)):
        note.write_bytes(right[:place] + bytes((right[place] ^ 1 << place % 8,)) + right[place + 1 :])
        with pytest.raises(TornNote):
            blocks_of(line.seen)
    for length in range(HEAD, len(right)):
        note.write_bytes(right[:length])
        with pytest.raises(ValueError, match="not believed"):
            blocks_of(line.seen)
    note.write_bytes(right)
    assert blocks_of(line.seen) == blocks


def test_beside_a_damaged_note_what_is_gone_is_gone(sharing: FakeHost) -> None:
    sharing.files.write("/etc/pg/conf.d/zz", b"1", 0o644)
    run(sharing)
    seen = Path(sharing.root) / "var/lib/tanist/pg/seen"
    note = seen.read_bytes()
    at = note.index(b"/etc/pg/conf.d/")
    seen.write_bytes(note[: at + 1] + b"E" + note[at + 2 :])  # its block comes where nobody asks for it
    sharing.files.remove("/etc/pg/conf.d/zz")
    made = change(sharing, b"two")
    verify_store(sharing, made.path)
    assert compare_path(sharing, made.path, "/etc/pg") == ()


@pytest.mark.parametrize("text", [b"{}", b'{"format": 1}', b"[]", b"\xff", b"[" * 9000, b"", b"null"])
def test_a_note_with_another_head_is_not_believed(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "seen").write_bytes(text.ljust(HEAD))
    assert open_seen(str(tmp_path / "seen")) is None
