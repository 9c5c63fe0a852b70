"""The contract of docs/design/storage.md, for every kind of asset, on two real kernels."""

from __future__ import annotations

import pytest

from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from tests.seeds import TURNS, in_turn
from tests.vm.contract import MAKE_LVM, Kind, Pair, install, tell_story

ASSET0, ASSET1 = (disk.by_id for disk in SHARED[:2])
UUID = "01234567:89abcdef:01234567:89abcdef"
MD = f'[[asset.layer]]\nkind = "md"\ndevice = "/dev/md/ledger"\nuuid = "{UUID}"\nmembers = ["{ASSET0}", "{ASSET1}"]\n'
LVM = '[[asset.layer]]\nkind = "lvm"\ngroup = "ledger"\nvolume = "tree"\n'
MAKE_MD = (
    f"mdadm --create /dev/md/ledger --run --level=1 --raid-devices=2 --uuid={UUID} --assume-clean --homehost=none "
    f"{ASSET0} {ASSET1} 2>&1; udevadm settle"
)
KINDS: dict[str, Kind] = {
    "ext4": (ASSET0, "ext4", "", "mkfs.ext4 -q -F -O mmp -E mmp_update_interval=1 {device}", "true"),
    "xfs": (ASSET0, "xfs", "", "mkfs.xfs -q -f {device}", "true"),
    "btrfs": (ASSET0, "btrfs", "", "mkfs.btrfs -q -f {device}", "true"),
    "btrfs on two disks": (
        ASSET0,
        "btrfs",
        f'members = ["{ASSET1}"]\n',
        f"mkfs.btrfs -q -f -d raid1 -m raid1 {{device}} {ASSET1}",
        "true",
    ),
    "xfs on lvm": (
        "/dev/ledger/tree",
        "xfs",
        f'{LVM}disk = "{ASSET0}"\n',
        MAKE_LVM.format(ASSET0) + "; mkfs.xfs -q -f {device}",
        "vgchange -qq -an ledger",
    ),
    "ext4 on md": (
        "/dev/md/ledger",
        "ext4",
        MD,
        MAKE_MD + "; mkfs.ext4 -q -F {device}",
        "mdadm --stop /dev/md/ledger",
    ),
    "xfs on lvm on md": (
        "/dev/ledger/tree",
        "xfs",
        MD + LVM,
        f"{MAKE_MD}; {MAKE_LVM.format('/dev/md/ledger')}; mkfs.xfs -q -f {{device}}",
        "vgchange -qq -an ledger; mdadm --stop /dev/md/ledger",
    ),
}


@pytest.fixture(scope="module")
def installed(lab: VmLab) -> VmLab:
    install(lab)
    return lab


# the first of them always
PARAMS = [pytest.param(kind, marks=[in_turn(n % TURNS)] if n else []) for n, kind in enumerate(KINDS)]


@pytest.fixture(params=PARAMS)
def pair(installed: VmLab, request: pytest.FixtureRequest) -> Pair:
    made = Pair(installed, KINDS[request.param])
    made.sh("ec-a", f"wipefs -q -a -f {ASSET0} {ASSET1}; {made.make.format(device=made.device)}; {made.put_away}; sync")
    return made


@pytest.mark.requirement("A14", "A15", "A61")
def test_each_kind_keeps_the_contract_on_two_kernels(pair: Pair) -> None:
    tell_story(pair)
