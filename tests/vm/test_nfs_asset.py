"""A tree on a filer, on two real kernels and a third one that exports it: the contract of docs/design/storage.md, and
what an export needs beyond it. The lock of the owner's watch, looks at a filer that is away, a takeover whose proof is
power alone.
"""

from __future__ import annotations

import json
import time

import pytest

from lab.run import wait_until
from lab.vm.lab import VmLab
from lab.vm.layout import vm_spec
from tests.seeds import in_turn
from tests.vm import contract
from tests.vm.definitions import render_definition
from tests.vm.typed import CLIENT, LONG, NODES, Client, Pair, prepare_pair, put

pytestmark = in_turn(1)
FILER = CLIENT
AT = vm_spec(FILER).mgmt_ip
STORY, LEDGER = "/srv/story", "/srv/ledger"
DEFINITION = "/etc/tanist/controllers/ledger.toml"
REFUSED, NOT_PROVED = 3, 4  # exit status
LEASE = 20  # seconds that the filer waits for a client that is silent; 90 where nobody sets it
SERVE = f"""
set -e
rm -f /etc/systemd/system-generators/nfs-server-generator /etc/systemd/system-generators/rpc-pipefs-generator
systemctl daemon-reload
mkdir -p {STORY} {LEDGER}
modprobe nfsd
mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
echo {LEASE} >/proc/fs/nfsd/nfsv4leasetime
echo {LEASE} >/proc/fs/nfsd/nfsv4gracetime
for at in {STORY} {LEDGER}; do
    echo "$at 10.99.0.0/24(rw,sync,no_subtree_check,no_root_squash,fsid=$(($(echo $at | wc -c) + 40)))"
done >/etc/exports
systemctl start nfs-server.service
exportfs -s
"""
# what a fence agent would ask the machine's own controller: whether its plug is pulled. The test pulls it
AGENT = """#!/bin/sh
while IFS='=' read -r key value; do
    case $key in action) action=$value;; plug) plug=$value;; esac
done
if [ -e /root/off-$plug ]; then echo "Status: OFF"; [ "$action" = status ] && exit 2; exit 0; fi
echo "Status: ON"; [ "$action" = status ] && exit 0; exit 1
"""
POWER = "".join(
    f'[[proof.power]]\nnode = "{node}"\nagent = "/usr/local/sbin/fence_lab"\ntimeout = 60\n'
    f'[proof.power.options]\nplug = "{node}"\n'
    for node in NODES
)
REST = f"{POWER}[gate]\nstop_within = 600\ncannot_tell = 3600\n"


def start_filer(lab: VmLab) -> None:
    lab.up((FILER,))
    lab.exec(FILER, ["bash", "-c", SERVE], check=True, timeout=LONG)
    for node in NODES:  # what the first mount of a boot does takes an emulated machine longer than a look may
        lab.exec(node, ["modprobe", "nfsv4"], check=True, timeout=LONG)


@pytest.fixture(scope="module")
def filer(lab: VmLab) -> VmLab:
    start_filer(lab)
    contract.install(lab)
    return lab


@pytest.mark.requirement("A14", "A61")
def test_an_export_keeps_the_contract_on_two_kernels(filer: VmLab) -> None:
    contract.tell_story(contract.Pair(filer, (f"{AT}:{STORY}", "nfs4", "", "", "")))


@pytest.fixture(scope="module")
def pair(filer: VmLab, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    definition = render_definition(f"{AT}:{LEDGER}", "nfs4", rest=REST)
    made = prepare_pair(filer, tmp_path_factory.mktemp("keys"), definition)
    for node in NODES:
        put(filer, node, "/usr/local/sbin/fence_lab", AGENT)
        made.sh(node, "chmod 755 /usr/local/sbin/fence_lab")
    made.begin()
    return made


def look(pair: Pair, node: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(pair.sh(node, f"/opt/tanist/bin/python /root/on_machine.py {DEFINITION} state"))
    return found


def wait_for_lock(pair: Pair, node: str) -> None:
    """Seen by the other node, and by the words of whoever has it."""
    other = next(one for one in NODES if one != node)
    held = f"by {node}, by its own note"
    wait_until(f"{node} holds the lock", lambda: held in look(pair, other).get("detail", ""), timeout=LONG, pause=1)


@pytest.mark.requirement("A14", "A61")
def test_a_living_owner_is_seen_by_its_lock_and_never_taken_over(pair: Pair, asked: Client) -> None:
    wait_for_lock(pair, "ec-a")
    assert look(pair, "ec-b")["state"] == "in-use"
    assert look(pair, "ec-a")["state"] == "unknown", "its own watch's lock is no sign of another owner"
    known = pair.sh(FILER, "grep -h '^name' /proc/fs/nfsd/clients/*/info")
    assert {line.rsplit("tanist-", 1)[1].rstrip('"') for line in known.splitlines()} >= {
        pair.sh("ec-a", "cat /etc/machine-id")
    }, "the filer knows a machine by a name that does not move with the controller"

    said = pair.tanist("ec-b", "takeover", status=NOT_PROVED)
    assert "its owner's lock is held: by ec-a" in said
    said = pair.sh("ec-a", "grep ' nfs4 ' /proc/self/mountinfo")
    assert all(one in said for one in ("hard", "proto=tcp", "vers=4.2", "local_lock=none")), said
    assert not pair.in_use("ec-b")
    asked.wait_for("ec-a")


@pytest.mark.requirement("A14")
def test_a_filer_that_is_away_hangs_no_look_and_ends_nothing(pair: Pair, asked: Client) -> None:
    lab = pair.lab
    lab.isolate(FILER, ("mgmt",))
    begun = time.monotonic()
    status, said = try_state(pair, "ec-b")
    assert (status, "its filer gave no answer within" in said or "imed out" in said) == (0, True), said
    assert '"is": "Unread"' in said, "cannot tell"
    assert time.monotonic() - begun < LONG / 4
    said = pair.tanist("ec-b", "takeover", status=REFUSED)
    assert "the claim on the asset can't be read" in said
    assert not pair.in_use("ec-b")
    wait_until("the owner's watch says so", lambda: "no answer within" in worry(pair, "ec-a"), timeout=LONG, pause=1)

    lab.join(FILER, ("mgmt",))
    asked.wait_for("ec-a")
    wait_until("all is well again", lambda: not worry(pair, "ec-a"), timeout=LONG, pause=1)
    wait_for_lock(pair, "ec-a")


def worry(pair: Pair, node: str) -> str:
    return pair.sh(node, "cat /run/tanist/ledger/watch.json 2>/dev/null || :")


def try_state(pair: Pair, node: str) -> tuple[int, str]:
    argv = ["/opt/tanist/bin/python", "/root/on_machine.py", DEFINITION, "state"]
    done = pair.lab.exec(node, argv, timeout=LONG)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.requirement("A14", "A15", "A61")
def test_it_is_given_and_taken_and_after_a_power_cut_taken_by_power_alone(pair: Pair, asked: Client) -> None:
    lab = pair.lab
    pair.tanist("ec-a", "release")
    assert not pair.in_use("ec-a")
    assert look(pair, "ec-b")["state"] == "unknown", "released is not clean"
    pair.take_over("ec-b")
    asked.wait_for("ec-b")
    wait_for_lock(pair, "ec-b")

    lab.cut("ec-b")
    given = asked.given
    said = pair.tanist("ec-a", "takeover", "--reason", "ec-b is dead", status=NOT_PROVED)
    assert not pair.in_use("ec-a"), said
    pair.sh("ec-a", "touch /root/off-ec-b")
    _, said = pair.take_over("ec-a", "--fence", "--reason", "ec-b is dead")
    last = json.loads(pair.tanist("ec-a", "history", "--json").splitlines()[-1])
    assert (last["node"], last["kind"], last["verdict"]) == ("ec-a", "takeover", "PROVED"), last
    assert not last.get("attested"), last
    asked.wait_for("ec-a")
    assert set(given) <= pair.lines("ec-a"), "answered and lost"
    lab.boot("ec-b")
    pair.sh("ec-a", "rm /root/off-ec-b")
    assert not pair.in_use("ec-b"), "an ex-owner boots inert"
    wait_for_lock(pair, "ec-a")
