"""ext4's multiple mount protection, on a real file system that a power cut left in use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tanist.model.errors import Failed
from tanist.model.steps import FreeMmp
from tanist.model.storage import MmpMark
from tanist.plan.acquire import build_acquire, describe_wait
from tanist.steps.storage import apply_free_mmp
from tests.unit.plan.machines import make_claim, make_standing
from tests.unit.runs.world import World, make_controller

SCRIPT = Path(__file__).with_name("mmp_cut.py")
ROOT = SCRIPT.parents[3]
HELD = MmpMark(sequence=5, node="ec-a", time=1, interval=10)


def test_the_block_of_a_dead_user_is_set_free_and_that_of_a_mounted_one_is_not(tmp_path: Path) -> None:
    missing = [tool for tool in ("unshare", "losetup", "mkfs.ext4", "tune2fs") if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root and {', '.join(missing) or 'nothing more'}")
    ran = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, str(SCRIPT), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "mounted here": False,
        "cut": False,
        "freed": True,
        "found": "and synced",
        "e2fsck": 0,
    }


def test_only_after_a_strong_proof_the_wait_is_skipped_and_else_it_is_announced() -> None:
    controller = make_controller()
    parts = (make_standing(controller), make_claim(controller))
    freed = build_acquire(controller, *parts, mmp=HELD, stopped="ec-a has no power")
    assert [type(step.spec).__name__ for step in freed.steps][-2:] == ["FreeMmp", "MountTree"]
    assert "else the mount waits 42 s" in freed.steps[-2].says
    clean = MmpMark(sequence=0xFF4D4D50, node="ec-a", time=1, interval=10)
    for mmp, stopped in ((HELD, ""), (clean, "ec-a has no power"), (None, "ec-a has no power")):
        plan = build_acquire(controller, *parts, mmp=mmp, stopped=stopped)
        assert not any(isinstance(step.spec, FreeMmp) for step in plan.steps)
    assert "waits up to 42 s, to see that ec-a does not write" in describe_wait(HELD)
    assert describe_wait(clean) == describe_wait(None) == ""


def test_a_device_that_is_not_there_fails_before_anything_is_written(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.b.files.stat = lambda *_, **__: (_ for _ in ()).throw(OSError(5, "Input/output error"))  # type: ignore[method-assign]
    with pytest.raises(Failed, match="Input/output error"):
        apply_free_mmp(FreeMmp(device="/dev/asset"), world.session("ec-b").context)
    assert not any(argv[0] == "tune2fs" for argv in world.b.ran)
