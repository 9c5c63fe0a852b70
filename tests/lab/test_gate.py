"""The return gate of a node that is up: an owner that was frozen, taken for dead, and comes back.

A frozen node of this lab shares its kernel with the other one, as no real machine does. So ec-b has the disk through
a loop device of its own: two file systems in memory over one image, as on two machines, and the writes of each can be
counted. One story in the order of the file; the last part is what happens without the gate.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import cgroup, disk
from lab.layout import Layout, node_spec
from lab.run import wait_until
from tests.lab.stage import Stage, make_stage, open_lab

ASK = """
import socket, struct, sys, time
address, seconds = sys.argv[1], float(sys.argv[2])
mine = bytes.fromhex(open("/sys/class/net/svc0/address").read().strip().replace(":", ""))
frame = b"\\xff" * 6 + mine + struct.pack("!HHHBBH6s4s6s4s", 0x0806, 1, 0x0800, 6, 4, 1, mine,
    socket.inet_aton(sys.argv[3]), bytes(6), socket.inet_aton(address))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
wire.bind(("svc0", 0))
end = time.monotonic() + seconds
while time.monotonic() < end:
    wire.send(frame)
    time.sleep(0.05)
"""
GATE = "\n[gate]\nstop_within = 5\n"


@dataclass(frozen=True, slots=True)
class Return:
    """What a zombie did from the moment that it ran again."""

    since: float
    answered: float  # seconds until its MAC was last seen for the address; 0: never
    inert: float  # seconds until nothing of the controller was in use
    writes: int  # blocks of 512 bytes that its own loop device was given


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_lab("gt", tanist=True) as made:
        first = made.disk(0)
        second = disk.attach(first.image)
        number = (Path("/sys/block") / second.name / "dev").read_text().strip()
        major, _, minor = number.partition(":")
        made.exec("ec-b", ["sh", "-c", f"rm /dev/asset0 && mknod -m 660 /dev/asset0 b {major} {minor}"], check=True)
        found = make_stage(made, "postgresql", "ext4", "host", rate=40)
        for node in ("ec-a", "ec-b"):
            found.sh(node, f"cat >> /etc/tanist/controllers/postgresql.toml <<'END'\n{GATE}END")
        found.kept["loops"] = {"ec-a": first.loop.name, "ec-b": second.name}
        yield found


def written(stage: Stage, node: str) -> int:
    """Sectors that this node's loop device was given so far (Documentation/block/stat.rst)."""
    return int((Path("/sys/block") / stage.kept["loops"][node] / "stat").read_text().split()[6])


def steal(stage: Stage, frozen: str, taker: str) -> None:
    """`frozen` is stopped, silent, and believed to be dead."""
    lab = stage.lab
    lab.freeze(frozen)
    os.sync()  # the kernel side of a frozen container lives on: what it would still write is written now
    lab.isolate(frozen)
    stage.tanist(taker, "takeover", "--attest", f"{frozen} is dark", "--reason", "frozen")


def come_back(stage: Stage, node: str, *, seconds: float = 60) -> Return:
    """Thawed, cables in; the client asks for the address all the time."""
    lab, spec = stage.lab, node_spec(node)
    client = node_spec("client").svc_ip
    asking = ["systemd-run", "-q", "--collect", "python3", "-c", ASK, stage.address, f"{seconds:g}", client]
    lab.exec("client", asking, check=True)
    before, since = written(stage, node), time.monotonic()
    lab.join(node)
    lab.thaw(node)
    wait_until("nothing in use", lambda: not stage.activity(node), timeout=seconds, pause=0.1)
    inert = time.monotonic() - since
    at_rest = written(stage, node)
    seen = [at for at, mac in lab.observer.macs(stage.address) if mac == spec.mac("svc") and at > since]
    return Return(since=since, answered=max(seen, default=since) - since, inert=inert, writes=at_rest - before)


def watch_runs(stage: Stage, node: str) -> bool:
    return stage.run(node, "systemctl", "is-active", "-q", f"tanist-watch@{stage.kind}").status == 0


@pytest.mark.requirement("A05", "A61", "A62")
def test_an_owner_that_was_frozen_finds_out_takes_everything_down_and_harms_nothing(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.ledger.start()
    wait_until("the watch runs", lambda: watch_runs(stage, "ec-a"), timeout=30)
    steal(stage, "ec-a", "ec-b")
    stage.ledger.wait_ack(time.monotonic())
    seen = come_back(stage, "ec-a")
    with capsys.disabled():
        print(
            f"\na zombie with the gate: answered for {seen.answered:.2f} s, inert after {seen.inert:.2f} s, "
            f"gave its disk {seen.writes} sectors"
        )
    wait_until("standby", lambda: stage.status("ec-a")["state"] == "standby", timeout=60, pause=0.2)
    status = stage.status("ec-a")
    assert "lost it while it was up: the claim is held by ec-b, epoch 2" in status["why"]
    assert stage.sh("ec-a", "hostname") == "ec-a"
    assert stage.activity("ec-b") == stage.expected_activity("ec-b")
    stage.ledger.wait_ack(time.monotonic())
    verdict = stage.ledger.verify()
    between = [ack for ack in stage.ledger.acks() if seen.since < ack.acked < seen.since + seen.inert]
    with capsys.disabled():
        print(f"{verdict.missing} writes were acknowledged by the zombie before that, and are lost")
    assert verdict.missing <= len(between) and verdict.twice == 0, verdict.evidence
    last = stage.history("ec-a")[-1]
    assert (last["kind"], last["node"], last["outcome"]) == ("release", "ec-a", "done")
    assert "held by ec-b" in last["reason"]


def test_after_it_came_back_so_the_histories_are_one_and_the_way_home_is_open(stage: Stage) -> None:
    def together() -> bool:
        return stage.run("ec-b", "tanist", "history", stage.kind, "verify").out.count("lacks") == 0

    wait_until("the histories are exchanged", together, timeout=60, pause=0.5)
    said = stage.tanist("ec-b", "history", "verify")
    assert "NOT INTACT" not in said
    kinds = [(one["kind"], one["node"]) for one in stage.history("ec-a")]
    assert sorted(kinds) == [("init", "ec-a"), ("release", "ec-a"), ("takeover", "ec-b")]
    stage.switch("ec-b", "ec-a")
    stage.ledger.wait_ack(time.monotonic())
    assert stage.activity("ec-a") == stage.expected_activity("ec-a")
    checked = stage.run("ec-a", "sh", "-c", f"journalctl -q -k -o cat | grep -c 'EXT4-fs error.*{stage.tree}'")
    assert checked.out.strip() in ("", "0")


def test_a_history_that_was_tampered_with_is_told_with_copy_and_entry(stage: Stage) -> None:
    path = f"/var/lib/tanist/{stage.kind}/history.jsonl"
    stage.sh("ec-b", f'cp {path} /root/history && sed -i \'1s/"epoch":1/"epoch":9/\' {path}')
    ran = stage.run("ec-a", "tanist", "history", stage.kind, "verify")
    assert ran.status == 1
    assert "the copy of ec-b" in ran.out and "NOT INTACT: ec-b: altered: line 1" in ran.out
    assert stage.run("ec-a", "tanist", "history", "verify", stage.kind, "--here").status == 0
    stage.sh("ec-b", f"cp /root/history {path}")
    assert stage.run("ec-a", "tanist", "history", stage.kind, "verify").status == 0


def find_record(stage: Stage, node: str, kind: str, step: str) -> int:
    """The number of the record "begun" of the first such step, in the newest such run that was filed on that node."""
    lines = stage.sh(node, f"cat $(ls /var/lib/tanist/{stage.kind}/runs/done/*-{kind}-{node}.jsonl | tail -n 1)")
    records = [json.loads(line) for line in lines.splitlines()]
    plans = [record["body"]["plan"] for record in records if record["body"]["is"] == "PlanMade"]
    ids = [one["id"] for plan in plans for one in plan["steps"] if one["spec"]["is"] == step]
    found = [n for n, one in enumerate(records, 1) if one["body"]["is"] == "StepBegun" and one["body"]["step"] in ids]
    return found[0]


def sleep_within(stage: Stage, node: str, command: str, record: int, taker: str) -> Return:
    """tanist stops right behind that record, and the whole node is frozen then, for as long as the other one takes
    over; then everything goes on where it was."""
    stop = ["-e", "trace=fdatasync", "-e", f"inject=fdatasync:signal=SIGSTOP:when={record}"]
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", *stop, "tanist", command, stage.kind]
    start = ["systemd-run", "-q", "--unit=sleeper", "--property=RemainAfterExit=yes", *argv]
    stage.lab.exec(node, start, check=True)
    count = f"cat /var/lib/tanist/{stage.kind}/runs/*-{command}-{node}.jsonl 2>/dev/null | wc -l"
    wait_until("the record", lambda: int(stage.sh(node, count)) >= record, timeout=60, pause=0.02)
    assert int(stage.sh(node, count)) == record
    steal(stage, node, taker)
    go_on(stage, node)
    seen = come_back(stage, node)
    wait_until(
        "tanist has ended", lambda: go_on(stage, node) or "exited" in substate(stage, node), timeout=60, pause=0.2
    )
    return seen


def go_on(stage: Stage, node: str) -> bool:
    """What is frozen gets the signal when it is thawed."""
    for pid in cgroup.pids(Layout(stage.lab.name).machine(node)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return False


def substate(stage: Stage, node: str) -> str:
    """A unit that failed has ended as well."""
    return stage.sh(node, "systemctl show -P SubState sleeper").replace("failed", "exited")


@pytest.mark.requirement("A05", "A61")
@pytest.mark.parametrize(
    ("node", "taker", "command", "step"),
    [("ec-a", "ec-b", "release", "SaveCapture"), ("ec-b", "ec-a", "takeover", "AddAddress")],
)
def test_a_run_that_was_frozen_in_the_middle_does_nothing_more_when_it_goes_on(
    stage: Stage, node: str, taker: str, command: str, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release behind its services' stop, without the watch beside it; a takeover before its address, with it."""
    record, lost = find_record(stage, "ec-b", command, step), stage.ledger.verify().missing
    if command == "release":
        stage.sh(node, f"systemctl stop tanist-watch@{stage.kind}")
    else:
        stage.tanist(node, "release")
    seen = sleep_within(stage, node, command, record, taker)
    log = stage.sh(node, "journalctl -b -o cat -u sleeper; systemctl stop sleeper; systemctl reset-failed sleeper; :")
    epoch = stage.status(taker)["epoch"]
    assert f"held by {taker}, epoch {epoch}" in log and "is inert" in log, log
    assert stage.activity(taker) == stage.expected_activity(taker)
    assert stage.status(node)["state"] == "standby"
    assert stage.sh(node, "hostname") == node
    with capsys.disabled():
        print(f"\na {command} that slept at record {record}: gave its disk {seen.writes} sectors")
    assert seen.writes <= 8 and seen.answered == 0  # ext4 notes in its journal's own block that it was cut off
    stage.ledger.wait_ack(time.monotonic())
    assert stage.ledger.verify().missing == lost
    stage.sh(node, f"systemctl start tanist-watch@{stage.kind}")


def test_without_the_gate_two_answer_and_both_write(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """What the watch is for, shown by leaving it out. The disk is spoilt afterwards, so this comes last."""
    stage.sh("ec-a", f"systemctl stop tanist-watch@{stage.kind}")
    steal(stage, "ec-a", "ec-b")
    lab, since, before = stage.lab, time.monotonic(), written(stage, "ec-a")
    client = node_spec("client").svc_ip
    lab.exec(
        "client", ["systemd-run", "-q", "--collect", "python3", "-c", ASK, stage.address, "30", client], check=True
    )
    lab.join("ec-a")
    lab.thaw("ec-a")
    stage.sh("ec-a", f"dd if=/dev/zero of={stage.tree}/stale bs=4k count=1 oflag=direct 2>/dev/null")
    mac = node_spec("ec-a").mac("svc")

    def answers() -> bool:
        return any(at > since + 3 and who == mac for at, who in lab.observer.macs(stage.address))

    wait_until("the zombie answers for longer than the watch would let it", answers, timeout=25, pause=0.2)
    assert stage.activity("ec-a") == stage.expected_activity("ec-a")
    assert written(stage, "ec-a") > before
    with capsys.disabled():
        print(f"\na zombie without the gate: answers and writes for good ({written(stage, 'ec-a') - before} sectors)")
    stage.sh("ec-a", f"systemctl start tanist-watch@{stage.kind}")
    wait_until("inert", lambda: not stage.activity("ec-a"), timeout=60, pause=0.1)
    status = stage.run("ec-a", "tanist", "status", stage.kind, "--json")
    assert status.out, status
    assert json.loads(status.out)["state"] == "standby"
