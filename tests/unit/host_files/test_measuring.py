"""A measurement on a real file system: bounded in bytes, and nothing is left of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tanist.host.local import LocalHost
from tanist.host.measuring import BLOCK, CHUNK, Limits, measure

LIMITS = Limits(size=2 * CHUNK, syncs=5, seconds=60.0)


@pytest.mark.requirement("A17")
def test_it_writes_no_more_than_it_may_and_leaves_nothing(tmp_path: Path) -> None:
    found = measure(LocalHost(), str(tmp_path / ".tanist/measuring"), LIMITS)
    assert found.written == 2 * CHUNK + 5 * BLOCK
    assert min(found.fsyncs_per_s, found.fsync_worst, found.write_bytes_per_s, found.read_bytes_per_s) > 0
    assert list((tmp_path / ".tanist").iterdir()) == []


def test_no_time_means_no_more_than_one_access_of_each_kind(tmp_path: Path) -> None:
    found = measure(LocalHost(), str(tmp_path / "m"), Limits(size=64 * CHUNK, syncs=500, seconds=1e-9))
    assert found.written == CHUNK + BLOCK


def test_what_a_killed_measurement_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/probe").write_bytes(b"left")
    measure(LocalHost(), str(tmp_path / "m"), LIMITS)
    assert not (tmp_path / "m").exists()


def test_one_that_is_cut_off_leaves_nothing_either(tmp_path: Path) -> None:
    host = LocalHost()
    with pytest.raises(TypeError), pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "sleep", None)
        measure(host, str(tmp_path / "m"), LIMITS)
    assert not (tmp_path / "m").exists()


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    """The tree belongs to a service account, which may put there what it likes."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a directory away")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/probe").write_bytes(b"precious")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".tanist").symlink_to(tmp_path / "elsewhere")
    os.lchown(tree / ".tanist", 1234, 1234)
    os.chown(tree, 1234, 1234)
    with pytest.raises(OSError):
        measure(LocalHost(), str(tree / ".tanist"), LIMITS)
    assert (tmp_path / "elsewhere/probe").read_bytes() == b"precious"
