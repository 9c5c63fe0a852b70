"""A takeover typed on a real machine, proved by the disk alone: the owner is paused, is taken over, and comes back.

In the last part hosts that cannot let go in time reset themselves.

A client on a third machine asks all the time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from lab.run import wait_until
from lab.vm.lab import VmLab
from tests.vm.definitions import render_definition
from tests.vm.typed import HERE, LONG, NODES, Client, Pair, asking, prepare_pair

DISK = "/dev/lun0"
REST = "[proof.reservation]\ntimeout = 300\n[gate]\nstop_within = 600"
PREPARE = """
lab-store login
head -c 4096 /dev/zero | tr '\\0' "$1" >/root/block
"""
FREE = 1010 * 256  # a block behind the file system
WRITE = f"dd if=/root/block of={DISK} bs=4k count=1 seek={FREE} oflag=direct conv=notrunc status=none"
READ = f"dd if={DISK} bs=4k count=1 skip={FREE} iflag=direct status=none | tr -d '\\0' | fold -w1 | sort | uniq -c"
RAW_WRITER = f"while :; do said=$({WRITE} 2>&1) && echo taken || echo $said; sleep 0.5; done >/root/raw"
# a process of the service that no signal ends: it reads from a device that is suspended
STUCK = """
set -e
modprobe dm_mod
dmsetup create stuck --table "0 $(blockdev --getsz /dev/local0) linear /dev/local0 0"
udevadm settle
dmsetup suspend --noflush --nolockfs stuck
setsid dd if=/dev/mapper/stuck of=/dev/null bs=4k count=1 iflag=direct </dev/null >/dev/null 2>&1 &
until [ "$(ps -o stat= -C dd | cut -c1)" = D ]; do sleep 0.2; done
ps -o pid= -C dd >/sys/fs/cgroup/system.slice/ledger.service/cgroup.procs
sed -i 's/^stop_within = .*/stop_within = 5/' /etc/tanist/controllers/ledger.toml
systemctl restart tanist-watch@ledger.service
"""
# armed as the watch does it, by a process that then can do nothing any more
STOPPED = """
import os, signal
from tanist.host.reset import ResetTimer
timer = ResetTimer(5)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture(scope="module")
def pair(lab: VmLab, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    lab.up(("store",))
    definition = render_definition(DISK, "ext4", rest=REST)
    made = prepare_pair(lab, tmp_path_factory.mktemp("keys"), definition, PREPARE)
    for node in NODES:
        lab.push(node, HERE / "on_paths.py", "/root/on_paths.py")
    made.sh("ec-a", f"mkfs.ext4 -q -F -O mmp -E mmp_update_interval=1 {DISK} 1000M")
    made.begin()
    return made


@pytest.fixture(scope="module")
def client(lab: VmLab, pair: Pair) -> Iterator[Client]:
    with asking(lab, "store") as made:
        yield made


@pytest.mark.requirement("A05", "A42", "A61", "A63")
def test_a_paused_owner_is_taken_over_by_the_disks_word_and_comes_back_inert(
    pair: Pair, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = pair.lab
    client.wait_for("ec-a")
    lab.exec("ec-a", ["sh", "-c", "cat >/root/raw-writer"], input=RAW_WRITER.encode(), check=True)
    pair.sh("ec-a", "setsid sh /root/raw-writer </dev/null >/dev/null 2>&1 & until grep -q taken /root/raw; do :; done")
    lab.freeze("ec-a")

    seen = len(client.answers)
    begun, _ = pair.take_over("ec-b", "--fence", "--reason", "ec-a hangs")
    ended = time.monotonic() - begun
    answered = client.wait_for("ec-b", seen) - begun
    last = json.loads(pair.tanist("ec-b", "history", "--json").splitlines()[-1])
    assert (last["node"], last["kind"], last["verdict"]) == ("ec-b", "takeover", "PROVED"), last
    assert not last.get("attested"), last
    pair.sh("ec-b", WRITE)

    back = time.monotonic()
    lab.thaw("ec-a")
    wait_until("ec-a is inert", lambda: not pair.in_use("ec-a"), timeout=LONG, pause=0.5)
    inert = time.monotonic() - back
    refused = "grep -q 'Invalid exchange' /root/raw"
    wait_until("the disk has refused it", lambda: pair.sh("ec-a", f"{refused} && echo y || :") == "y", timeout=LONG)
    with capsys.disabled():
        print(
            f"\na takeover by reservation on virtual machines: first answer {answered:.1f} s after the command, ended"
            f" after {ended:.1f} s; the old owner, paused meanwhile, was inert {inert:.1f} s after it came back"
        )
    assert "b" in pair.sh("ec-b", READ).split(), "and its block is not on the disk"
    assert "a" not in pair.sh("ec-b", READ).split()
    wait_until(
        "ec-a says so", lambda: "lost it while it was up" in pair.tanist("ec-a", "status", status=10), timeout=LONG
    )

    client.wait_for("ec-b")
    given = client.given
    since = next(n for n, line in enumerate(given) if line.startswith("ec-b "))
    assert {line.split()[0] for line in given[since:]} == {"ec-b"}, "the zombie answered"
    kept = pair.lines("ec-b")
    assert set(given) <= kept, f"answered and lost: {sorted(set(given) - kept)[:5]}"


@pytest.mark.requirement("A05", "A61")
def test_a_host_that_cannot_take_everything_down_in_time_resets_itself(pair: Pair) -> None:
    """ec-b by sysrq: a process of its service cannot be killed. ec-a by a watchdog: who armed it hangs."""
    lab = pair.lab
    before = {node: lab.running(node).boot_id() for node in NODES}
    pair.sh("ec-b", STUCK)
    # a login that was lost meanwhile is made again by iscsid: until then a disk can't be opened
    take = ["/opt/tanist/bin/python", "/root/on_paths.py", DISK, "ec-a", "9", "take"]
    wait_until("ec-a takes the disk", lambda: lab.exec("ec-a", take, timeout=LONG).returncode == 0, timeout=LONG)
    pair.sh("ec-a", 'modprobe softdog; setsid /opt/tanist/bin/python -c "$1" </dev/null >/dev/null 2>&1 &', STOPPED)
    await_reset(lab, "ec-a", "softdog: Initiating system reboot", before["ec-a"])
    await_reset(lab, "ec-b", "sysrq: Resetting", before["ec-b"])
    assert [pair.in_use(node) for node in NODES] == [[], []]


def await_reset(lab: VmLab, node: str, says: str, boot: str) -> None:
    """The kernel said so on its serial line, and another boot followed."""
    wait_until(f"{node} resets", lambda: says in lab.console(node), timeout=LONG, pause=0.5)
    wait_until(f"{node} boots", lambda: lab.running(node).boot_id() not in (boot, ""), timeout=LONG, pause=0.5)
    lab.wait_booted(node, timeout=LONG)
