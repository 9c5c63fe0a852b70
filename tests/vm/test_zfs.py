"""ZFS on two real kernels: the contract of docs/design/storage.md, and what a pool needs beyond it."""

from __future__ import annotations

import pytest

from lab.errors import LabRefused
from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from lab.vm.zfs import install_zfs
from tests.vm.contract import NODES, Kind, Pair, install, tell_story

DISKS = tuple(disk.by_id for disk in SHARED[:2])
PARTS = tuple(f"{disk}-part1" for disk in DISKS)
NAMED = ", ".join(f'"{part}"' for part in PARTS)
LAYER = f'[[asset.layer]]\nkind = "zfs"\ndataset = "ledger/tree"\ndevices = [{NAMED}]\n'
MAKE = (
    f"zpool create -f -o cachefile=none -o multihost=on -O mountpoint=none ledger mirror {' '.join(PARTS)} && "
    "zfs create -o mountpoint=legacy ledger/tree"
)
MIRROR: Kind = ("ledger/tree", "zfs", LAYER, MAKE, "zpool export ledger")


@pytest.fixture(scope="module")
def pair(lab: VmLab) -> Pair:
    try:
        install_zfs(lab, *NODES)
    except LabRefused as refused:
        pytest.skip(str(refused))
    install(lab)
    made = Pair(lab, MIRROR)
    for disk in DISKS:
        made.sh("ec-a", f"echo 'start=2048, type=6A898CC3-1DD2-11B2-99A6-080020736631' | sfdisk -q --label gpt {disk}")
        made.sh("ec-b", f"blockdev --rereadpt {disk}; udevadm settle")
    made.sh("ec-a", f"udevadm settle; {made.make}; {made.put_away}")
    return made


@pytest.mark.requirement("A14", "A15", "A61")
def test_a_pool_keeps_the_contract_on_two_kernels(pair: Pair) -> None:
    tell_story(pair)
