"""Files with holes: only their data is stored, and the holes come back; tar makes the same of them."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tanist.capture.restore import compare_path, restore_path
from tanist.capture.store import save_store, verify_store
from tanist.host.fake import FakeHost
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.trees import snapshot

PG, MIB = "/etc/pg", 1 << 20
SHAPES = {
    "hole at the end": (8 * MIB, {0: b"head"}),
    "hole at the start": (8 * MIB, {8 * MIB - 4096: b"x" * 4096}),
    "nothing but a hole": (8 * MIB, {}),
    "several": (20 * MIB, {MIB: b"one", 5 * MIB: b"t" * 70_000, 19 * MIB: b"three"}),
}


@pytest.mark.requirement("A34")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_sparse_file_stays_sparse(host: FakeHost, tmp_path: Path, shape: str) -> None:
    size, data = SHAPES[shape]
    top = Path(host.root + PG)
    top.mkdir()
    with (top / "s").open("wb") as file:
        file.truncate(size)
        for at, text in data.items():
            file.seek(at)
            file.write(text)
    before, blocks = snapshot(top), (top / "s").stat().st_blocks
    save_store(host, "/store", (PG,), ABOUT)
    verify_store(host, "/store")
    content = Path(host.root + "/store/files.tar")
    assert content.stat().st_size < MIB
    with tarfile.open(content) as tar:
        assert [one.size for one in tar.getmembers() if one.isreg()] == [size]
    subprocess.run(["tar", "-C", tmp_path, "--numeric-owner", "-xpf", content], check=True, capture_output=True)
    assert snapshot(tmp_path / "etc/pg") == before
    host.files.remove_tree(PG)
    restore_path(host, "/store", PG)
    assert snapshot(top) == before
    assert (top / "s").stat().st_blocks <= blocks
    assert compare_path(host, "/store", PG) == ()
    with (top / "s").open("r+b") as file:
        file.seek(3 * MIB)
        file.write(b"where there was a hole")
    os.utime(top / "s", ns=(0, before["s"][1].mtime_ns))
    assert compare_path(host, "/store", PG) == (f"{PG}/s has other content",)
