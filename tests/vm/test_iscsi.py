"""Disks of an iSCSI target, by one way and by two (multipath), on two real kernels and a real target (LIO).

One story in the order of the file: logged in by the owner only; then both nodes logged in for good, a volume on a
multipath map, whose owner loses a way, its whole target, and its power.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab.layout import SAN_NET, SVC_NET
from lab.vm.lab import VmLab
from lab.vm.layout import STORE, TARGET
from tests.seeds import in_turn
from tests.vm.contract import MAKE_LVM, NODES, Kind, Pair, install, tell_story
from tests.vm.definitions import TREE

pytestmark = in_turn(1)
PORTALS = tuple(f"{net}.{STORE.number}:3260" for net in (SAN_NET, SVC_NET))
BY_PATH = f"/dev/disk/by-path/ip-{PORTALS[0]}-iscsi-{TARGET}-lun-1"
WWID = "36001405ab00000000000000000000000"  # as LIO makes it of the serial number LABlun0
ISCSI = f'[[asset.layer]]\nkind = "iscsi"\ntarget = "{TARGET}"\n'
ALONE: Kind = (
    BY_PATH,
    "ext4",
    f'{ISCSI}portals = ["{PORTALS[0]}"]\ndevice = "{BY_PATH}"\nlogout = true\n',
    "mkfs.ext4 -q -F {device}",
    "true",
)
MAPPED: Kind = (
    "/dev/ledger/tree",
    "xfs",
    f'{ISCSI}portals = ["{PORTALS[0]}", "{PORTALS[1]}"]\n'
    f'[[asset.layer]]\nkind = "multipath"\ndevice = "/dev/mapper/ledger"\nwwid = "{WWID}"\n'
    '[[asset.layer]]\nkind = "lvm"\ngroup = "ledger"\nvolume = "tree"\n',
    MAKE_LVM.format("/dev/mapper/ledger") + "; mkfs.xfs -q -f {device}",
    "vgchange -qq -an ledger",
)
MULTIPATH = f"""
defaults {{
    find_multipaths yes
    no_path_retry queue
}}
multipaths {{
    multipath {{
        wwid {WWID}
        alias ledger
    }}
}}
"""
# what an administrator sets on both nodes
LOG_IN = "".join(
    f"iscsiadm -m node -T {TARGET} -p {one} {words}; "
    for one in PORTALS
    for words in ("-o new", "-o update -n node.startup -v automatic", "--login")
)
READY = f"""
cat >/etc/multipath.conf
systemctl enable --now multipathd open-iscsi 2>&1
{LOG_IN}
n=0
until [ -b /dev/mapper/ledger ]; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done
"""
WRITER = f"""cat >/root/writer.sh <<'END'
n=0
while n=$((n+1)); do echo $n >>{TREE}/lines && sync {TREE}/lines && echo $n >>/root/lines; done
END
setsid sh /root/writer.sh </dev/null >/dev/null 2>&1 & echo $! >/root/writer"""


@pytest.fixture(scope="module")
def machines(lab: VmLab) -> VmLab:
    lab.up(("store",))
    install(lab)
    return lab


def wrong_of(pair: Pair, node: str) -> dict[str, str]:
    found: list[dict[str, Any]] = pair.do(node, "layers")
    return {one["name"]: one["wrong"] for one in found if one.get("wrong")}


@pytest.mark.requirement("A14")
def test_the_owner_alone_is_logged_in_where_the_definition_says_so(machines: VmLab) -> None:
    pair = Pair(machines, ALONE)
    assert "not logged in" in str(pair.do("ec-a", "state")), "cannot tell, which is never clean"
    pair.sh("ec-a", f"iscsiadm -m node -T {TARGET} -p {PORTALS[0]} -o new; iscsiadm -m node -L all; udevadm settle")
    pair.sh("ec-a", f"mkfs.ext4 -q -F {BY_PATH}; iscsiadm -m node -U all")

    assert all(pair.do("ec-a", "acquire"))
    assert all(pair.do("ec-a", "acquire"))
    pair.sh("ec-a", f"echo one >{TREE}/file; umount {TREE}; mount {BY_PATH} /mnt")
    status, said = pair.try_("ec-a", "release")
    assert status == 1 and "mounted at /mnt" in said, "iscsiadm itself would log out of a disk in use"
    assert pair.sh("ec-a", "cat /mnt/file; umount /mnt") == "one"
    assert not any(pair.do("ec-a", "release"))
    assert not any(pair.do("ec-a", "release"))
    assert pair.sh("ec-a", "iscsiadm -m session 2>&1 || true") == "iscsiadm: No active sessions."

    assert all(pair.do("ec-b", "acquire")), "it had no record of the target"
    assert pair.sh("ec-b", f"cat {TREE}/file") == "one"
    assert "node.startup = manual" in pair.sh("ec-b", f"iscsiadm -m node -T {TARGET} -p {PORTALS[0]}")
    assert not any(pair.do("ec-b", "release"))


@pytest.fixture(scope="module")
def mapped(machines: VmLab) -> Pair:
    pair = Pair(machines, MAPPED)
    for node in NODES:
        machines.exec(node, ["sh", "-c", READY], input=MULTIPATH.encode(), check=True, timeout=240)
    pair.sh("ec-a", f"{pair.make.format(device=pair.device)}; {pair.put_away}; sync")
    return pair


def wait_for(what: str, look: Any) -> None:
    end = time.monotonic() + 300
    while not look():
        assert time.monotonic() < end, what
        time.sleep(0.5)


def acknowledged(pair: Pair) -> int:
    return int(pair.sh("ec-a", "wc -l </root/lines"))


@pytest.mark.requirement("A14", "A61")
def test_an_owner_that_loses_a_way_and_then_its_target_loses_no_line(mapped: Pair) -> None:
    lab, pair = mapped.lab, mapped
    assert all(pair.do("ec-a", "acquire"))
    assert not wrong_of(pair, "ec-a"), "both ways, and a boot would find them again"
    pair.sh("ec-a", WRITER)
    wait_for("it writes", lambda: pair.sh("ec-a", "ls /root/lines || true"))

    lab.isolate("ec-a", ("svc",))
    wait_for("the way is given up", lambda: "given up" in wrong_of(pair, "ec-a").get("/dev/mapper/ledger", ""))
    assert PORTALS[1] in wrong_of(pair, "ec-a")[TARGET]
    before = acknowledged(pair)
    wait_for("it goes on by the other way", lambda: acknowledged(pair) > before)
    lab.join("ec-a", ("svc",))
    wait_for("the way is back", lambda: not wrong_of(pair, "ec-a"))

    pair.sh("store", "systemctl stop lab-target")
    wait_for("all ways are given up", lambda: "none" in wrong_of(pair, "ec-a").get("/dev/mapper/ledger", ""))
    before = acknowledged(pair)
    pair.sh("store", "systemctl start lab-target")
    wait_for("what waited is written", lambda: acknowledged(pair) > before)
    pair.sh("ec-a", "kill -- -$(cat /root/writer) || pkill -s $(cat /root/writer); sleep 1")
    told = pair.sh("ec-a", "cat /root/lines").splitlines()
    assert not any(pair.do("ec-a", "release"))
    wait_for("the other node's ways are back", lambda: not wrong_of(pair, "ec-b"))
    assert all(pair.do("ec-b", "acquire"))
    assert pair.sh("ec-b", f"cat {TREE}/lines").splitlines()[: len(told)] == told
    pair.do("ec-b", "release")


@pytest.mark.requirement("A14", "A15", "A61")
def test_a_volume_on_a_multipath_map_keeps_the_contract(mapped: Pair) -> None:
    tell_story(mapped)
