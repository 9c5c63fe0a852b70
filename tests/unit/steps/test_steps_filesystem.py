"""A file system that a power cut left, replayed and checked before it is used; on a real kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.host.machines import run_apart

SCRIPT = Path(__file__).with_name("replayed.py")
TOOLS = ("losetup", "dmesg", "e2fsck", "debugfs", "mkfs.xfs", "xfs_db", "xfs_repair")
REPLAYED = {
    "ext4": "recovery complete; mounted filesystem",
    "xfs": "Starting recovery (logdev: internal); Ending recovery",
}
GOOD = {"ext4": "e2fsck -f -n DEVICE: DEVICE: 13/81920 files", "xfs": "xfs_repair -n DEVICE: no damage"}
DAMAGED = {
    "ext4": (
        "e2fsck -f -n DEVICE (status 4): Entry 'kept' in / (2) has deleted/unused inode 12.",
        "e2fsck -f DEVICE mends",
    ),
    "xfs": (
        "xfs_repair -n DEVICE (status 1): would have reset inode 131 nlinks from 7 to 1",
        "xfs_repair DEVICE mends",
    ),
}

REFUSED = {
    "ext4": "Invalid argument (its log may say more: dmesg); the kernel says: Couldn't mount because of unsupported "
    "optional features (40000000)",
    "xfs": "the kernel says: Superblock has unknown incompatible features (0x40000000) enabled.",
}


@pytest.fixture(scope="module", params=["ext4", "xfs"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    made = tmp_path_factory.mktemp(request.param)
    found: dict[str, Any] = run_apart(SCRIPT, request.param, str(made), needs=TOOLS)
    return {"fstype": request.param, **found}


@pytest.mark.requirement("A14", "A42")
def test_what_the_replay_did_and_what_the_check_found_is_told(seen: dict[str, Any]) -> None:
    assert REPLAYED[seen["fstype"]] in seen["checked"]
    assert GOOD[seen["fstype"]] in seen["checked"]
    assert seen["left mounted"] is False


def test_damage_ends_the_step_with_the_tools_words_and_the_command_that_mends(seen: dict[str, Any]) -> None:
    for words in DAMAGED[seen["fstype"]]:
        assert words in seen["damaged"]


def test_what_is_mounted_is_not_checked(seen: dict[str, Any]) -> None:
    assert "a check of it would tell nothing" in seen["mounted"]


def test_a_mount_that_the_kernel_refuses_is_told_in_its_words(seen: dict[str, Any]) -> None:
    assert REFUSED[seen["fstype"]] in seen["refused"]
