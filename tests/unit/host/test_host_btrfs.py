"""btrfs has a device number of its own and may lie on several disks: it is told from others all the same."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tanist.facts.fshealth import read_health
from tanist.facts.mountable import check_mountable
from tanist.facts.storage import mounted_here, read_marks
from tanist.host.local import LocalHost
from tanist.model.dataclasses import replace
from tanist.model.definition import Asset
from tanist.model.host import IdMap
from tanist.model.unread import Unread
from tanist.runs.drill_snapshot import find_snapshot, snapshot_of
from tests.unit.host.machines import TREE, in_namespaces, shell

NEEDED = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mkfs.btrfs"), reason="needs root and mkfs.btrfs (btrfs-progs)"
)
MAP = IdMap(users=((0, 0, 1), (113, 118, 1)), groups=((0, 0, 1),))


@contextlib.contextmanager
def two_disks() -> Iterator[tuple[str, str]]:
    """With a default subvolume that is not the top."""
    shell(
        "truncate -s 128M /mnt/a /mnt/b && mkfs.btrfs -q -d raid1 -m raid1 /mnt/a /mnt/b && mkdir /mnt/tree /mnt/by-id"
    )
    first, second = (shell(f"losetup -f --show /mnt/{name}") for name in "ab")
    try:
        shell(f"mount -t btrfs -o device={second} {first} {TREE} && btrfs subvolume create {TREE}/sub")
        shell(f"touch {TREE}/top && btrfs subvolume set-default {TREE}/sub && umount {TREE}")
        shell(f"ln -s {first} /mnt/by-id/a; ln -s {second} /mnt/by-id/b")
        yield first, second
    finally:
        for command in ("umount -t btrfs -a", f"losetup -d {first}", f"losetup -d {second}"):
            subprocess.run(command.split(), check=False)


@NEEDED
@pytest.mark.parametrize("idmap", [None, MAP], ids=["plain", "mapped"])
def test_a_btrfs_is_mounted_once_whatever_its_devices_are_called(idmap: IdMap | None) -> None:
    def body() -> None:
        host = LocalHost()
        with two_disks() as (first, second):
            asset = Asset(kind="filesystem", device="/mnt/by-id/a", fstype="btrfs", members=("/mnt/by-id/b",))
            assert mounted_here(host, asset.device, *asset.members) == ()
            for _ in range(2):
                host.mount_device(asset.device, TREE, "btrfs", asset.mount_options, idmap)
            assert sorted(os.listdir(TREE)) == ["sub", "top"]
            assert mounted_here(host, asset.device, *asset.members) == (TREE,)
            assert mounted_here(host, first, second) == (TREE,)
            assert [one.target for one in host.mounts() if one.fstype == "btrfs"] == [TREE]
            with pytest.raises(OSError, match=r"an? id map|no id map"):
                host.mount_device(asset.device, TREE, "btrfs", asset.mount_options, None if idmap else MAP)
            shell("mount -t tmpfs above /mnt/by-id")
            assert mounted_here(host, first, second) == (TREE,)
            host.unmount(TREE)
            assert mounted_here(host, first, second) == ()

    in_namespaces(body)


@NEEDED
@pytest.mark.parametrize("dead", [0, 1])
def test_with_one_disk_dead_it_is_mounted_where_the_definition_allows_that(dead: int) -> None:
    def body() -> None:
        host = LocalHost()
        with two_disks() as disks:
            asset = Asset(kind="filesystem", device=disks[0], fstype="btrfs", members=disks[1:])
            shell(f"wipefs -q -a {disks[dead]} && btrfs device scan --forget {disks[dead]}; true")
            assert check_mountable(host, asset) == ""
            with pytest.raises(OSError, match="mount of"):
                host.mount_device(asset.device, TREE, "btrfs", asset.mount_options, None)
            allowed = replace(asset, options=("degraded",))
            for _ in range(2):
                host.mount_device(allowed.device, TREE, "btrfs", allowed.mount_options, None)
            marks = read_marks(host, allowed)
            assert not isinstance(marks, Unread)
            assert (marks.state, marks.mounted_at) == ("in-use", (TREE,))
            shell(f"umount {TREE}")
            told = read_marks(host, allowed)
            assert not isinstance(told, Unread) and f"{disks[dead]}: no btrfs super block" in told.detail

    in_namespaces(body)


@NEEDED
def test_its_profiles_and_errors_are_told_while_it_is_mounted() -> None:
    def body() -> None:
        host = LocalHost()
        with two_disks() as disks:
            asset = Asset(kind="filesystem", device=disks[0], fstype="btrfs", members=disks[1:])
            name = disks[0].rsplit("/", 1)[-1]
            away = read_health(host, asset, name)
            assert not isinstance(away, Unread) and not away.tells
            assert away.profiles == ("data raid1", "metadata raid1"), "read unmounted"
            host.mount_device(asset.device, TREE, "btrfs", asset.mount_options, None)
            found = read_health(host, asset, name)
            assert not isinstance(found, Unread)
            assert (found.profiles, found.errors, found.tells) == (("data raid1", "metadata raid1"), 0, True)
            alone = read_health(host, replace(asset, members=()), name)
            assert not isinstance(alone, Unread) and alone.profiles == (), "what lies below keeps the data"

    in_namespaces(body)


@NEEDED
def test_a_btrfs_that_is_hidden_or_another_is_no_mount_of_the_asset() -> None:
    def body() -> None:
        host = LocalHost()
        with two_disks() as (first, second):
            options = ("subvolid=5", f"device={second}")
            os.makedirs("/mnt/up/tree")
            host.mount_device(first, "/mnt/up/tree", "btrfs", options, None)
            shell("mount -t tmpfs above /mnt/up; mkdir /mnt/up/tree")
            with pytest.raises(OSError, match="hidden by a mount above it") as hidden:
                host.mount_device(first, "/mnt/up/tree", "btrfs", options, None)
            assert hidden.value.errno == errno.EBUSY
            shell("umount /mnt/up && umount /mnt/up/tree")
            shell(f"mount -t btrfs -o device={second},subvol=sub {first} {TREE}")
            with pytest.raises(OSError, match=r"only /sub of .* is mounted there"):
                host.mount_device(first, TREE, "btrfs", options, None)
            with pytest.raises(OSError, match=r"already mounted there, not /dev/null"):
                host.mount_device("/dev/null", TREE, "btrfs", options, None)

    in_namespaces(body)


@NEEDED
@pytest.mark.parametrize("idmap", [None, MAP], ids=["plain", "mapped"])
def test_a_drill_has_a_snapshot_of_the_whole_asset(idmap: IdMap | None) -> None:
    def body() -> None:
        host = LocalHost()
        with two_disks() as disks:
            asset = Asset(kind="filesystem", device=disks[0], fstype="btrfs", members=disks[1:])
            host.mount_device(asset.device, TREE, "btrfs", asset.mount_options, idmap)
            host.files.make_directory(f"{TREE}/.tanist", 0o700)
            assert find_snapshot(host, TREE) == "btrfs"
            with snapshot_of(host, TREE) as place:
                shell(f"rm {TREE}/top")
                assert "top" in os.listdir(place)
            assert os.listdir(f"{TREE}/.tanist") == []

    in_namespaces(body)
