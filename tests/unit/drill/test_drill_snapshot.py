"""Where the tree is a subvolume of btrfs, a drill reads a snapshot of it: on a real file system."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tanist.definition.load import load_controller
from tanist.host.local import LocalHost
from tanist.runs.drill_copy import describe
from tanist.runs.drill_snapshot import PLACE, find_snapshot, snapshot_of
from tanist.runs.drill_source import build_tar
from tests.unit.host.machines import in_namespaces, shell

ROOT = Path(__file__).resolve().parents[3]
CONTROLLER = load_controller((ROOT / "profiles/postgresql.toml").read_bytes(), "postgresql.toml")
TREE = "/mnt/top/tree"
TOOLS = ("mkfs.btrfs", "btrfs")


def make_tree() -> None:
    shell(
        "truncate -s 128M /mnt/image && mkfs.btrfs -q /mnt/image && mkdir /mnt/top && mount -o loop /mnt/image /mnt/top"
    )
    shell(f"btrfs subvolume create {TREE} && mkdir {TREE}/.tanist && echo before > {TREE}/file")


def subvolumes() -> int:
    return int(shell("btrfs subvolume list /mnt/top | wc -l"))


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {' and '.join(TOOLS)}")
def test_a_subvolume_is_read_as_it_was_at_one_moment_and_nothing_stays() -> None:
    def body() -> None:
        make_tree()
        host = LocalHost()
        assert find_snapshot(host, TREE) == "btrfs"
        for moment in ("first", "after one that was killed"):
            shell(f"echo {moment} > {TREE}/file")
            with snapshot_of(host, TREE) as source:
                shell(f"echo later > {TREE}/file; mkdir -p {TREE}/new")
                assert Path(f"{source}/file").read_text() == f"{moment}\n" and not Path(f"{source}/new").exists()
                with pytest.raises(OSError, match="Read-only"):
                    Path(f"{source}/file").write_text("x")
                listed = shell(" ".join(f"'{word}'" for word in build_tar(CONTROLLER, source)) + " | tar --list")
                assert "./file" in listed.split() and PLACE not in listed
            assert subvolumes() == 1 and not Path(f"{TREE}/{PLACE}").exists()
            shell(f"rmdir {TREE}/new; btrfs subvolume snapshot -r {TREE} {TREE}/{PLACE}")  # as a killed drill leaves it
        shell(f"btrfs subvolume delete {TREE}/{PLACE}; mkdir /mnt/top/plain")
        assert find_snapshot(host, "/mnt/top/plain") == ""
        with snapshot_of(host, "/mnt/top/plain") as source:
            assert source == "/mnt/top/plain"
        shell("umount /mnt/top")

    in_namespaces(body)


def test_what_the_copy_is_worth_is_said() -> None:
    backups = CONTROLLER.drill.backups
    assert describe("ec-a", (), "btrfs") == (
        "the tree, read from a btrfs snapshot on ec-a: one point in time, as after a power cut"
    )
    assert "not one point in time: a service that can't bear that" in describe("ec-a", (), "")
    assert describe("ec-a", backups, "").startswith(
        "15/main as the service's own backup; the rest of the tree read file"
    )
