"""What only a real kernel can show: owners through a map, propagation, leftovers, the maps of older kernels."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tanist.host import mounting, syscalls
from tanist.host.idmaps import check_idmap, render_sorted
from tanist.host.local import LocalHost
from tanist.model.host import IdMap
from tests.unit.host.machines import CLONE_NEWNS, TREE, in_namespaces, loop_device, prepare, shell

SWAP = IdMap(users=((1001, 2001, 1), (2001, 1001, 1), (0, 0, 1001)), groups=((0, 0, 65536),))


def test_owners_move_by_map_and_come_back_on_the_disk() -> None:
    def body() -> None:
        host = LocalHost()
        prepare(host)
        with loop_device() as device:
            host.mount_device(device, TREE, "ext4", (), None)
            host.files.write(f"{TREE}/file", b"x", uid=1001)
            host.mount_bind(TREE, "/mnt/other", idmap=SWAP)
            assert os.stat("/mnt/other/file").st_uid == 2001
            os.chown("/mnt/other/file", 1001, 0)
            assert os.stat(f"{TREE}/file").st_uid == 2001

    in_namespaces(body)


@pytest.mark.requirement("A54", "A55")
def test_at_no_instant_is_the_unmapped_tree_where_the_services_look() -> None:
    """Somebody asks all the time whose the file is. Mounted first and mapped then, it would show (and once does)."""

    def body() -> None:
        host = LocalHost()
        prepare(host)
        with loop_device() as device:
            host.mount_device(device, TREE, "ext4", (), None)
            host.files.write(f"{TREE}/file", b"x", uid=1001)
            host.unmount(TREE)
            with asking(f"{TREE}/file") as seen:
                for _ in range(30):
                    host.mount_device(device, TREE, "ext4", (), SWAP)
                    time.sleep(0.003)
                    unmount_between_looks(host)
            assert seen == {2001}
            with asking(f"{TREE}/file") as seen:
                host.mount_device(device, TREE, "ext4", (), None)
                time.sleep(0.05)
                host.mount_bind(TREE, TREE, idmap=SWAP)
                time.sleep(0.05)
            assert seen == {1001, 2001}

    in_namespaces(body)


def unmount_between_looks(host: LocalHost) -> None:
    while True:
        try:
            host.unmount(TREE)
        except OSError as error:
            assert error.errno == errno.EBUSY
        else:
            return


@contextlib.contextmanager
def asking(path: str) -> Iterator[set[int]]:
    """Owners of a file as another process sees them, as often as it can look."""
    found, (read_end, write_end), (until, end) = set[int](), os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        os.set_blocking(until, False)
        mine: set[int] = set()
        while True:
            for _ in range(200):
                with contextlib.suppress(FileNotFoundError):
                    mine.add(os.stat(path).st_uid)
            try:
                if os.read(until, 1) == b"":
                    os.write(write_end, " ".join(map(str, mine)).encode())
                    os._exit(0)
            except BlockingIOError:
                pass
    os.close(until)
    try:
        yield found
    finally:
        os.close(end)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            found.update(int(word) for word in pipe.read().split())
        os.waitpid(child, 0)


def test_a_mount_reaches_the_services_with_namespaces_of_their_own() -> None:
    def body() -> None:
        host = LocalHost()
        prepare(host)
        shell("mount --make-rshared /")
        service = subprocess.Popen(["unshare", "-m", "--propagation", "slave", "sleep", "20"])
        try:
            seen = f"/proc/{service.pid}/mountinfo"
            while os.readlink(f"/proc/{service.pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
                time.sleep(0.01)
            time.sleep(0.1)
            with loop_device() as device:
                host.mount_device(device, TREE, "ext4", (), SWAP)
                host.mount_bind("/mnt/one", "/mnt/two")
                with open(seen) as file:
                    text = file.read()
                assert f" {TREE} " in text and " /mnt/two " in text
                host.unmount(TREE)
                host.unmount("/mnt/two")
                with open(seen) as file:
                    text = file.read()
                assert f" {TREE} " not in text and " /mnt/two " not in text
        finally:
            service.kill()
            service.wait()

    in_namespaces(body)


def test_options_are_split_between_mount_and_file_system() -> None:
    def body() -> None:
        host = LocalHost()
        prepare(host)
        with loop_device() as device:
            options = ("defaults", "noatime", "nosuid", "errors=remount-ro", "x-systemd.automount", "_netdev", "ro")
            host.mount_device(device, TREE, "ext4", options, None)
            line = next(line for line in shell("cat /proc/self/mountinfo").splitlines() if f" {TREE} " in line)
            assert line.split()[5] == "ro,nosuid,noatime" and "ro,errors=remount-ro" in line.split(" - ")[1]
            host.unmount(TREE)
            with pytest.raises(OSError, match=r"option nosuch: .*Unknown parameter 'nosuch'"):
                host.mount_device(device, TREE, "ext4", ("nosuch",), None)

    in_namespaces(body)


def test_a_link_is_no_place_to_mount() -> None:
    def body() -> None:
        host = LocalHost()
        prepare(host)
        os.symlink(TREE, "/mnt/link")
        with pytest.raises(OSError, match="symbolic link"):
            host.mount_bind("/mnt/other", "/mnt/link")
        os.symlink("/mnt", "/mnt/other/up")
        for _ in range(2):  # a link on the way is what the kernel resolves, too
            host.mount_bind("/mnt/other", "/mnt/other/up/tree")
        assert [mount.target for mount in host.mounts()].count(TREE) == 1
        host.unmount("/mnt/other/up/tree")

    in_namespaces(body)


def test_a_mount_that_is_hidden_is_not_taken_for_done() -> None:
    def body() -> None:
        host = LocalHost()
        prepare(host)
        with loop_device() as device:
            host.mount_device(device, TREE, "ext4", (), None)
            shell(f"mkdir -p /run/shadow/tree; mount --bind /run/shadow /mnt; test -d {TREE}")
            with pytest.raises(OSError, match="hidden"):
                host.mount_device(device, TREE, "ext4", (), None)
            shell("umount /mnt")

    in_namespaces(body)


def test_where_the_kernel_does_not_tell_its_maps_the_note_of_this_boot_does() -> None:
    def body() -> None:
        host = LocalHost()
        prepare(host)
        host.mount_bind(TREE, TREE, idmap=SWAP)
        (note,) = os.listdir(mounting.MAPS)
        with open(f"{mounting.MAPS}/{note}") as file:
            assert file.read() == render_sorted(SWAP)
        assert mounting.remembered_map(TREE) == render_sorted(SWAP)
        assert mounting.remembered_map("/mnt/other") == ""

    in_namespaces(body)


def test_a_user_namespace_leaves_no_process_and_no_descriptor() -> None:
    def body() -> None:
        children, descriptors = _children(), os.listdir("/proc/self/fd")
        os.close(syscalls.user_namespace("0 0 1", "0 0 1"))
        with pytest.raises(OSError, match="the kernel refuses this uid_map"):
            syscalls.user_namespace("0 0 0", "0 0 1")
        assert (_children(), os.listdir("/proc/self/fd")) == (children, descriptors)

    in_namespaces(body)


def _children() -> str:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read()


def test_a_plain_mount_has_no_map_in_the_kernels_answer_either() -> None:
    def body() -> None:
        assert syscalls.mount_idmap(syscalls.unique_mount_id("/mnt")) is None
        syscalls.unshare(CLONE_NEWNS)

    in_namespaces(body)


@pytest.mark.parametrize(
    ("users", "code", "text"),
    [
        ((), errno.EINVAL, "empty"),
        (((0, 0, 0),), errno.EINVAL, "impossible"),
        (((-1, 0, 1),), errno.EINVAL, "impossible"),
        (((4294967295, 0, 1),), errno.EINVAL, "impossible"),
        (((0, 0, 10), (5, 20, 1)), errno.EINVAL, "5 on the disk twice"),
        (((0, 0, 10), (20, 5, 1)), errno.EINVAL, "5 on this host twice"),
        (tuple((i, i, 1) for i in range(341)), errno.E2BIG, "341 extents, limit 340"),
        (tuple((10**9 + i, 10**9 + i, 1) for i in range(171)), errno.E2BIG, "limit 4095"),
    ],
)
def test_a_map_that_the_kernel_would_not_take_is_refused_in_words(
    users: tuple[tuple[int, int, int], ...], code: int, text: str
) -> None:
    with pytest.raises(OSError, match=text) as caught:
        check_idmap(IdMap(users=users, groups=((0, 0, 1),)))
    assert caught.value.errno == code


@pytest.mark.parametrize("users", [((0, 0, 4294967295),), tuple((i, i, 1) for i in range(340))])
def test_the_largest_maps_pass_the_check_and_the_kernel(users: tuple[tuple[int, int, int], ...]) -> None:
    idmap = IdMap(users=users, groups=((0, 0, 1),))
    check_idmap(idmap)

    def body() -> None:
        host = LocalHost()
        prepare(host)
        host.mount_bind(TREE, TREE, idmap=idmap)
        assert host.read_idmap(TREE) == idmap

    in_namespaces(body)
