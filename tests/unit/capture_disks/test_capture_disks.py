"""Captures on real disks that fail: power cuts, full, with I/O errors, read-only. The previous capture is intact and
chosen, and whoever made the new one is told.

Everything of the host lies on one file system of its own, its clock and accounts are fake. A power cut is the file
system's own shutdown without log flush (ext4, xfs), or a copy of the device (btrfs): what was not synced is lost.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tanist.capture.generations import list_generations, newest_good, verify_generation
from tanist.capture.habackup import capture
from tanist.capture.mirror import receive, send
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.save import SHARE_FROM
from tanist.host.fake import FakeHost
from tanist.host.locks import FileLock, take_lock
from tanist.model.errors import BadCapture, Busy, Failed
from tests.unit.capture.test_capture_generations import CAPTURES
from tests.unit.capture.test_capture_kill import killed_at
from tests.unit.capture.test_capture_kill_lines import FEW, change
from tests.unit.host.machines import in_namespaces, shell
from tests.unit.reowning.test_reowning_filesystems import IOC_SHUTDOWN, NO_LOG_FLUSH, TOP, lose_power

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


IMAGE, MIRROR = "/mnt/image", "/var/lib/tanist/pg/mirror"
SIZE = {"ext4": 64, "xfs": 320, "btrfs": 192}  # MiB
PATIENCE = 240  # seconds: far above what is needed
BIG = "/etc/pg/big"


@pytest.fixture(params=SIZE)
def fstype(request: pytest.FixtureRequest) -> str:
    found = str(request.param)
    if shutil.which(f"mkfs.{found}") is None:
        pytest.skip(f"mkfs.{found} is not installed")
    return found


class Locking(FakeHost):
    """With locks that other processes see, in /run as everywhere."""

    @override
    def lock(self, path: str, note: str) -> FileLock | str:  # type: ignore[override]
        return take_lock(path, note)


def on_disk(fstype: str, body: Callable[[FakeHost], None]) -> None:
    """`body`, in namespaces of its own, with a host whose everything is on a new file system at TOP."""

    def inside() -> None:
        signal.alarm(PATIENCE)
        with host_on(fstype) as host:
            body(host)

    in_namespaces(inside)


@contextmanager
def host_on(fstype: str) -> Iterator[FakeHost]:
    os.mkdir(TOP)
    options = "-E lazy_itable_init=0,lazy_journal_init=0" if fstype == "ext4" else ""
    shell(f"truncate -s {SIZE[fstype]}M {IMAGE}; mkfs.{fstype} -q {options} {IMAGE}; mount -o loop {IMAGE} {TOP}")
    try:
        host = Locking(f"{TOP}/ec-a", "ec-a", users={"root": 0}, groups={"root": 0})
        host.files.make_directory("/srv/pg/.tanist", 0o700)
        host.files.write("/srv/pg/.tanist/claim", b"{}\n")
        host.files.make_directory("/etc/pg/conf.d")
        host.files.make_directory("/etc/tanist/identity/pg", 0o700)
        host.files.write("/etc/pg/conf.d/f", b"1")
        host.files.write("/etc/one.conf", b"one")
        host.files.write("/etc/pg/shared", os.urandom(SHARE_FROM + 1))  # so that captures go on from one another
        time.sleep(0.05)  # what is not fresh any more is not read again
        yield host
    finally:
        shell(f"umount {TOP}")


def run(host: FakeHost) -> str:
    """A capture's name."""
    host.clock.advance(3600)
    return capture(host, FEW, "ec-a", epoch=3, run="r", facts={"os": "Debian"}).name


def good_ones(host: FakeHost, directory: str = CAPTURES) -> list[str]:
    """Whatever is listed is good."""
    found = [verify_generation(host, one) for one in list_generations(host, directory)]
    assert {one.state for one in found} <= {"good"}, found
    return [one.name for one in found]


def check_exact(host: FakeHost, name: str) -> None:
    for path in FEW.captured_paths:
        assert compare_path(host, f"{CAPTURES}/{name}", path) == ()


def chosen(host: FakeHost) -> str:
    newest = newest_good(host, CAPTURES).generation
    assert newest is not None
    return newest.name


# -- power
STEPS = {"ext4": 3, "xfs": 5, "btrfs": 8}  # of the calls: every third, every fifth, ...


@pytest.mark.requirement("A33", "A38")
def test_power_cuts_at_every_call_of_a_capture_that_goes_on_and_retires(fstype: str) -> None:
    def body(host: FakeHost) -> None:
        for number in (1, 2):
            change(host, number)
            run(host)
        nth = 1
        while True:
            change(host, nth + 2)
            shell(f"sync -f {TOP}")
            before = [one.name for one in list_generations(host, CAPTURES)]
            killed = killed_at(nth, partial(run, host))
            lose_power(fstype)
            now = good_ones(host)
            assert before[0] in now, f"cut at call {nth}"
            assert killed or now[0] > before[0], "what was answered for is on the disk"
            check_exact(host, run(host))
            if not killed:
                break
            nth += STEPS[fstype]
        assert nth > 40

    on_disk(fstype, body)


@pytest.mark.requirement("A38")
def test_power_cuts_at_every_call_of_a_first_capture_and_of_its_way_into_a_mirror(fstype: str) -> None:
    def body(host: FakeHost) -> None:
        shell(f"sync -f {TOP}")
        nth = 1
        while killed_at(nth, partial(run, host)):
            lose_power(fstype)
            assert good_ones(host) == [] or nth > 10
            host.files.remove_tree(CAPTURES)
            nth += STEPS[fstype]
        lose_power(fstype)
        (name,) = good_ones(host)
        stream = b"".join(send(host, f"{CAPTURES}/{name}"))
        nth = 1
        while killed_at(nth, lambda: receive(host, "pg", io.BytesIO(stream), MIRROR)):
            lose_power(fstype)
            assert set(good_ones(host, MIRROR) if host.files.exists(MIRROR) else ()) <= {name}
            host.files.remove_tree(MIRROR)
            nth += STEPS[fstype]
        lose_power(fstype)
        assert good_ones(host, MIRROR) == [name]

    on_disk(fstype, body)


@pytest.mark.requirement("A38", "A66")
def test_a_restore_that_lost_power_anywhere_and_is_run_again_ends_the_same(fstype: str) -> None:
    def body(host: FakeHost) -> None:
        name = run(host)
        nth = 1
        while True:
            host.files.write("/etc/pg/conf.d/f", b"another")
            host.files.write("/etc/pg/conf.d/extra", b"more")
            host.files.remove("/etc/pg/shared")
            shell(f"sync -f {TOP}")
            killed = killed_at(nth, lambda: restore_path(host, f"{CAPTURES}/{name}", "/etc/pg"))
            lose_power(fstype)
            if killed:
                restore_path(host, f"{CAPTURES}/{name}", "/etc/pg")
                lose_power(fstype)
            check_exact(host, name)  # what a restore answered for is on the disk
            if not killed:
                break
            nth += STEPS[fstype]
        assert nth > 8

    on_disk(fstype, body)


# -- no room
@pytest.mark.requirement("A38")
def test_on_a_full_disk_a_capture_fails_in_words_or_is_whole(fstype: str) -> None:
    """With room for more and more of it."""

    def body(host: FakeHost) -> None:
        first, failures = run(host), 0
        host.files.write(BIG, os.urandom(3 << 20))
        for kib in (0, 8, 64, 256, 1024, 2048, 3072, 4096, 8192, 16384):
            fill(host, kib)
            try:
                made = run(host)
            except Failed as error:
                failures += 1
                assert "No space left on device" in error.message and error.exit_status == 8
                assert good_ones(host) == [first] and chosen(host) == first
            else:
                check_exact(host, made)
                assert first in good_ones(host)
                break
            finally:
                host.files.remove("/ballast")
        assert failures > 2
        assert [one for one in host.files.list(CAPTURES) if "partial" in one] == []

    on_disk(fstype, body)


def fill(host: FakeHost, kib: int) -> None:
    """All but `kib` of the room."""
    fd, size = os.open(f"{host.root}/ballast", os.O_WRONLY | os.O_CREAT, 0o600), 0
    for chunk in (64 << 20, 8 << 20, 1 << 20, 128 << 10, 16 << 10, 4 << 10):
        with suppress(OSError):
            while True:
                os.posix_fallocate(fd, size, chunk)
                size += chunk
    os.ftruncate(fd, max(size - (kib << 10), 0))
    os.close(fd)
    shell(f"sync -f {TOP}")


@pytest.mark.requirement("A38", "A66")
def test_a_restore_onto_a_full_disk_says_where_and_goes_on_when_there_is_room(fstype: str) -> None:
    def body(host: FakeHost) -> None:
        name = run(host)
        host.files.remove("/etc/pg/shared")
        host.files.write("/etc/pg/conf.d/f", b"another")
        fill(host, 256)
        with pytest.raises(
            Failed, match=r"/etc/pg could not be put in place \(/etc/pg/shared\): No space left"
        ) as caught:
            restore_path(host, f"{CAPTURES}/{name}", "/etc/pg")
        assert caught.value.exit_status == 8
        host.files.remove("/ballast")
        restore_path(host, f"{CAPTURES}/{name}", "/etc/pg")
        check_exact(host, name)

    on_disk(fstype, body)


def test_without_room_for_its_own_note_a_capture_is_made_all_the_same() -> None:
    """The note lies on the node's disk, the capture on the asset's."""

    def body(host: FakeHost) -> None:
        run(host)
        shell(f"mount -t tmpfs -o size=16k full {host.root}/var/lib/tanist")
        try:
            names = []
            for number in (1, 2):
                change(host, number)
                names.append(run(host))
                check_exact(host, names[-1])
            assert good_ones(host)[:2] == names[::-1]
            assert host.files.list("/var/lib/tanist/pg") == ()
            shell(f"mount -o remount,ro {host.root}/var/lib/tanist")
            change(host, 3)
            check_exact(host, run(host))
        finally:
            shell(f"umount {host.root}/var/lib/tanist")
        change(host, 4)
        check_exact(host, run(host))  # beside an old note

    on_disk("ext4", body)


# -- a disk that fails
@pytest.mark.requirement("A38")
def test_on_a_device_that_has_no_room_for_what_its_file_system_promised_the_last_capture_is_chosen() -> None:
    """A thin volume: the image's own file system is full."""

    def body(host: FakeHost) -> None:
        first = run(host)
        host.files.write(BIG, os.urandom(3 << 20))
        shell(f"sync -f {TOP}; mount -o remount,size=$(($(stat -f -c '(%b-%f)*%S+131072' /mnt))) /mnt")
        with pytest.raises(Failed, match=r"No space left on device|Input/output error") as caught:
            run(host)
        assert caught.value.exit_status == 8
        assert chosen(host) == first  # with the file system as it is now
        shell(f"mount -o remount,size=50% /mnt; umount {TOP}; e2fsck -fy {IMAGE} || [ $? -lt 4 ]")
        shell(f"mount -o loop {IMAGE} {TOP}")
        assert good_ones(host) == [first]
        check_exact(host, run(host))

    on_disk("ext4", body)


@pytest.mark.requirement("A38")
@pytest.mark.parametrize("calls", [2, 8, 20, 30])
def test_where_the_device_answers_with_io_errors_the_last_capture_is_chosen(calls: int) -> None:
    """It dies in the midst of a capture: the file system that its image lies on is shut down."""

    def inside() -> None:
        signal.alarm(PATIENCE)
        below = "/mnt/below"
        os.mkdir(below)
        shell(f"truncate -s 96M {below}.img; mkfs.ext4 -q {below}.img; mount -o loop {below}.img {below}")
        shell(f"truncate -s 64M {below}/image; ln -s {below}/image {IMAGE}")
        with host_on("ext4") as host:
            first = run(host)
            change(host, 1)
            shell(f"sync -f {TOP}; sync -f {below}")
            if calls > 2:
                assert killed_at(calls, partial(run, host))
            fd = os.open(below, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.ioctl(fd, IOC_SHUTDOWN, NO_LOG_FLUSH)
            os.close(fd)
            with pytest.raises(Failed, match=r"Input/output error|Read-only file system") as caught:
                run(host)
            assert caught.value.exit_status == 8
            shell(f"umount {TOP}; umount {below}; mount -o loop {below}.img {below}")
            shell(f"e2fsck -fy {IMAGE} || [ $? -lt 4 ]; mount -o loop {IMAGE} {TOP}")
            assert good_ones(host) == [first] and chosen(host) == first
            check_exact(host, run(host))
        shell(f"umount {below}")

    in_namespaces(inside)


def spoil(host: FakeHost, path: str) -> None:
    """The map of a file's blocks is nonsense: to read it is an error of the file system."""
    inode = os.stat(host.root + path).st_ino
    shell(f"umount {TOP}; debugfs -w -R 'sif <{inode}> block[0] 0x99999999' {IMAGE} 2>&1; mount -o loop {IMAGE} {TOP}")


@pytest.mark.requirement("A38")
def test_a_file_that_cannot_be_read_fails_the_capture_by_name() -> None:
    def body(host: FakeHost) -> None:
        host.files.write("/etc/pg/conf.d/f", b"x" * 20000)
        first = run(host)
        os.utime(host.root + "/etc/pg/conf.d/f")
        spoil(host, "/etc/pg/conf.d/f")
        with pytest.raises(Failed, match=r"/etc/pg/conf\.d/f cannot be read: "):
            run(host)
        assert good_ones(host) == [first]

    on_disk("ext4", body)


@pytest.mark.requirement("A38")
@pytest.mark.parametrize("part", ["files.tar.01", "entries.jsonl.01", "manifest.json"])
def test_a_capture_that_cannot_be_read_is_refused_and_the_one_before_is_chosen(part: str) -> None:
    def body(host: FakeHost) -> None:
        first = run(host)
        for number in range(400):
            host.files.write(f"/etc/pg/conf.d/{number}", os.urandom(100))
        second = run(host)
        spoil(host, f"{CAPTURES}/{second}/{part}")
        newest = newest_good(host, CAPTURES)
        assert newest.generation is not None and newest.generation.name == first
        assert [one.name for one in newest.refused] == [second]
        with pytest.raises(BadCapture, match=second):
            restore_path(host, f"{CAPTURES}/{second}", "/etc/pg")

    on_disk("ext4", body)


@pytest.mark.requirement("A38")
def test_a_read_only_asset_keeps_its_captures_and_says_so(fstype: str) -> None:
    def body(host: FakeHost) -> None:
        first = run(host)
        shell(f"mount -o remount,ro {TOP}")
        assert run(host) == first  # nothing is new: nothing is to be written
        shell(f"mount -o remount,rw {TOP}")
        change(host, 1)
        shell(f"mount -o remount,ro {TOP}")
        with pytest.raises(Failed, match="Read-only file system") as caught:
            run(host)
        assert caught.value.exit_status == 8
        assert good_ones(host) == [first] and chosen(host) == first
        shell(f"mount -o remount,rw {TOP}")
        check_exact(host, run(host))

    on_disk(fstype, body)


# -- two at once
@pytest.mark.requirement("A38")
def test_of_two_captures_at_once_one_runs_and_the_other_says_so() -> None:
    def body(host: FakeHost) -> None:
        run(host)
        statuses = set()
        for number in range(8):
            change(host, number + 1)
            begin, go = os.pipe()
            children = [started(host, begin, go) for _ in range(2)]
            os.close(begin)
            os.close(go)
            codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
            assert codes[0] == 0 and codes[1] in (0, Busy.exit_status)
            statuses.update(codes)
            host.clock.advance(7200)
            check_exact(host, good_ones(host)[0])
        assert statuses == {0, Busy.exit_status}

    on_disk("ext4", body)


def started(host: FakeHost, begin: int, go: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.close(go)
        os.read(begin, 1)  # until the parent closes the other end
        run(host)
        os._exit(0)
    except Busy as error:
        os._exit(error.exit_status if "being captured already: a capture by process" in error.message else 99)
    finally:
        traceback.print_exc()
        os._exit(98)
