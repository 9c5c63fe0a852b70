"""A tree that somebody keeps busy: by name, and by force only as far as the definition says; on a real kernel."""

from __future__ import annotations

from pathlib import Path

from tests.unit.host.machines import run_apart

SCRIPT = Path(__file__).with_name("busy_mount.py")


def test_who_keeps_it_busy_is_named_and_ended_only_as_far_as_the_definition_says(tmp_path: Path) -> None:
    found = run_apart(SCRIPT, str(tmp_path), needs=("losetup", "mkfs.ext4", "fuser"))
    assert found == {
        "by default": True,
        "alive": True,
        "only asked": True,
        "notes": ["waiting 0.2 s", "sending SIGTERM, then 1 s"],
        "another file system": True,
        "its user lives": True,
        "killed": ["unmounted", -9, 2],
    }
