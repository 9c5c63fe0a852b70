"""Mount guards, as `tanist proofs` tells them: what is there is read from the disk, and none of it proves anything."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from tanist.host.local import LocalHost
from tanist.model.definition import LvmLayer
from tanist.runs.guards import find_system_id

CASES = Path(__file__).parents[1] / "facts" / "layers" / "cases"
DATA = 2 << 20  # where the mirror's data begins, which is a physical volume


@pytest.fixture(scope="module")
def volume() -> bytes:
    return lzma.decompress((CASES / "xfs-on-lvm-on-md.img.xz").read_bytes())[DATA:]


def layer(disk: Path | str) -> LvmLayer:
    return LvmLayer(group="ledger", volume="tree", disk=str(disk))


def test_a_group_tells_whose_it_is_and_that_this_is_no_proof(volume: bytes, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(volume)
    found = find_system_id(LocalHost(), layer(disk))
    assert (found.about, found.state) == ("ledger", "ready")
    assert "LVM system id ec-a" in found.detail and found.strength.startswith("no proof")


@pytest.mark.parametrize(("what", "state"), [("zeros", "fails"), ("gone", "fails"), ("above", "not set up")])
def test_a_group_that_cannot_be_read_is_no_guard(tmp_path: Path, what: str, state: str) -> None:
    disk = tmp_path / "disk"
    if what == "zeros":
        disk.write_bytes(bytes(1 << 20))
    found = find_system_id(LocalHost(), layer("" if what == "above" else disk))
    assert found.state == state and found.detail
