"""Bare disks of two real machines become an asset: planned, confirmed, made, cut off, resumed, taken back, refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controllers.install import unpack_on
from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from tests.seeds import in_turn
from tests.vm.definitions import TREE, render_definition
from tests.vm.typed import LONG, NODES, Typist, render_ssh
from tools.build_wheel import wheel

pytestmark = in_turn(0)
ASSET0, ASSET1 = (disk.by_id for disk in SHARED[:2])
SERIAL0 = "LABasset0"
UUID = "01234567:89abcdef:01234567:89abcdef"
MD = f'[[asset.layer]]\nkind = "md"\ndevice = "/dev/md/ledger"\nuuid = "{UUID}"\nmembers = ["{ASSET0}", "{ASSET1}"]\n'
LVM = '[[asset.layer]]\nkind = "lvm"\ngroup = "ledger"\nvolume = "tree"\n'
STACK = render_definition("/dev/ledger/tree", "xfs", layers=MD + LVM)
MIRROR = render_definition("/dev/md/ledger", "ext4", layers=MD)
PLAIN = render_definition(ASSET0, "ext4")
BARE = PLAIN.replace(f'kind = "filesystem"\ndevice = "{ASSET0}"\nfstype = "ext4"', 'kind = "directory"')
SETUP = r"""
sed -i 's/^[# \t]*system_id_source = .*/\tsystem_id_source = "uname"/' /etc/lvm/lvm.conf
printf 'AUTO -all\nHOMEHOST <none>\n' >/etc/mdadm/mdadm.conf
"""
JOURNALS = "/var/lib/tanist/ledger/runs"
# a run of tanist killed as soon as its journal says that it has begun a step; $1: the step, the rest: the command
KILL = f"""
step=$1; shift
setsid "$@" </dev/null >/root/said 2>&1 & pid=$!
until grep -qs '"StepBegun".*"'$step'"' {JOURNALS}/*.jsonl; do kill -0 $pid || {{ cat /root/said; exit 1; }}; done
kill -9 $pid; wait $pid; echo killed
"""


class Pair(Typist):
    def tanist(self, *words: str, status: int = 0) -> str:
        done = self.lab.exec("ec-a", ["tanist", *words], timeout=LONG)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == status, f"{words}: {done.returncode}\n{said}"
        return said

    def define(self, text: str) -> None:
        for node in NODES:
            put = "mkdir -p /etc/tanist/controllers; tee /etc/tanist/controllers/ledger.toml >/root/ledger.toml"
            self.lab.exec(node, ["sh", "-c", put], input=text.encode(), check=True)

    def on_machine(self, node: str, *words: str) -> str:
        return self.sh(node, '/opt/tanist/bin/python /root/on_machine.py /root/ledger.toml "$@"', *words)

    def expect_usable(self) -> None:
        """Clean for both kernels, assembled by none; taken by one, and by the other."""
        for node in NODES:
            assert '"state": "clean"' in self.on_machine(node, "state")
        for node in reversed(NODES):
            self.on_machine(node, "acquire")
            self.sh(node, f"date >>{TREE}/log; sync")
            self.on_machine(node, "release")
        assert self.marks_in_use() == ""

    def marks_in_use(self) -> str:
        """What is assembled on the disks, on either node."""
        return "".join(self.sh(node, f"lsblk -n -o NAME,TYPE {ASSET0} {ASSET1} | grep -v disk || :") for node in NODES)


@pytest.fixture(scope="module")
def pair(lab: VmLab) -> Iterator[Pair]:
    made = Pair(lab)
    for node in NODES:
        unpack_on(lab, node, wheel())
        lab.push(node, Path(__file__).with_name("on_machine.py"), "/root/on_machine.py")
        for path, text in render_ssh(lab).items():
            lab.exec(node, ["sh", "-c", f"cat >{path}"], input=text.encode(), check=True)
    yield made


@pytest.mark.requirement("A14", "A16", "A20", "A21", "A22")
def test_bare_disks_become_a_mirrored_volume_that_both_nodes_can_take(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.define(BARE)
    proposed = pair.tanist("storage", "plan", "ledger")
    assert f'members = ["{ASSET0}", "{ASSET1}"]' in proposed
    assert "LABlocal0" not in proposed and "lease0" not in proposed, "each node's own, and one that is too small"

    pair.define(STACK)
    lacking = pair.tanist("storage", "plan", "ledger", status=1)
    assert "in the way: ec-b: MD assembles /dev/md/ledger at boot" in lacking
    assert "in the way: ec-b: this node has no LVM system id" in lacking
    for node in NODES:
        pair.sh(node, SETUP)
    begun = time.monotonic()
    planned = pair.tanist("storage", "plan", "ledger")
    assert f"mdadm --create /dev/md/ledger --run --metadata=1.2 --level=1 --raid-devices=2 --uuid={UUID}" in planned
    looked = time.monotonic() - begun
    assert "not confirmed: nothing was written" in pair.tanist("storage", "prepare", "ledger", status=3)
    begun = time.monotonic()
    said = pair.tanist("storage", "prepare", "ledger", "--confirm", "ledger", "--reason", "new shelf")
    with capsys.disabled():
        print(f"\nplan: {looked:.1f} s, prepare of a mirrored volume: {time.monotonic() - begun:.1f} s")
    assert "every node sees /dev/ledger/tree: clean, nobody has it" in said
    pair.expect_usable()
    assert "prepare" in pair.tanist("history", "ledger")
    again = pair.tanist("storage", "prepare", "ledger", "--confirm", "ledger", status=3)
    assert f'{ASSET0}: it is not blank: linux_raid_member "none:ledger"' in again


def clean(pair: Pair) -> None:
    pair.sh(
        "ec-a", f"for d in {ASSET0} {ASSET1}; do dd if=/dev/zero of=$d bs=1M count=64 status=none oflag=direct; done"
    )
    pair.sh("ec-a", f"for d in {ASSET0} {ASSET1}; do blockdev --rereadpt $d; done; udevadm settle")


@pytest.mark.requirement("A20", "A21")
def test_a_disk_with_something_on_it_goes_only_by_its_serial_number_and_never_in_use(pair: Pair) -> None:
    clean(pair)
    pair.define(PLAIN)
    pair.sh(
        "ec-a", f"mkfs.ext4 -q -F -L foreign {ASSET0} 200M; mount {ASSET0} /mnt; echo theirs >/mnt/file; umount /mnt"
    )
    refused = pair.tanist("storage", "prepare", "ledger", "--confirm", "ledger", status=3)
    assert 'it is not blank: ext4 "foreign"' in refused
    wrong = pair.tanist("storage", "prepare", "ledger", "--confirm", "ledger", "--erase", "LABasset1", status=3)
    assert "--erase LABasset1: no disk of this asset has that serial number" in wrong

    erase = ("storage", "prepare", "ledger", "--confirm", "ledger", "--erase", SERIAL0)
    pair.sh("ec-b", f"mount {ASSET0} /mnt")
    assert "in use on ec-b: sda is mounted at /mnt" in pair.tanist(*erase, status=3)
    pair.sh("ec-b", "grep theirs /mnt/file; umount /mnt")
    # mounted where the node itself does not see it: the kernel refuses the disk
    pair.sh(
        "ec-b",
        "setsid unshare -m sh -c 'mount $1 /mnt; touch /run/on; sleep 600' sh $1 >/run/said 2>&1 & echo $! >/run/pid",
        ASSET0,
    )
    pair.sh("ec-b", "until [ -e /run/on ]; do sleep 0.1; done")
    assert "the kernel lets nobody have it alone" in pair.tanist(*erase, status=3)
    pair.sh("ec-b", "kill -9 -- -$(cat /run/pid); while pgrep -x sleep; do sleep 0.1; done")
    pair.sh("ec-a", f"mount {ASSET0} /mnt; grep theirs /mnt/file; umount /mnt")

    said = pair.tanist(*erase)
    assert f"every node sees {ASSET0}: clean, nobody has it" in said
    features = pair.sh("ec-a", f"dumpe2fs -h {ASSET0} 2>/dev/null")
    assert "mmp" in features and "MMP update interval:      1" in features
    pair.expect_usable()


@pytest.mark.requirement("A20", "A38")
def test_a_run_that_was_killed_is_resumed_to_the_same_end_or_taken_back(pair: Pair) -> None:
    clean(pair)
    for node in NODES:
        pair.sh(node, SETUP)
    pair.define(MIRROR)
    prepare = ("tanist", "storage", "prepare", "ledger", "--confirm", "ledger")
    assert pair.sh("ec-a", KILL, "prepare.6", *prepare).endswith("killed")
    pair.tanist("storage", "prepare", "ledger", "--confirm", "ledger", status=3)
    assert "what was on the disks before stays erased" in pair.tanist("undo", "ledger")
    assert pair.marks_in_use() == ""
    assert pair.sh("ec-a", f"wipefs -p {ASSET0} {ASSET1}") == ""

    assert pair.sh("ec-a", KILL, "prepare.2", *prepare).endswith("killed")
    assert pair.sh("ec-a", KILL, "prepare.4", "tanist", "resume", "ledger").endswith("killed")
    # somebody takes a disk of the half-made asset on the other node: nothing goes on
    pair.sh("ec-b", f"mkswap {ASSET1} >/dev/null; swapon {ASSET1}")
    assert "is swap space" in pair.tanist("resume", "ledger", status=8)
    pair.sh("ec-b", f"swapoff {ASSET1}; wipefs -q -a {ASSET1}")
    said = pair.tanist("resume", "ledger")
    assert "every node sees /dev/md/ledger: clean, nobody has it" in said
    pair.expect_usable()
