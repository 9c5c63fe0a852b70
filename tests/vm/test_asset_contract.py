"""The contract of docs/design/storage.md, for every kind of asset, on two real kernels."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.controllers.install import unpack_on
from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from tests.vm.definitions import TREE, render_definition
from tools.build_wheel import wheel

ASSET0, ASSET1 = (disk.by_id for disk in SHARED[:2])
UUID = "01234567:89abcdef:01234567:89abcdef"
MD = f'[[asset.layer]]\nkind = "md"\ndevice = "/dev/md/ledger"\nuuid = "{UUID}"\nmembers = ["{ASSET0}", "{ASSET1}"]\n'
LVM = '[[asset.layer]]\nkind = "lvm"\ngroup = "ledger"\nvolume = "tree"\n'
MAKE_MD = (
    f"mdadm --create /dev/md/ledger --run --level=1 --raid-devices=2 --uuid={UUID} --assume-clean --homehost=none "
    f"{ASSET0} {ASSET1} 2>&1; udevadm settle"
)
MAKE_LVM = (
    "pvcreate -qq -y {0} && vgcreate -qq ledger {0} && lvcreate -qq -y -n tree -l 100%FREE ledger; udevadm settle"
)
# kind -> device, file system, layers, how a person makes it, how it is put away again
KINDS = {
    "ext4": (ASSET0, "ext4", "", "mkfs.ext4 -q -F -O mmp -E mmp_update_interval=1 {device}", "true"),
    "xfs": (ASSET0, "xfs", "", "mkfs.xfs -q -f {device}", "true"),
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
# what an administrator sets on both nodes: groups have owners, and nothing assembles itself (docs/design/storage.md)
NODE_SETUP = r"""
sed -i 's/^[# \t]*system_id_source = .*/\tsystem_id_source = "uname"/' /etc/lvm/lvm.conf
printf 'AUTO -all\nHOMEHOST <none>\n' >/etc/mdadm/mdadm.conf
lvm systemid
"""
WRITER = f"n=0; while :; do n=$((n+1)); echo $n >>{TREE}/acked && sync {TREE}/acked && echo $n; done"


class Pair:
    """Two machines with tanist, and one kind of asset."""

    def __init__(self, lab: VmLab, kind: str) -> None:
        self.lab = lab
        self.device, self.fstype, layers, self.make, self.put_away = KINDS[kind]
        self.definition = render_definition(self.device, self.fstype, layers=layers)

    def sh(self, node: str, script: str, timeout: float = 180) -> str:
        return self.lab.exec(node, ["sh", "-c", script], check=True, timeout=timeout).stdout.decode().strip()

    def try_(self, node: str, verb: str, *words: str) -> tuple[int, str]:
        argv = ["/opt/tanist/bin/python", "/root/on_machine.py", "/root/ledger.toml", verb, *words]
        done = self.lab.exec(node, argv, timeout=240)
        return done.returncode, (done.stdout + done.stderr).decode().strip()

    def do(self, node: str, verb: str, *words: str) -> Any:
        status, said = self.try_(node, verb, *words)
        assert status == 0, f"{verb} on {node}: {said}"
        return json.loads(said.splitlines()[-1])

    def state(self, node: str) -> str:
        found = self.do(node, "state")
        return str(found.get("state", found))


@pytest.fixture(scope="module")
def installed(lab: VmLab) -> VmLab:
    for node in ("ec-a", "ec-b"):
        unpack_on(lab, node, wheel())
        lab.push(node, Path(__file__).with_name("on_machine.py"), "/root/on_machine.py")
        lab.exec(node, ["sh", "-c", NODE_SETUP], check=True)
    return lab


@pytest.fixture(params=list(KINDS))
def pair(installed: VmLab, request: pytest.FixtureRequest) -> Pair:
    made = Pair(installed, request.param)
    for node in ("ec-a", "ec-b"):
        installed.exec(node, ["sh", "-c", "cat >/root/ledger.toml"], input=made.definition.encode(), check=True)
    made.sh("ec-a", f"wipefs -q -a -f {ASSET0} {ASSET1}; {made.make.format(device=made.device)}; {made.put_away}; sync")
    return made


@pytest.mark.requirement("A14", "A15", "A61")
def test_each_kind_keeps_the_contract_on_two_kernels(pair: Pair) -> None:
    lab = pair.lab
    assert pair.state("ec-b") == "clean", "seen by the other kernel, put together by nobody"

    # acquire, twice: the second finds everything done
    assert all(pair.do("ec-a", "acquire"))
    assert all(pair.do("ec-a", "acquire"))
    pair.do("ec-a", "mark", "ec-a", "7")
    assert pair.state("ec-a") == "in-use"
    expected = {"in-use"} if pair.make.startswith("mkfs.ext4") else {"dirty", "unknown"}
    pair.sh("ec-a", f"echo one >{TREE}/file; sync")
    assert pair.state("ec-b") in expected, "never clean while the other kernel writes"
    assert pair.do("ec-b", "claim")["node"] == "ec-a", "and its claim can be read, nothing put together"

    # busy on release: named, and nothing is let go
    pair.sh("ec-a", f"cd {TREE} && setsid sleep 4711 </dev/null >/dev/null 2>&1 &")
    status, said = pair.try_("ec-a", "release")
    assert status == 1
    assert "sleep (process" in said
    assert pair.sh("ec-a", f"cat {TREE}/file") == "one"
    pair.sh("ec-a", "pkill -f '^sleep 4711'")

    # released cleanly, taken by the other, and back
    assert not any(pair.do("ec-a", "release"))
    assert not any(pair.do("ec-a", "release"))
    assert pair.state("ec-b") == "clean"
    assert all(pair.do("ec-b", "acquire"))
    assert pair.sh("ec-b", f"cat {TREE}/file") == "one"
    assert pair.do("ec-a", "claim")["epoch"] == 7
    pair.do("ec-b", "release")
    pair.do("ec-a", "acquire")

    # power cut under load: what was acknowledged is there, the journal is replayed, the dead node boots inert
    acknowledged = cut_while_writing(pair)
    assert pair.state("ec-b") == "dirty"
    lab.boot("ec-a", wait=False)
    assert all(pair.do("ec-b", "acquire"))
    kept = [int(line) for line in pair.sh("ec-b", f"cat {TREE}/acked").split()]
    assert kept[: len(acknowledged)] == acknowledged
    assert pair.sh("ec-b", f"cat {TREE}/file") == "one"
    lab.wait_booted("ec-a")
    up = pair.do("ec-a", "look")
    assert not any(up), "an ex-owner boots inert"
    pair.do("ec-b", "release")


def cut_while_writing(pair: Pair) -> list[int]:
    """The numbers that the writer was told are on the disk, up to the cut."""
    argv = pair.lab.enter_argv("ec-a", ["sh", "-c", WRITER])
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(20)]
        pair.lab.cut("ec-a")
        seen += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    return seen
