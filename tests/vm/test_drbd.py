"""A pair without a shared disk on two real kernels: each node has a disk of its own, and DRBD copies between them.

One story, in the order of the tests: each begins where the copies follow each other and nobody has the tree.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.controllers.install import unpack_on
from lab.run import wait_until
from lab.vm.lab import VmLab
from tanist.model.codec import decode
from tanist.model.replica import Generations, ReplicaReadout
from tanist.plan.replica import explain_apart
from tests.seeds import among_all, in_turn
from tests.vm.contract import cut_while_writing
from tests.vm.definitions import TREE, render_definition
from tests.vm.typed import LONG, on_both, put, tell_typed
from tools.build_wheel import wheel

pytestmark = in_turn(2)
NODES = ("ec-a", "ec-b")
LAYER = '[[asset.layer]]\nkind = "drbd"\nresource = "r0"\ndevice = "/dev/drbd0"\n'
# as small as may be: after a crash of its owner all of it is copied anew, at a few MiB a second in these machines
RESOURCE = """
resource r0 {
  device /dev/drbd0;
  disk /dev/local0;
  meta-disk internal;
  disk { size 32M; c-min-rate 0; }
  net { protocol C; ping-int 3; connect-int 3; }
  floating 10.88.0.11:7788;
  floating 10.88.0.12:7788;
}
"""
PREPARE = """
set -e
drbdadm create-md --force r0
systemctl -q enable drbd@r0.target
systemctl start drbd@r0.target
sync
"""
# both are blank: nothing needs to be copied (drbdsetup(8), new-current-uuid)
MAKE = """
set -e
until drbdadm cstate r0 | grep -q Connected; do sleep 0.5; done
drbdadm new-current-uuid --clear-bitmap r0
drbdsetup primary 0
mkfs.ext4 -q -F /dev/drbd0
drbdsetup secondary 0
"""


class Pair:
    def __init__(self, lab: VmLab) -> None:
        self.lab = lab

    def sh(self, node: str, script: str) -> str:
        return self.lab.exec(node, ["sh", "-c", script], check=True, timeout=LONG).stdout.decode().strip()

    def try_(self, node: str, verb: str, *words: str) -> tuple[int, str]:
        argv = ["/opt/tanist/bin/python", "/root/on_replica.py", "/root/ledger.toml", node, verb, *words]
        done = self.lab.exec(node, argv, timeout=LONG)
        return done.returncode, (done.stdout + done.stderr).decode().strip()

    def do(self, node: str, verb: str, *words: str) -> Any:
        status, said = self.try_(node, verb, *words)
        assert status == 0, f"{verb} on {node}: {said}"
        return json.loads(said.splitlines()[-1])

    def refused(self, node: str, verb: str, *words: str) -> str:
        status, said = self.try_(node, verb, *words)
        assert status == 1, f"{verb} on {node}: {said}"
        return said

    def state(self, node: str) -> str:
        return str(self.do(node, "state").get("state"))

    def readout(self, node: str) -> ReplicaReadout:
        return decode(ReplicaReadout, self.do(node, "readout"))

    def states(self, node: str) -> str:
        return self.sh(node, "echo $(drbdadm cstate r0) $(drbdadm role r0) $(drbdadm dstate r0)")

    def wait(self, node: str, states: str) -> None:
        wait_until(f"{node}: {states}", lambda: states in self.states(node), timeout=LONG, pause=0.5)

    def settle(self) -> None:
        """The copies follow each other, and nobody has the tree."""
        on_both(lambda node: self.do(node, "release"))
        for node in NODES:
            self.wait(node, "Connected Secondary/Secondary UpToDate/UpToDate")


def prepare_resource(lab: VmLab, node: str) -> None:
    put(lab, node, "/etc/drbd.d/r0.res", RESOURCE)
    lab.exec(node, ["sh", "-c", PREPARE], check=True, timeout=LONG)


@pytest.fixture(scope="module")
def pair(lab: VmLab) -> Pair:
    made, built = Pair(lab), wheel()
    definition = render_definition("/dev/drbd0", "ext4", layers=LAYER)

    def prepare(node: str) -> None:
        unpack_on(lab, node, built)
        lab.push(node, Path(__file__).with_name("on_replica.py"), "/root/on_replica.py")
        put(lab, node, "/root/ledger.toml", definition)
        prepare_resource(lab, node)

    on_both(prepare)
    made.sh("ec-a", MAKE)
    return made


@pytest.mark.requirement("A14", "A15")
def test_two_copies_keep_the_contract(pair: Pair) -> None:
    assert [pair.state(node) for node in NODES] == ["clean", "clean"], "seen on both disks, promoted by nobody"
    assert pair.do("ec-a", "settings") == []

    assert all(pair.do("ec-a", "acquire"))
    assert all(pair.do("ec-a", "acquire"))
    pair.do("ec-a", "mark")
    pair.sh("ec-a", f"echo one >{TREE}/file; sync")
    assert pair.state("ec-a") == "in-use"
    assert pair.state("ec-b") in ("dirty", "unknown"), "never clean while the other node writes"
    assert pair.do("ec-b", "claim")["node"] == "ec-a", "its claim is read from this node's own disk"

    # two owners: the kernel of the one that answers refuses
    assert "Multiple primaries not allowed by config" in pair.refused("ec-b", "acquire")

    # busy: in the tree, and below it on the device, by name
    pair.sh("ec-a", f"cd {TREE} && setsid sleep 4711 </dev/null >/dev/null 2>&1 &")
    assert "sleep (process" in pair.refused("ec-a", "release")
    pair.sh("ec-a", "pkill -f '^sleep 4711'; setsid sleep 4712 </dev/drbd0 >/dev/null 2>&1 &")
    said = pair.refused("ec-a", "release")
    assert "Device is held open by someone" in said and "open in process" in said
    pair.sh("ec-a", "pkill -f '^sleep 4712'")

    assert not any(pair.do("ec-a", "release"))
    assert not any(pair.do("ec-a", "release"))
    assert pair.state("ec-b") == "clean"
    assert all(pair.do("ec-b", "acquire"))
    assert pair.sh("ec-b", f"cat {TREE}/file") == "one"
    assert pair.do("ec-a", "claim")["epoch"] == 1
    pair.do("ec-b", "release")


@pytest.mark.requirement("A61")
def test_a_dead_owner_s_writes_are_on_the_other_copy_and_its_own_claim_starts_nothing(pair: Pair) -> None:
    pair.settle()
    pair.do("ec-a", "acquire")
    acknowledged = cut_while_writing(pair.lab)
    assert all(pair.do("ec-b", "take")), "promoted without the other one"
    kept = [int(line) for line in pair.sh("ec-b", f"cat {TREE}/acked").split()]
    assert kept[: len(acknowledged)] == acknowledged
    pair.do("ec-b", "hold", "2")

    # it comes back cut off: by its own disk it is the owner still
    pair.lab.isolate("ec-b")
    pair.lab.boot("ec-a")
    pair.wait("ec-a", "WFConnection Secondary/Unknown UpToDate/DUnknown")
    seen = pair.do("ec-a", "seen")
    assert (seen["claim"]["node"], seen["claim"]["epoch"], seen["claim"]["state"]) == ("ec-a", 1, "held")
    assert "does not follow the other one" in pair.do("ec-a", "claim")["why"]
    assert pair.state("ec-a") == "unknown"
    assert "may be old; it is not promoted" in pair.refused("ec-a", "acquire")
    said = pair.refused("ec-a", "boot")
    assert "ec-b may have taken over since" in said and "tanist release ledger" in said
    assert not any(pair.do("ec-a", "look"))
    assert "Secondary" in pair.sh("ec-a", "drbdadm role r0").partition("/")[0]

    # connected, it is the one that is brought up to date, and reads the new owner's claim
    pair.lab.join("ec-b")
    pair.wait("ec-a", "Connected Secondary/Primary UpToDate/UpToDate")
    assert (pair.do("ec-a", "claim")["node"], pair.do("ec-a", "claim")["epoch"]) == ("ec-b", 2)


@pytest.mark.requirement("A18")
def test_a_split_brain_is_found_and_explained_and_nothing_is_resolved(pair: Pair) -> None:
    pair.settle()
    pair.do("ec-b", "acquire")
    pair.lab.isolate("ec-a")
    for node in NODES:
        pair.wait(node, "WFConnection")
    pair.sh("ec-b", f"echo on ec-b >{TREE}/which; sync")
    # a person who is wrong, with DRBD's own commands
    pair.sh("ec-a", f"drbdsetup primary 0; mount /dev/drbd0 {TREE}; echo on ec-a >{TREE}/which; sync; umount {TREE}")
    pair.sh("ec-a", "drbdsetup secondary 0")
    pair.lab.join("ec-a")
    for node in NODES:
        pair.wait(node, "StandAlone")
    one, other = (pair.readout(node) for node in NODES)
    assert isinstance(one.generations, Generations) and isinstance(other.generations, Generations)
    assert one.generations.compare(other.generations) == "apart"
    assert one.lost and other.lost, "since when, by each kernel's log"
    for verb in ("alone", "take", "acquire"):
        assert "StandAlone" in pair.refused("ec-a", verb)
    assert pair.state("ec-a") == "unknown"
    assert [pair.states(node).split()[:2] for node in NODES] == [
        ["StandAlone", "Secondary/Unknown"],
        ["StandAlone", "Primary/Unknown"],
    ]
    assert pair.sh("ec-b", f"cat {TREE}/which") == "on ec-b"

    # what is told to be typed for the second choice, typed
    choice = explain_apart("r0", ("ec-a", "ec-b")).rpartition("on ec-a: ")[2].rstrip(")")
    throw, _, then = choice.partition("   then on ec-b: ")
    pair.sh("ec-a", throw.replace("drbdadm disconnect r0;", "drbdadm disconnect r0 2>/dev/null;"))
    pair.sh("ec-b", then)
    pair.wait("ec-a", "Connected Secondary/Primary UpToDate/UpToDate")
    assert pair.sh("ec-b", f"cat {TREE}/which") == "on ec-b"


def test_a_copy_that_is_behind_is_never_promoted(pair: Pair) -> None:
    pair.settle()
    for make, word in (("drbdadm outdate r0", "Outdated"), ("drbdadm invalidate r0", "Inconsistent")):
        pair.sh("ec-a", f"drbdadm disconnect r0; {make}")
        for verb in ("alone", "take", "acquire"):
            assert word in pair.refused("ec-a", verb)
        assert pair.states("ec-a") == f"StandAlone Secondary/Unknown {word}/DUnknown"
        pair.sh("ec-a", "drbdadm connect r0")
        pair.sh("ec-b", "drbdadm connect r0 2>/dev/null || true")
        pair.wait("ec-a", "Connected Secondary/Secondary UpToDate/UpToDate")
    assert all(pair.do("ec-a", "acquire")), "and whole again it is"
    pair.do("ec-a", "release")


@pytest.mark.requirement("A14", "A15", "A61")
@among_all()
def test_copies_are_released_and_taken_over_by_commands_and_grow(pair: Pair, tmp_path: Path) -> None:
    pair.settle()
    pair.sh("ec-a", "drbdsetup primary 0; mkfs.ext4 -q -F /dev/drbd0; drbdsetup secondary 0")
    typed = tell_typed(pair.lab, tmp_path, render_definition("/dev/drbd0", "ext4", layers=LAYER))
    pair.wait("ec-a", "Primary/Secondary UpToDate/UpToDate")
    runs = [json.loads(line) for line in typed.tanist("ec-a", "history", "--json").splitlines()]
    last = [one for one in runs if one["kind"] == "takeover"][-1]  # ec-b's release, at its boot, may be there by now
    assert (last["node"], last["attested"]) == ("ec-a", "its lamps are out"), last

    assert "nothing to grow" in typed.tanist("ec-a", "storage grow", "--dry-run", status=1)
    for node, has in (("ec-a", "32 MiB"), ("ec-b", "112 MiB")):
        pair.sh(node, "sed -i 's/size 32M/size 112M/' /etc/drbd.d/r0.res")
        said = typed.tanist("ec-a", "storage grow", "--dry-run", status=1 if node == "ec-a" else 0)
        assert f"ec-a has room for /dev/drbd0: 112 MiB\n  ec-b has room for /dev/drbd0: {has}" in said, said
    said = typed.tanist("ec-a", "storage grow", "--confirm", "ledger")
    assert "until the other copy has the new part" in said, said
    assert int(pair.sh("ec-a", f"df -B1 --output=size {TREE} | tail -1")) > 80 << 20
    pair.wait("ec-a", "Connected Primary/Secondary UpToDate/UpToDate")
    typed.tanist("ec-a", "release")
    typed.take_over("ec-b")
    assert int(pair.sh("ec-b", f"df -B1 --output=size {TREE} | tail -1")) > 80 << 20
