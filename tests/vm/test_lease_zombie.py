"""A lease as the proof, between two guests with watchdogs: an owner that stalls (its clock jumps), and one that is
paused (its clock stands still). Both are longer away than the lease and the takeover take, and come back.

What a lease is worth here: nothing without a person's word, because the second one escapes its watchdog. What a zombie
still writes and answers until its own watch or its watchdog ends it is printed, not asserted (docs/design/gate.md).
"""

from __future__ import annotations

import json
import time

import pytest

from lab.errors import LabError
from lab.run import wait_until
from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from tests.seeds import among_all
from tests.vm.definitions import render_definition
from tests.vm.typed import IN_USE, LONG, Client, Pair, prepare_pair

DISK, LEASES = SHARED[0].by_id, SHARED[2].by_id
IO_TIMEOUT = 2  # seconds: the lease runs out 76 s after the last renewal
REST = f"""
[proof]
suffices = ["lease", "lease+attestation"]
[proof.lease]
device = "{LEASES}"
io_timeout = {IO_TIMEOUT}
"""
READY = """
echo softdog >/etc/modules-load.d/softdog.conf
modprobe softdog
head -c 4096 /dev/zero | tr '\\0' "$1" >/root/block
"""
FREE = 1010 * 256  # a block behind the file system
WRITE = f"dd if=/root/block of={DISK} bs=4k count=1 seek={FREE} oflag=direct conv=notrunc status=none"
READ = f"dd if={DISK} bs=4k count=1 skip={FREE} iflag=direct status=none | tr -d '\\0' | fold -w1 | sort -u"
RAW_WRITER = f"while {WRITE}; do echo taken; sleep 0.1; done >/root/raw"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
HOWS = ("it stalls", "it is paused")
ATTEST = ("--fence", "--attest", "its lamps are out", "--reason", "it hangs")


@pytest.fixture(scope="module")
def pair(lab: VmLab, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    definition = render_definition(DISK, "ext4", rest=REST)
    made = prepare_pair(lab, tmp_path_factory.mktemp("keys"), definition, READY)
    made.sh("ec-a", f"wipefs -q -a -f {DISK}; mkfs.ext4 -q -F {DISK} 1000M")
    for node in ("ec-a", "ec-b"):  # one writes the leases, the other finds them
        made.sh(node, "tanist lease init ledger")
    made.begin()
    return made


@pytest.mark.requirement("A05", "A42", "A61", "A63")
@among_all()
@pytest.mark.parametrize("how", HOWS)
def test_an_owner_that_is_away_for_longer_than_its_lease_ends_inert(
    pair: Pair, asked: Client, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = pair.lab
    clock_runs = how == "it stalls"
    owner, taker = ("ec-a", "ec-b") if pair.in_use("ec-a") else ("ec-b", "ec-a")
    asked.wait_for(owner)
    await_lease(pair, owner, "holds the lease")
    await_lease(pair, taker, "does not hold the lease")
    lab.exec(owner, ["sh", "-c", "cat >/root/raw-writer"], input=RAW_WRITER.encode(), check=True)
    pair.sh(owner, "setsid sh /root/raw-writer </dev/null >/dev/null 2>&1 & until grep -q taken /root/raw; do :; done")
    boot = lab.running(owner).boot_id()
    lab.freeze(owner, clock_runs=clock_runs)

    seen = len(asked.answers)
    begun, _ = pair.take_over(taker, *ATTEST)
    ended = time.monotonic() - begun
    asked.wait_for(taker, seen)
    last = json.loads(pair.tanist(taker, "history", "--json").splitlines()[-1])
    assert (last["kind"], last["verdict"], last["attested"]) == ("takeover", "PROVED", "its lamps are out"), last
    pair.sh(taker, WRITE)

    seen, back = len(asked.answers), time.monotonic()
    lab.thaw(owner)
    wait_until(f"{owner} is down or inert", lambda: is_down(pair, owner, boot), timeout=LONG, pause=0.2)
    inert = time.monotonic() - back
    lab.wait_booted(owner, timeout=LONG)
    assert not pair.in_use(owner), "and stays inert"
    wrote = owner[-1] in pair.sh(taker, READ).split()
    answered = sum(line.startswith(f"{owner} ") for line in asked.given[seen:])
    with capsys.disabled():
        print(
            f"\na takeover by lease and a person's word ended after {ended:.1f} s; the owner, which had"
            f" {'stalled' if clock_runs else 'been paused'}, was {'reset' if was_reset(pair, owner, boot) else 'inert'}"
            f" {inert:.1f} s after it came back, gave {answered} answers and wrote"
            f" {'to' if wrote else 'nothing to'} the disk meanwhile"
        )
    assert was_reset(pair, owner, boot) or not clock_runs, "a watchdog's time runs out while its machine stalls"
    asked.wait_for(taker)
    seen = len(asked.answers)
    time.sleep(10)
    assert {line.split()[0] for line in asked.given[seen:]} == {taker}, "one of them answers"


def await_lease(pair: Pair, node: str, how: str) -> None:
    said = f"{node}: in the lockspace, {how}"
    ask = "tanist lease status ledger || :"
    wait_until(said, lambda: said in pair.sh(node, ask), timeout=LONG, pause=1)


def was_reset(pair: Pair, node: str, boot: str) -> bool:
    return pair.lab.running(node).boot_id() not in (boot, "")


def is_down(pair: Pair, node: str, boot: str) -> bool:
    """Its machine was started again, or holds nothing any more. One that is being reset answers nothing."""
    try:
        done = pair.lab.exec(node, ["sh", "-c", f"cat {BOOT_ID}; {IN_USE}"], timeout=10)
    except LabError:
        return False
    now, *held = done.stdout.decode().split("\n", 1)
    return done.returncode == 0 and now != "" and (now != boot or not "".join(held).strip())
