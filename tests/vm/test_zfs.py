"""ZFS on two real kernels: the contract of docs/design/storage.md, and what a pool needs beyond it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabRefused
from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from lab.vm.zfs import install_zfs
from tests.seeds import among_all, in_turn
from tests.vm.contract import NODES, Kind, Pair, install, tell_story
from tests.vm.definitions import TREE, render_definition
from tests.vm.typed import tell_typed

pytestmark = in_turn(0)
DISKS = tuple(disk.by_id for disk in SHARED[:2])
PARTS = tuple(f"{disk}-part1" for disk in DISKS)
LARGER = 1536 << 20  # bytes
NAMED = ", ".join(f'"{part}"' for part in PARTS)
LAYER = f'[[asset.layer]]\nkind = "zfs"\ndataset = "ledger/tree"\ndevices = [{NAMED}]\n'
MAKE = (
    f"zpool create -f -o cachefile=none -o multihost=on -O mountpoint=none ledger mirror {' '.join(PARTS)} && "
    "zfs create -o mountpoint=legacy ledger/tree"
)
MIRROR: Kind = ("ledger/tree", "zfs", LAYER, MAKE, "zpool export ledger")


def partition(lab: VmLab) -> None:
    """And what reads pools on both nodes. LabRefused where it can't be built."""
    install_zfs(lab, *NODES)
    for disk in DISKS:
        script = f"echo 'start=2048, type=6A898CC3-1DD2-11B2-99A6-080020736631' | sfdisk -q --label gpt {disk}"
        for node, one in (("ec-a", script), ("ec-b", f"blockdev --rereadpt {disk}")):
            lab.exec(node, ["sh", "-c", f"{one}; udevadm settle"], check=True)


@pytest.fixture(scope="module")
def pair(lab: VmLab) -> Pair:
    try:
        partition(lab)
    except LabRefused as refused:
        pytest.skip(str(refused))
    install(lab)
    made = Pair(lab, MIRROR)
    made.sh("ec-a", f"{made.make}; {made.put_away}")
    return made


@pytest.mark.requirement("A14", "A15", "A61")
def test_a_pool_keeps_the_contract_on_two_kernels(pair: Pair) -> None:
    tell_story(pair)


def test_a_pool_is_never_taken_from_the_living_and_a_claim_outlives_a_cut(pair: Pair) -> None:
    pair.do("ec-a", "acquire")
    status, said = pair.try_("ec-b", "acquire")
    assert status == 1
    assert "imported on host 'ec-a'" in said, "by multihost"

    pair.sh("ec-a", "zpool set multihost=off ledger")
    pair.sh("ec-a", f"setsid sh -c 'while :; do date >{TREE}/at; sync; sleep 1; done' </dev/null >/dev/null 2>&1 &")
    status, said = pair.try_("ec-b", "acquire")
    assert status == 1
    assert "writes to ledger: it is imported there" in said, "by what it writes"
    pair.sh("ec-a", "zpool set multihost=on ledger")

    pair.do("ec-a", "mark", "ec-a", "7")
    pair.do("ec-a", "raise", "ec-a", "8")
    pair.lab.cut("ec-a")
    assert pair.do("ec-b", "claim")["epoch"] == 8
    assert all(pair.do("ec-b", "acquire"))
    assert pair.sh("ec-b", f"cat {TREE}/at"), "and so does the tree"
    pair.do("ec-b", "release")


@pytest.mark.requirement("A14", "A15", "A61")
@among_all()
def test_a_pool_is_released_and_taken_over_by_commands_and_grows(pair: Pair, tmp_path: Path) -> None:
    pair.lab.up(("ec-a",))
    pair.sh("ec-a", f"zpool labelclear -f {PARTS[0]}; zpool labelclear -f {PARTS[1]}; {MAKE}; zpool export ledger")
    typed = tell_typed(pair.lab, tmp_path, render_definition("ledger/tree", "zfs", layers=LAYER))

    before = capacity(pair)
    for node in NODES:
        for disk, shared in zip(DISKS, SHARED, strict=False):
            pair.lab.disk_grow(node, shared.name, LARGER)
            pair.sh(node, f"echo 1 >/sys/class/block/$(basename $(realpath {disk}))/device/rescan")
    assert "nothing to grow" in typed.tanist("ec-a", "storage grow", "--dry-run", status=1)
    for disk in DISKS:
        pair.sh("ec-a", f"echo ', +' | sfdisk -q -N 1 --no-reread --force {disk}; partx -u {disk}")
    assert "a node that does not see its new size" in typed.tanist("ec-a", "storage grow", "--dry-run", status=1)
    for disk in DISKS:
        pair.sh("ec-b", f"partx -u {disk}")
    said = typed.tanist("ec-a", "storage grow", "--confirm", "ledger")
    assert "grow the pool ledger" in said, said
    assert capacity(pair) > before + (256 << 20)
    assert "nothing to grow" in typed.tanist("ec-a", "storage grow", "--dry-run", status=1)
    typed.tanist("ec-a", "release")
    typed.take_over("ec-b")


def capacity(pair: Pair) -> int:
    """Bytes, as ZFS tells."""
    return int(pair.sh("ec-a", "zpool list -H -p -o size ledger"))
