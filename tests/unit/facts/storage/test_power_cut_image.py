"""The claim on real ext4, xfs and btrfs: what a standby reads of the disk after a power cut, without mounting."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.host.machines import run_apart

SCRIPT = Path(__file__).with_name("power_cut.py")
TOOLS = ("losetup", "fsfreeze", "mkfs.ext4", "debugfs", "mkfs.xfs", "xfs_db", "xfs_logprint", "mkfs.btrfs")


@pytest.fixture(scope="module", params=["ext4", "xfs", "btrfs"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp(request.param)
    found: dict[str, Any] = run_apart(SCRIPT, request.param, str(directory), needs=TOOLS)
    shutil.rmtree(directory)
    return {"fstype": request.param, **found}


@pytest.mark.requirement("A05", "A42")
def test_a_claim_is_readable_from_the_raw_disk_as_soon_as_it_is_written(seen: dict[str, Any]) -> None:
    assert seen["created"] == "ec-a 1 held"
    assert seen["saved"] == "ec-b 2 released"
    assert seen["unmounted"].startswith("ec-b ")


def test_marks_tell_a_cut_from_an_unmount_and_from_a_mount_of_this_node(seen: dict[str, Any]) -> None:
    assert seen["marks mounted"].startswith("dirty: not unmounted")
    told = "unknown: no log to replay; btrfs keeps no mark of being mounted"
    assert seen["marks unmounted"] == (told if seen["fstype"] == "btrfs" else "clean: unmounted cleanly")
    assert seen["here"].startswith("in-use: mounted on this node at ")


def test_a_claim_that_was_moved_is_noticed_and_brought_in_place(seen: dict[str, Any]) -> None:
    if seen["fstype"] == "btrfs":  # what fsync logged is read as well
        assert seen["moved by rename"] == ""
    else:
        assert "still shows another claim: released by ec-b, epoch 2" in seen["moved by rename"]
    assert seen["settled"] == ""


def test_a_claim_whose_blocks_are_shared_is_noticed_and_brought_in_place(seen: dict[str, Any]) -> None:
    if seen["fstype"] == "xfs":
        assert "still shows another claim: held by ec-b, epoch 3" in seen["shared"]
    if seen["fstype"] == "btrfs":
        assert seen["shared"] == ""
    if seen["fstype"] != "ext4":
        assert seen["shared and settled"] == ""


def test_a_freeze_that_is_cut_off_is_thawed_all_the_same(seen: dict[str, Any]) -> None:
    assert seen["killed"] == "thawed, cut off at times"


def test_another_nodes_mmp_block_is_seen_moving(seen: dict[str, Any]) -> None:
    if seen["fstype"] == "ext4":
        assert seen["moving"].startswith("in-use: ") and "writes its MMP block" in seen["moving"]
