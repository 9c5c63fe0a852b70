"""A takeover typed on a real machine, proved by the disk alone: the owner is paused, is taken over, and comes back.

In the last part hosts that cannot let go in time reset themselves.

A client on a third machine asks all the time. What an emulated machine takes minutes for, and a takeover does not
depend on, is made on this computer: the installation, and the ssh keys that `tanist pair` and `tanist init` make.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controllers.install import unpack_on
from lab.run import wait_until
from lab.vm.lab import VmLab
from tests.vm.definitions import ADDRESS, TREE, render_definition
from tests.vm.typed import LONG, NODES, Typist, make_keys, on_both, render_ssh
from tools.build_wheel import wheel

HERE = Path(__file__).parent
DISK = "/dev/lun0"
SERVICE = "start_timeout = 300"
REST = "[proof.reservation]\ntimeout = 300\n[gate]\nstop_within = 600"
UNIT = "[Service]\nExecStart=perl /usr/local/sbin/ledger.pl {0} {1}/lines {2}\n"
PREPARE = f"""
set -e
lab-store login
mkdir -p {TREE}
systemctl daemon-reload
head -c 4096 /dev/zero | tr '\\0' "$1" >/root/block
"""
FREE = 1010 * 256  # a block behind the file system
WRITE = f"dd if=/root/block of={DISK} bs=4k count=1 seek={FREE} oflag=direct conv=notrunc status=none"
READ = f"dd if={DISK} bs=4k count=1 skip={FREE} iflag=direct status=none | tr -d '\\0' | fold -w1 | sort | uniq -c"
RAW_WRITER = f"while :; do said=$({WRITE} 2>&1) && echo taken || echo $said; sleep 0.5; done >/root/raw"
IN_USE = f"""
mountpoint -q {TREE} && echo {TREE} is mounted
systemctl is-active -q ledger.service && echo ledger.service runs
ip -4 -o address show dev svc0 | grep -qwF {ADDRESS}/24 && echo has {ADDRESS}
true
"""
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


class Client:
    """What the service answered, in order, each with the time at which it was read here."""

    def __init__(self, lab: VmLab) -> None:
        lab.push("store", HERE / "asker.pl", "/root/asker.pl")
        argv = lab.enter_argv("store", ["perl", "/root/asker.pl", ADDRESS])
        self._asks = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.answers: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._asks.stdout is not None
        for line in self._asks.stdout:
            self.answers.append((time.monotonic(), line.strip()))

    def wait_for(self, node: str, seen: int | None = None) -> float:
        """When the first answer of the node was read: from now on, or since there were `seen` ones."""
        seen = len(self.answers) if seen is None else seen
        wait_until(f"{node} answers", lambda: self._of(node, seen) is not None, timeout=LONG, pause=0.1)
        return self._of(node, seen) or 0.0

    def _of(self, node: str, seen: int) -> float | None:
        return next((at for at, line in self.answers[seen:] if line.startswith(f"{node} ")), None)

    def close(self) -> None:
        self._asks.terminate()
        self._asks.wait()
        self._reader.join()
        if self._asks.stdout is not None:
            self._asks.stdout.close()


class Pair(Typist):
    def __init__(self, lab: VmLab, client: Client) -> None:
        super().__init__(lab)
        self.client = client

    def tanist(self, node: str, verb: str, *words: str, status: int = 0) -> str:
        done = self.lab.exec(node, ["tanist", verb, "ledger", *words], timeout=LONG)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == status, f"tanist {verb} on {node}: {done.returncode}\n{said}"
        return said

    def in_use(self, node: str) -> list[str]:
        return self.sh(node, IN_USE).splitlines()


@pytest.fixture(scope="module")
def pair(lab: VmLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    lab.up(("store",))
    keys, built = tmp_path_factory.mktemp("keys"), wheel()
    make_keys(keys)
    files = render_ssh(lab)
    files["/etc/tanist/controllers/ledger.toml"] = render_definition(DISK, "ext4", service=SERVICE, rest=REST)

    def prepare(node: str) -> None:
        unpack_on(lab, node, built)
        unit = {"/etc/systemd/system/ledger.service": UNIT.format(ADDRESS, TREE, node)}
        for path, text in (files | unit).items():
            lab.exec(node, ["sh", "-c", f"cat >{path}"], input=text.encode(), check=True)
        lab.push(node, HERE / "ledger.pl", "/usr/local/sbin/ledger.pl")
        lab.push(node, HERE / "on_paths.py", "/root/on_paths.py")
        lab.push(node, keys, "/etc/tanist/identity/ledger")
        lab.exec(node, ["bash", "-c", PREPARE, "sh", node[-1]], check=True, timeout=LONG)

    on_both(prepare)
    client = Client(lab)
    made = Pair(lab, client)
    try:
        made.sh("ec-a", f"mkfs.ext4 -q -F -O mmp -E mmp_update_interval=1 {DISK} 1000M")
        on_both(lambda node: made.tanist(node, "enable"))
        made.tanist("ec-a", "init")
        yield made
    finally:
        client.close()


@pytest.mark.requirement("A05", "A42", "A61", "A63")
def test_a_paused_owner_is_taken_over_by_the_disks_word_and_comes_back_inert(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    lab, client = pair.lab, pair.client
    client.wait_for("ec-a")
    lab.exec("ec-a", ["sh", "-c", "cat >/root/raw-writer"], input=RAW_WRITER.encode(), check=True)
    pair.sh("ec-a", "setsid sh /root/raw-writer </dev/null >/dev/null 2>&1 & until grep -q taken /root/raw; do :; done")
    lab.freeze("ec-a")

    seen = len(client.answers)
    begun = type_takeover(pair)
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
    given = [line for _, line in client.answers]
    since = next(n for n, line in enumerate(given) if line.startswith("ec-b "))
    assert {line.split()[0] for line in given[since:]} == {"ec-b"}, "the zombie answered"
    kept = set(pair.sh("ec-b", f"cat {TREE}/lines").splitlines())
    assert set(given) <= kept, f"answered and lost: {sorted(set(given) - kept)[:5]}"


def type_takeover(pair: Pair) -> float:
    """When the command was typed that did it. On a computer that has no time for its machines a look at wire or disk
    ends without an answer, which is no proof and said so: then it is typed again."""
    said = ""
    for _ in range(20):
        begun = time.monotonic()
        done = pair.lab.exec(
            "ec-b", ["tanist", "takeover", "ledger", "--fence", "--reason", "ec-a hangs"], timeout=LONG
        )
        said = (done.stdout + done.stderr).decode()
        if done.returncode == 0:
            return begun
        assert "no answer within" in said, said
    raise AssertionError(said)


@pytest.mark.requirement("A05", "A61")
def test_a_host_that_cannot_take_everything_down_in_time_resets_itself(pair: Pair) -> None:
    """ec-b by sysrq: a process of its service cannot be killed. ec-a by a watchdog: who armed it hangs."""
    lab = pair.lab
    before = {node: lab.running(node).boot_id() for node in NODES}
    pair.sh("ec-b", STUCK)
    pair.sh("ec-a", f"/opt/tanist/bin/python /root/on_paths.py {DISK} ec-a 9 take")
    pair.sh("ec-a", 'modprobe softdog; setsid /opt/tanist/bin/python -c "$1" </dev/null >/dev/null 2>&1 &', STOPPED)
    await_reset(lab, "ec-a", "softdog: Initiating system reboot", before["ec-a"])
    await_reset(lab, "ec-b", "sysrq: Resetting", before["ec-b"])
    assert [pair.in_use(node) for node in NODES] == [[], []]


def await_reset(lab: VmLab, node: str, says: str, boot: str) -> None:
    """The kernel said so on its serial line, and another boot followed."""
    wait_until(f"{node} resets", lambda: says in lab.console(node), timeout=LONG, pause=0.5)
    wait_until(f"{node} boots", lambda: lab.running(node).boot_id() not in (boot, ""), timeout=LONG, pause=0.5)
    lab.wait_booted(node, timeout=LONG)
