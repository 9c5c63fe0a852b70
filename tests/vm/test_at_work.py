"""A mirrored volume below a server at work, on two real kernels: disks that hang, that become larger, that die.

One story in the order of the file. The server's client on a third machine asks all the time.
"""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from lab.run import wait_until
from lab.vm.lab import VmLab
from tests.seeds import among_all, in_turn
from tests.vm.contract import NODE_SETUP
from tests.vm.definitions import render_definition
from tests.vm.test_asset_contract import ASSET0, ASSET1, KINDS
from tests.vm.typed import LONG, Client, Pair, prepare_pair

pytestmark = in_turn(2)
DEVICE, FSTYPE, LAYERS, MAKE, PUT_AWAY = KINDS["xfs on lvm on md"]
MEMBERS = ("asset0", "asset1")
HANGS = 60  # seconds
LARGER = 1536 << 20  # bytes; they were saved with two thirds of it
CANNOT_TELL = 120  # seconds
REST = f"[gate]\nstop_within = 600\ncannot_tell = {CANNOT_TELL}\n"
JOURNALS = "/var/lib/tanist/ledger/runs"
GROW = ("tanist", "storage", "grow", "ledger")
# a mirror that compares itself takes all of an emulated processor
SLOWLY = """
echo raid1 >/etc/modules-load.d/md.conf
echo dev.raid.speed_limit_max=20000 >/etc/sysctl.d/md.conf
"""
BEGUN = f'until grep -qs \'"StepBegun".*"grow.2"\' {JOURNALS}/*.jsonl; do sleep 0.05; done'


@pytest.fixture(scope="module")
def pair(lab: VmLab, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    definition = render_definition(DEVICE, FSTYPE, layers=LAYERS, rest=REST)
    made = prepare_pair(lab, tmp_path_factory.mktemp("keys"), definition, NODE_SETUP + SLOWLY)
    made.sh("ec-a", f"wipefs -q -a -f {ASSET0} {ASSET1}; {MAKE.format(device=DEVICE)}; {PUT_AWAY}; sync")
    made.begin()
    return made


def try_(pair: Pair, node: str, *argv: str) -> tuple[int, str]:
    done = pair.lab.exec(node, argv, timeout=LONG)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.requirement("A14")
def test_disks_that_hang_for_a_minute_end_nothing_and_hang_no_status(pair: Pair, asked: Client) -> None:
    lab = pair.lab
    begun = time.monotonic()
    for disk in MEMBERS:
        lab.disk_hang("ec-a", disk, True)
    worry = "cat /run/tanist/ledger/watch.json 2>/dev/null || :"
    wait_until("the watch has seen it", lambda: "no answer within" in pair.sh("ec-a", worry), timeout=LONG, pause=1)
    status, said = try_(pair, "ec-a", "tanist", "status", "ledger")
    assert "no answer within" in said, (status, said)
    time.sleep(max(0.0, begun + HANGS - time.monotonic()))
    seen = len(asked.answers)
    for disk in MEMBERS:
        lab.disk_hang("ec-a", disk, False)
    asked.wait_for("ec-a", seen)
    wait_until("all is well", lambda: try_(pair, "ec-a", "tanist", "status", "ledger")[0] == 0, timeout=LONG, pause=1)
    assert set(asked.given) <= pair.lines("ec-a")


@pytest.mark.requirement("A14", "A61")
@among_all()
def test_larger_disks_are_used_and_a_power_cut_meanwhile_ends_nothing_but_the_run(pair: Pair, asked: Client) -> None:
    lab = pair.lab
    for disk in MEMBERS:
        lab.disk_grow("ec-a", disk, LARGER)
    status, said = try_(pair, "ec-a", *GROW, "--dry-run")
    assert (status, "a node that does not see its new size can't take over" in said) == (1, True), said
    for disk in MEMBERS:
        lab.disk_grow("ec-b", disk, LARGER)
    await_grow(pair)

    argv = lab.enter_argv("ec-a", [*GROW, "--confirm", "ledger"])
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        pair.sh("ec-a", BEGUN)
        lab.cut("ec-a")
    given, seen = asked.given, len(asked.answers)
    lab.boot("ec-a")
    asked.wait_for("ec-a", seen)
    assert set(given) <= pair.lines("ec-a"), "answered and lost"
    runs = [json.loads(line) for line in pair.tanist("ec-a", "history", "--json").splitlines()]
    assert [one["outcome"] for one in runs if one["kind"] == "grow"] == ["failed"], runs

    await_grow(pair)
    status, said = try_(pair, "ec-a", *GROW, "--confirm", "ledger")
    assert status == 0, said
    size = int(pair.sh("ec-a", "df -B1 --output=size /srv/ledger | tail -1"))
    assert LARGER - (128 << 20) < size < LARGER
    assert set(asked.given) <= pair.lines("ec-a")


def await_grow(pair: Pair) -> None:
    """A mirror is compared after a power cut, and does not grow meanwhile."""
    end = time.monotonic() + LONG
    while (found := try_(pair, "ec-a", *GROW, "--dry-run"))[0] != 0:
        assert time.monotonic() < end, found
        time.sleep(2)


@pytest.mark.requirement("A14", "A61")
def test_an_owner_goes_on_with_half_a_mirror_and_the_other_node_takes_that_half(pair: Pair, asked: Client) -> None:
    lab = pair.lab
    lab.disk_error("ec-a", "asset1", True)
    wait_until("md gives the leg up", lambda: "(F)" in pair.sh("ec-a", "cat /proc/mdstat"), timeout=LONG, pause=0.5)
    asked.wait_for("ec-a")
    say_half = "tanist check ledger 2>&1 | grep -F '1 of 2 disks in sync' || :"
    wait_until("check says so", lambda: pair.sh("ec-a", say_half) != "", timeout=LONG, pause=1)

    lab.cut("ec-a")
    given = asked.given
    _, said = pair.take_over("ec-b", "--attest", "its lamps are out", "--reason", "ec-a is dead")
    assert f"{ASSET1}: left behind (" in said, said
    asked.wait_for("ec-b")
    assert set(given) <= pair.lines("ec-b"), "answered and lost"
    assert "[U_]" in pair.sh("ec-b", "cat /proc/mdstat"), "the leg that was left behind is not taken"


@pytest.mark.requirement("A14", "A44")
def test_an_owner_whose_last_disk_vanishes_gives_up(pair: Pair, asked: Client) -> None:
    lab = pair.lab
    assert pair.in_use("ec-b"), "the story did not come so far"
    asked.wait_for("ec-b")
    lab.disk_pull("ec-b", "asset0")
    wait_until("ec-b is inert", lambda: not pair.in_use("ec-b"), timeout=LONG, pause=1)

    def told() -> bool:
        return "lost it while it was up" in try_(pair, "ec-b", "tanist", "status", "ledger")[1]

    wait_until("status tells why", told, timeout=LONG, pause=1)
