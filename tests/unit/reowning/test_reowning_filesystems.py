"""The walk on real ext4, xfs and btrfs: the same result on each, and after real power cuts.

ext4 and xfs are stopped by their own shutdown ioctl without log flush: from then on nothing reaches the device, and the
next mount replays what the log had. btrfs is copied as its device stands and the copy mounted.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tanist.host import reowning
from tanist.host.attributes import Attributes
from tanist.host.mounting import mount_device
from tanist.model.host import IdMap, Renumber
from tests.unit.host.machines import in_namespaces, shell
from tests.unit.reowning.trees import SWAP, Seen, clear_flags, make_tree, mapped, owners, read_tree

IOC_SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125  # EXT4_IOC_SHUTDOWN = XFS_IOC_GOINGDOWN
NO_LOG_FLUSH = struct.pack("=I", 2)
SIZE = {"ext4": 32 << 20, "xfs": 320 << 20, "btrfs": 128 << 20}
IMAGE, TOP = "/mnt/image", "/mnt/top"
TREE = f"{TOP}/tree"


@pytest.fixture(params=["ext4", "xfs", "btrfs"])
def fstype(request: pytest.FixtureRequest) -> str:
    found = str(request.param)
    if shutil.which(f"mkfs.{found}") is None:
        pytest.skip(f"mkfs.{found} is not installed")
    return found


@contextmanager
def on_disk(fstype: str) -> Iterator[None]:
    """A new file system with a tree in it, mounted at TOP."""
    os.mkdir(TOP)
    with open(IMAGE, "wb") as image:
        image.truncate(SIZE[fstype])
    shell(f"mkfs.{fstype} -q {IMAGE}")
    mount()
    try:
        os.mkdir(TREE)
        make_tree(TREE)
        shell(f"sync -f {TOP}")
        yield
        clear_flags(TREE)
    finally:
        shell(f"umount {TOP}")


def mount() -> None:
    shell(f"mount -o loop {IMAGE} {TOP}")


def lose_power(fstype: str) -> None:
    if fstype == "btrfs":
        shell(f"cp --sparse=always {IMAGE} {IMAGE}.cut; umount {TOP}; mv {IMAGE}.cut {IMAGE}")
    else:
        fd = os.open(TOP, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.ioctl(fd, IOC_SHUTDOWN, NO_LOG_FLUSH)
        os.close(fd)
        shell(f"umount {TOP}")
    mount()


def walk_until(number: int) -> bool:
    """In a process that ends at the Nth point, as by kill -9. True when it came to the end of the walk."""
    child = os.fork()
    if child == 0:
        left = number

        def point(_: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)

        reowning.reown(TREE, "t", SWAP, workers=1, point=point)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


@pytest.mark.requirement("A54", "A55")
def test_power_cuts_at_many_points_lose_and_double_nothing(fstype: str) -> None:
    def body() -> None:
        with on_disk(fstype):
            before = read_tree(TREE)
            wanted = mapped(before, SWAP)
            for cut in (1, 2, 3, 9, 17, 26, 33, 200):
                reowning.begin(TREE, "t")
                ended = walk_until(cut)
                assert ended == (cut == 200)
                lose_power(fstype)
                walk_until(cut + 4)
                lose_power(fstype)
                reowning.reown(TREE, "t", SWAP)
                lose_power(fstype)  # what reown() answered for is on the disk
                assert owners(read_tree(TREE)) == wanted, f"power lost at point {cut}"
                reowning.forget(TREE)
                reowning.begin(TREE, "t")
                reowning.reown(TREE, "t", SWAP.inverse)
                reowning.forget(TREE)
                assert owners(read_tree(TREE)) == owners(before)

    in_namespaces(body)


@pytest.mark.requirement("A54", "A55")
def test_the_map_and_the_walk_show_the_same_tree(fstype: str) -> None:
    """What a service sees through the id map is what it sees after the walk: owners, ACL entries, set-id bits, all."""

    def body() -> None:
        with on_disk(fstype):
            every = (1 << 32) - 1
            idmap = IdMap(users=extents(dict(SWAP.users), every), groups=extents(dict(SWAP.groups), every))
            os.mkdir("/mnt/seen")
            device = shell(f"findmnt -n -o SOURCE {TOP}")
            mount_device(device, "/mnt/seen", fstype, (), idmap)
            through = sorted_acls(read_tree("/mnt/seen/tree"))
            shell("umount /mnt/seen")
            assert through == mapped(read_tree(TREE), SWAP)
            reowning.begin(TREE, "t")
            reowning.reown(TREE, "t", SWAP)
            assert owners(read_tree(TREE)) == through

    in_namespaces(body)


def sorted_acls(seen: Seen) -> dict[str, tuple[str, Attributes]]:
    """The kernel maps ACL entries where they stand; the walk sorts them, as libraries expect."""
    return mapped(seen, Renumber(users=(), groups=()))


def extents(pairs: dict[int, int], every: int) -> tuple[tuple[int, int, int], ...]:
    found, position = [], 0
    for start, to in sorted(pairs.items()):
        found += [(position, position, start - position), (start, to, 1)]
        position = start + 1
    return tuple(one for one in (*found, (position, position, every - position)) if one[2])


@pytest.mark.requirement("A54", "A55")
def test_a_process_works_by_its_name_through_the_map(fstype: str) -> None:
    """Owner, supplementary group, ACL entry and set-id program, as real processes with this node's numbers."""

    def body() -> None:
        with on_disk(fstype):
            every = (1 << 32) - 1
            idmap = IdMap(users=extents(dict(SWAP.users), every), groups=extents(dict(SWAP.groups), every))
            os.mkdir("/mnt/seen")
            mount_device(shell(f"findmnt -n -o SOURCE {TOP}"), "/mnt/seen", fstype, (), idmap)
            os.chmod(TREE, 0o755)
            data = "/mnt/seen/tree/data"
            os.chmod(data, 0o755)
            try:
                assert can(118, 999, (), lambda: open(f"{data}/file0").close())  # pg owns it: 113 on the disk
                assert not can(113, 999, (), lambda: open(f"{data}/file0").close())
                assert can(5555, 999, (126,), lambda: open(f"{data}/file0").close())  # supplementary: 120 on the disk
                assert not can(5555, 999, (120,), lambda: open(f"{data}/file0").close())
                assert can(118, 999, (), lambda: open(f"{data}/acl").close())  # ACL entry: 113 on the disk
                assert not can(113, 999, (), lambda: open(f"{data}/acl").close())
                assert can(5555, 999, (120,), lambda: open(f"{data}/acl").close())  # group entry: 130 on the disk
                shutil.copy("/usr/bin/id", f"{data}/id")
                os.chown(f"{data}/id", 118, 126)
                os.chmod(f"{data}/id", 0o6755)
                said = shell(f"setpriv --reuid 5555 --regid 999 --clear-groups {data}/id -u")
                assert said == "118"
                assert (os.stat(f"{TREE}/data/id").st_uid, os.stat(f"{TREE}/data/id").st_gid) == (113, 120)
            finally:
                shell("umount /mnt/seen")

    in_namespaces(body)


def can(uid: int, gid: int, groups: tuple[int, ...], act: Callable[[], object]) -> bool:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            act()
            status = 0
        except PermissionError:
            status = 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 2)
    return code == 0
