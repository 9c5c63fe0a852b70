"""A look at an export, as far as a machine without NFS can be asked: it fails in mount(8)'s words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tanist.host import export_look, exports
from tanist.host.local import LocalHost
from tanist.host.mountinfo import read_mounts
from tanist.model.definition import Asset

ASSET = Asset(kind="nfs", device="127.0.0.1:/nowhere", fstype="nfs4")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@needs_root
def test_a_look_that_fails_says_why_and_leaves_name_and_mounts_as_they_were() -> None:
    before = (os.uname().nodename, [one.target for one in read_mounts()])
    with pytest.raises(OSError) as caught:
        LocalHost().look_at_export(ASSET.device, ASSET.look_options, 10.0)
    assert caught.value.errno == errno.EIO
    assert "mount" in str(caught.value)
    assert before == (os.uname().nodename, [one.target for one in read_mounts()])


@needs_root
def test_a_look_that_takes_too_long_is_over_and_says_so() -> None:
    with pytest.raises(OSError, match=r"its filer gave no answer within 0\.001 s") as caught:
        LocalHost().look_at_export(ASSET.device, ASSET.look_options, 0.001)
    assert caught.value.errno == errno.ETIMEDOUT


def test_the_lock_is_asked_for_and_never_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fcntl's locks are the process's: another one holds it."""
    monkeypatch.setattr(export_look, "PLACE", str(tmp_path))
    assert export_look._look() == ("-", "free", "-1", "")
    (tmp_path / ".tanist").mkdir()
    assert export_look._look() == ("-", "free", str(os.geteuid()), "")
    (tmp_path / ".tanist/claim").write_bytes(b"a claim")
    reads, writes = os.pipe()
    asks, answers = os.pipe()
    child = os.fork()
    if child == 0:
        held = exports.hold_record(str(tmp_path / ".tanist/lock"), b"ec-a this-boot")
        os.write(writes, b"held" if held else b"not")
        os.read(asks, 1)
        os._exit(0)
    try:
        assert os.read(reads, 4) == b"held"
        assert export_look._look() == (b"a claim".hex(), "locked", str(os.geteuid()), "ec-a this-boot")
        assert exports.hold_record(str(tmp_path / ".tanist/lock"), b"ec-b") is None, "not waited for"
    finally:
        os.write(answers, b"x")
        os.waitpid(child, 0)
    assert export_look._look()[1:] == ("free", str(os.geteuid()), "ec-a this-boot")


def test_a_lock_has_a_note_that_can_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = exports.hold_record(str(path), b"one")
    assert held is not None
    held.renew(b"another")
    assert path.read_bytes().split() == [b"another"]
    held.close()
    with pytest.raises(OSError):
        held.renew(b"too late")
