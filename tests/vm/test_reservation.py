"""A disk reserved on a real target, by two real kernels: owners that hang and come back, foreign keys, paths.

One story in the order of the file, by the step and the look that a takeover uses. The owner's writer keeps on its own
disk which of its lines were acknowledged.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.controllers.install import unpack_on
from lab.vm.lab import VmLab
from tests.seeds import in_turn
from tools.build_wheel import wheel

pytestmark = in_turn(0)
NODES = ("ec-a", "ec-b")
DISK = "/dev/lun0"
WRITER = """n=0
while n=$((n + 1)) && echo "$1 $n" >>/srv/ledger/lines && sync /srv/ledger/lines; do
    echo "$1 $n" >>/root/acknowledged
done
"""
FREE = 1010 * 256  # a block behind the file system: a raw write that should be refused, and is not, harms nothing
RAW = "dd if=/dev/zero of={} bs=4k count=1 seek={} oflag=direct conv=notrunc status=none"
PORTAL = "iscsiadm -m node -T iqn.2026-01.test.lab:store -p 10.99.0.21:3260"
SECOND = (
    f"{PORTAL} -o new >/dev/null; {PORTAL} --login >/dev/null; udevadm settle; modprobe dm_multipath; "
    "set -- $(readlink -f /dev/disk/by-path/*store-lun-1); "
    "echo 0 $(blockdev --getsz $1) multipath 0 0 1 1 service-time 0 2 1 $1 1 $2 1 | "
    "dmsetup create --uuid mpath-tanisttest paths; udevadm settle; echo $1 $2"
)


class Pair:
    def __init__(self, lab: VmLab) -> None:
        self.lab = lab
        self.epoch = 0

    def sh(self, node: str, script: str) -> str:
        return self.lab.exec(node, ["sh", "-c", script], check=True, timeout=120).stdout.decode().strip()

    def ask(self, node: str, verb: str, *, epoch: int = 0, device: str = DISK) -> dict[str, Any] | str:
        """What the step or the look says; in words where it was refused."""
        argv = ["/opt/tanist/bin/python", "/root/on_paths.py", device, node, str(epoch or self.epoch), verb]
        done = self.lab.exec(node, argv, timeout=240)
        said = done.stdout.decode().strip()
        return dict(json.loads(said)) if done.returncode == 0 else said + done.stderr.decode()

    def take(self, node: str, *, device: str = DISK) -> dict[str, Any]:
        self.epoch += 1
        found = self.ask(node, "take", device=device)
        assert isinstance(found, dict), found
        assert found["says"] == "fenced" and set(found["keys"]) == {found["holder"]}, found
        return found

    def raw_write(self, node: str, device: str = DISK, block: int = FREE) -> str:
        """What the disk said; "" where it took it."""
        done = self.lab.exec(node, ["sh", "-c", RAW.format(device, block)], timeout=120)
        return "" if done.returncode == 0 else done.stderr.decode()

    def expect_refused(self, node: str, device: str = DISK, block: int = FREE) -> None:
        """Never taken: EIO while the way to the target is made anew or a unit attention waits, and then EBADE."""
        said = ""
        for _ in range(40):
            said = self.raw_write(node, device, block)
            assert said != "", "it was written"
            if "Invalid exchange" in said:
                return
        raise AssertionError(f"not refused for the reservation: {said}")

    def begin_writing(self, node: str) -> None:
        self.sh(
            node, f"mkdir -p /srv/ledger && mount -o errors=remount-ro {DISK} /srv/ledger; rm -f /root/acknowledged"
        )
        self.lab.exec(node, ["sh", "-c", "cat >/root/writer"], input=WRITER.encode(), check=True)
        self.sh(
            node,
            f"setsid sh /root/writer {node} </dev/null >/dev/null 2>&1 & until [ -s /root/acknowledged ]; do :; done",
        )


@pytest.fixture(scope="module")
def pair(lab: VmLab) -> Pair:
    lab.up(("store",))
    for node in NODES:
        unpack_on(lab, node, wheel())
        lab.push(node, Path(__file__).with_name("on_paths.py"), "/root/on_paths.py")
        lab.exec(node, ["lab-store", "login"], check=True, timeout=120)
    made = Pair(lab)
    made.sh("ec-a", f"mkfs.ext4 -q -F -O mmp -E mmp_update_interval=1 {DISK} 1000M")
    return made


@pytest.mark.requirement("A05", "A42", "A61")
@pytest.mark.parametrize("clock_runs", [False, True])
def test_an_owner_that_was_frozen_and_thawed_writes_nothing_any_more(
    pair: Pair, clock_runs: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its clock stood still, as with a pause by a hypervisor; or jumped, as with a stalled machine. There and back."""
    owner, taker = ("ec-b", "ec-a") if clock_runs else ("ec-a", "ec-b")
    pair.take(owner)
    assert pair.raw_write(owner) == ""
    assert "Invalid exchange" in pair.raw_write(taker), "a standby cannot write by mistake"
    pair.begin_writing(owner)
    pair.lab.freeze(owner, clock_runs=clock_runs)
    seen = pair.ask(taker, "look")
    assert isinstance(seen, dict) and seen["says"] == "held" and f"{owner}'s key" in seen["detail"]

    taken = pair.take(taker)
    with capsys.disabled():
        print(f"\nreserved from an owner whose clock {'jumps' if clock_runs else 'stops'}: {taken['seconds']} s")
    pair.sh(taker, f"tune2fs -f -E clear_mmp {DISK} && mkdir -p /srv/ledger && mount {DISK} /srv/ledger")
    pair.sh(taker, f"echo {taker} took over >>/srv/ledger/lines; sync")

    pair.lab.thaw(owner)
    pair.expect_refused(owner)
    assert "key of epoch" in str(pair.ask(owner, "take", epoch=pair.epoch - 1)), "and tanist does not fight"
    pair.sh(owner, "n=0; while pgrep -f '^sh /root/writer'; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done")
    told = set(pair.sh(owner, "cat /root/acknowledged").splitlines())
    kept = pair.sh(taker, "cat /srv/ledger/lines").splitlines()
    assert told and told <= set(kept), f"acknowledged and lost: {sorted(told - set(kept))[:5]}"
    assert kept[-1] == f"{taker} took over", "nothing of the zombie's came after it"
    assert pair.raw_write(taker) == ""
    pair.sh(owner, "umount -l /srv/ledger")
    pair.sh(taker, f"umount /srv/ledger; e2fsck -f -n {DISK}")


def test_a_host_that_registers_again_is_shown_and_a_foreign_key_stops_a_takeover_by_name(pair: Pair) -> None:
    pair.sh("ec-b", f"for i in 1 2; do sg_persist -n -o -I -S 0xbad {DISK} && break; done")
    assert pair.raw_write("ec-b") == "", "no protocol forbids it: power, or that host's own gate, does"
    seen = pair.ask("ec-a", "look")
    assert isinstance(seen, dict) and seen["says"] == "held" and "a foreign key, 0xbad" in seen["detail"]
    assert "0xbad is no key of ledger" in str(pair.ask("ec-a", "take", epoch=pair.epoch + 1))
    pair.sh("ec-b", f"sg_persist -n -o -I -S 0 {DISK}")
    pair.take("ec-a")
    assert "Invalid exchange" in pair.raw_write("ec-b")
    left = pair.ask("ec-a", "leave")
    assert isinstance(left, dict) and (left["keys"], left["holder"]) == ([], 0)


def test_each_path_of_a_multipath_disk_is_registered_and_loses_its_key(pair: Pair) -> None:
    own = {node: pair.sh(node, SECOND).split() for node in NODES}
    try:
        for node in NODES:
            found = pair.take(node, device="/dev/mapper/paths")
            assert len(found["paths"]) == len(found["keys"]) == 2
            assert [pair.raw_write(node, path, 0) for path in own[node]] == ["", ""]
        for path in own["ec-a"]:
            pair.expect_refused("ec-a", path, 0)
        left = pair.ask("ec-b", "leave", device="/dev/mapper/paths")
        assert isinstance(left, dict) and (left["keys"], left["holder"]) == ([], 0)
    finally:
        for node in NODES:
            pair.sh(node, f"dmsetup remove paths; {PORTAL} --logout >/dev/null")
