"""The story that every kind of asset must pass (docs/design/storage.md), told on two real kernels."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from lab.controllers.install import unpack_on
from lab.vm.lab import VmLab
from tests.vm.definitions import TREE, render_definition
from tools.build_wheel import wheel

NODES = ("ec-a", "ec-b")
Kind = tuple[str, str, str, str, str]  # device, file system, layers, how a person makes it, how it is put away again
MAKE_LVM = (
    "pvcreate -qq -y {0} && vgcreate -qq ledger {0} && lvcreate -qq -y -n tree -l 100%FREE ledger; udevadm settle"
)
# what an administrator sets on both nodes: groups have owners, and nothing assembles itself (docs/design/storage.md)
NODE_SETUP = r"""
sed -i 's/^[# \t]*system_id_source = .*/\tsystem_id_source = "uname"/' /etc/lvm/lvm.conf
printf 'AUTO -all\nHOMEHOST <none>\n' >/etc/mdadm/mdadm.conf
lvm systemid
"""
WRITER = f"n=0; while :; do n=$((n+1)); echo $n >>{TREE}/acked && sync {TREE}/acked && echo $n; done"


def install(lab: VmLab) -> None:
    for node in NODES:
        unpack_on(lab, node, wheel())
        lab.push(node, Path(__file__).with_name("on_machine.py"), "/root/on_machine.py")
        lab.exec(node, ["sh", "-c", NODE_SETUP], check=True)


class Pair:
    """Two machines with tanist, and one kind of asset."""

    def __init__(self, lab: VmLab, kind: Kind) -> None:
        self.lab = lab
        self.device, self.fstype, layers, self.make, self.put_away = kind
        # without a log to replay, nothing tells a btrfs at work from one that was unmounted
        self.at_rest = "unknown" if self.fstype in ("btrfs", "nfs4") else "clean"
        # that an export is mounted here says nothing of the other node, which may have it too
        self.at_home = "unknown" if self.fstype == "nfs4" else "in-use"
        self.guarded = self.make.startswith("mkfs.ext4") or "multihost=on" in self.make
        for node in NODES:
            definition = render_definition(self.device, self.fstype, layers=layers).encode()
            lab.exec(node, ["sh", "-c", "cat >/root/ledger.toml"], input=definition, check=True)

    def sh(self, node: str, script: str, timeout: float = 180) -> str:
        return self.lab.exec(node, ["sh", "-c", script], check=True, timeout=timeout).stdout.decode().strip()

    def try_(self, node: str, verb: str, *words: str) -> tuple[int, str]:
        argv = ["/opt/tanist/bin/python", "/root/on_machine.py", "/root/ledger.toml", verb, *words]
        done = self.lab.exec(node, argv, timeout=240)
        return done.returncode, (done.stdout + done.stderr).decode().strip()

    def do(self, node: str, verb: str, *words: str) -> Any:
        """On a computer that has no time for its machines a filer is taken for one that is away: then once more."""
        said = ""
        for _ in range(6 if self.fstype == "nfs4" else 1):
            status, said = self.try_(node, verb, *words)
            assert status == 0, f"{verb} on {node}: {said}"
            if "its filer gave no answer within" not in said:
                break
        return json.loads(said.splitlines()[-1])

    def state(self, node: str) -> str:
        found = self.do(node, "state")
        return str(found.get("state", found))


def tell_story(pair: Pair) -> None:
    """Each kind keeps the contract on two kernels: acquired, seen, refused, released, given back, cut, taken, inert."""
    lab = pair.lab
    state = pair.do("ec-b", "state")
    assert state.get("state") == pair.at_rest, f"seen by the other kernel, put together by nobody: {state}"

    # acquire, twice: the second finds everything done
    assert all(pair.do("ec-a", "acquire"))
    assert all(pair.do("ec-a", "acquire"))
    pair.do("ec-a", "mark", "ec-a", "7")
    assert pair.state("ec-a") == pair.at_home
    expected = {"in-use"} if pair.guarded else {"dirty", "unknown"}
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
    assert pair.state("ec-b") == pair.at_rest
    assert all(pair.do("ec-b", "acquire"))
    assert pair.sh("ec-b", f"cat {TREE}/file") == "one"
    claim = pair.do("ec-a", "claim")
    assert claim.get("epoch") == 7, claim
    pair.do("ec-b", "release")
    pair.do("ec-a", "acquire")

    # power cut under load: what was acknowledged is there, the journal is replayed, the dead node boots inert
    acknowledged = cut_while_writing(pair.lab)
    assert pair.state("ec-b") in ({"dirty", "unknown"} if pair.fstype in ("btrfs", "nfs4") else {"dirty"})
    lab.boot("ec-a", wait=False)
    assert all(pair.do("ec-b", "acquire"))
    kept = [int(line) for line in pair.sh("ec-b", f"cat {TREE}/acked").split()]
    assert kept[: len(acknowledged)] == acknowledged
    assert pair.sh("ec-b", f"cat {TREE}/file") == "one"
    lab.wait_booted("ec-a")
    up = pair.do("ec-a", "look")
    assert not any(up), "an ex-owner boots inert"
    pair.do("ec-b", "release")


def cut_while_writing(lab: VmLab, script: str = WRITER, first: int = 20) -> list[int]:
    """The numbers that the writer on ec-a was told are on the disk, up to the cut, which comes after the `first`."""
    argv = lab.enter_argv("ec-a", ["sh", "-c", script])
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(first)]
        lab.cut("ec-a")
        seen += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    return seen
