"""Mount guards, as `tanist proofs` tells them: what is there is read from the disk, and none of it proves anything."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from tanist.facts.lvm import read_guards
from tanist.host.local import LocalHost
from tanist.model.layers import LvmLayer
from tanist.runs.finding import Finding
from tanist.runs.guards import find_guard

CASES = Path(__file__).parents[1] / "facts" / "layers" / "cases"
DATA = 2 << 20  # where the mirror's data begins, which is a physical volume


@pytest.fixture(scope="module")
def volume() -> bytes:
    return lzma.decompress((CASES / "xfs-on-lvm-on-md.img.xz").read_bytes())[DATA:]


def layer(disk: Path | str) -> LvmLayer:
    return LvmLayer(group="ledger", volume="tree", disk=str(disk))


def guard_of(layer: LvmLayer) -> Finding:
    (found,) = map(find_guard, read_guards(LocalHost(), layer))
    return found


def test_a_group_tells_whose_it_is_and_that_this_is_no_proof(volume: bytes, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(volume)
    found = guard_of(layer(disk))
    assert (found.about, found.state) == ("ledger", "ready")
    assert "LVM system id ec-a" in found.detail and found.strength.startswith("no proof")


@pytest.mark.parametrize(("what", "state"), [("zeros", "fails"), ("gone", "fails"), ("above", "not set up")])
def test_a_group_that_cannot_be_read_is_no_guard(tmp_path: Path, what: str, state: str) -> None:
    disk = tmp_path / "disk"
    if what == "zeros":
        disk.write_bytes(bytes(1 << 20))
    found = guard_of(layer("" if what == "above" else disk))
    assert found.state == state and found.detail
