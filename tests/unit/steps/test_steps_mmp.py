"""ext4's multiple mount protection, on a real file system that a power cut left in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.model.errors import Failed
from tanist.model.steps import FreeMmp
from tanist.steps.storage import apply_free_mmp
from tests.unit.host.machines import run_apart
from tests.unit.runs.world import World

SCRIPT = Path(__file__).with_name("mmp_cut.py")


def test_the_block_of_a_dead_user_is_set_free_and_that_of_a_mounted_one_is_not(tmp_path: Path) -> None:
    found = run_apart(SCRIPT, str(tmp_path), needs=("losetup", "mkfs.ext4", "tune2fs"))
    assert found == {
        "mounted here": False,
        "cut": False,
        "freed": True,
        "found": "and synced",
        "e2fsck": 0,
    }


def test_a_device_that_is_not_there_fails_before_anything_is_written(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.b.files.stat = lambda *_, **__: (_ for _ in ()).throw(OSError(5, "Input/output error"))  # type: ignore[method-assign]
    with pytest.raises(Failed, match="Input/output error"):
        apply_free_mmp(FreeMmp(device="/dev/asset"), world.session("ec-b").context)
    assert not any(argv[0] == "tune2fs" for argv in world.b.ran)
