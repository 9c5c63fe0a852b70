"""Kill points by chance for hours: `make campaign HOURS=n` (python -m tests.lab.campaign --hours n [--seed s]).

Each point: a command on a controller under load, cut off on either node by kill -9 of tanist (at a journal record, or
at the entry of a system call that changes the machine or starts a program) or by a power cut at the same place or at
a chance moment; then resume, undo, or the other node. Each ends with a node that serves, every acknowledged write
there, and then with both nodes inert to the byte. Never may two nodes have the asset mounted or the address, however
short (witness.py), nor the epoch go back, nor tanist end in a traceback; at each lab's end the observer's frames are
checked for two owners, and the histories are intact. docs/campaign.md keeps the last full result.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from lab.controllers import postgresql
from lab.controllers.power import define_power, fit_power
from lab.errors import LabError
from lab.lab import Lab
from lab.run import wait_until
from tests.lab.kills import KILLED, is_open, let_go, take
from tests.lab.subject import (
    NODES,
    ON_XFS,
    OPSCENTER,
    POSTGRESQL,
    Pair,
    Subject,
    expect,
    other_node,
    said,
    set_up,
)
from tests.lab.witness import Witness, watched
from tests.seeds import read_seed
from tools.build_wheel import wheel

Verb = Literal[
    "takeover",
    "takeover --reboot",
    "release",
    "switchover",
    "switchover typed there",
    "restore",
    "start",
    "init",
    "enable",
]
How = Literal[
    "kill at a record", "kill at a call", "power cut at a record", "power cut at a call", "power cut any time"
]
Way = Literal["resume", "undo", "other node"]
VERBS: tuple[Verb, ...] = (
    *("takeover", "takeover", "takeover --reboot", "release", "release"),
    *("switchover", "switchover typed there", "restore", "start", "init", "enable"),
)
HOWS: tuple[How, ...] = (
    "kill at a record",
    "kill at a call",
    "power cut at a record",
    "power cut at a call",
    "power cut any time",
)
CALLS = "move_mount,mount,umount2,sethostname,rename,renameat,renameat2,sendmsg,sendto,vfork,clone,clone3,unlinkat"
FIRST, LEAST, MOST = 24.0, 4.0, 120.0  # records or calls of a process of the command; a point beyond them is none


def prepare_by_power(lab: Lab) -> None:
    """The word of either node is kept, a free claim needs one, and attestation is not enough (docs/design/proof.md)."""
    postgresql.prepare(lab)
    fit_power(lab)
    define_power(lab, "postgresql")


SUBJECTS: dict[str, Subject] = {
    "PostgreSQL, ext4, mode host, by power": replace(POSTGRESQL, prepare=prepare_by_power),
    "PostgreSQL, ext4, mode alias": Subject(
        name="postgresql",
        hostname="",
        address=postgresql.ADDRESS,
        device=postgresql.DEVICE,
        mounts=(postgresql.TREE,),
        units=("postgresql@15-main.service",),
        prepare=partial(postgresql.prepare, mode="alias"),
    ),
    "Ops Center, ext4, mode host": OPSCENTER,
    "PostgreSQL, xfs, mode host": ON_XFS,
    "PostgreSQL, ext4, mode host": POSTGRESQL,
}
INSTALLED = "ec-a"  # where the server was installed: its files and its numbers are that node's, until there is a claim
# a new asset, and nodes that know of none: nothing of a claim, a history, a capture is left (released on both)
FORGET_ASSET = 'mount "$1" /mnt && rm -rf /mnt/.tanist; umount /mnt'
STOP_WATCH = 'systemctl stop "tanist-watch@$1"'  # on both first: one writes what the other's exchange brings
FORGET_NODE = 'rm -rf "/var/lib/tanist/$1"'
START_WATCH = 'systemctl start "tanist-watch@$1"'
# a run of a person's, or its half on the node that another node's run has called
AT_WORK = (
    'pgrep -f "[t]anist (takeover|release|switchover|resume|undo|init|enable|start|capture) |[h]arestore|[h]abackup"'
)


class Chance(random.Random):
    """With what all labs have learned of how far a command's records and calls reach: two points in five miss."""

    def __init__(self, seed: int, reach: dict[tuple[Verb, str], float]) -> None:
        super().__init__(seed)
        self.reach = reach

    def pick_call(self, verb: Verb, calls: str) -> int:
        return self.randint(1, round(self.reach.setdefault((verb, calls), FIRST)))

    def learn(self, verb: Verb, calls: str, cut_off: bool) -> None:
        self.reach[verb, calls] = min(MOST, max(LEAST, self.reach[verb, calls] * (1.2 if cut_off else 0.75)))


@dataclass(slots=True)
class Result:
    subject: str
    points: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # verb, how, way
    missed: int = 0  # the command had ended before
    turned: int = 0  # resume or undo was refused or failed, and the other one had to do it
    rounds: int = 0  # of the witness
    checks: int = 0
    frames: int = 0
    acknowledged: int = 0
    violations: list[str] = field(default_factory=list)


# ---- one point
def run_point(pair: Pair, witness: Witness, pick: Chance) -> tuple[str, str, str] | None:
    """From both released to both released. None when the command had ended before it could be cut off."""
    verb, how, node = pick.choice(VERBS), pick.choice(HOWS), pick.choice(NODES)
    node = INSTALLED if verb == "init" else node
    way: Way = pick.choice(("resume", "undo", "other node") if how.startswith("power") else ("resume", "undo"))
    told = f"{verb} on {node}, {how}, then {way}"
    pair.note(f"point: {told}")
    try:
        if verb == "init":
            forget(pair)
        elif not verb.startswith("takeover"):
            take(pair, node)
        before = pair.look(node).journal
        assert not before, before
        boot = init_pid(pair, node)
        victim = other_node(node) if verb.startswith("switchover") and pick.random() < 0.5 else node
        cut_off = start_again(pair, node, pick) if verb == "start" else interrupt(pair, verb, node, victim, how, pick)
        if how.startswith("power") or verb == "start":
            after_the_cut(pair, victim, "resume" if verb == "init" else way, pick)
        elif verb == "takeover --reboot":
            await_own_boot(pair, node, boot)
        await_halves(pair)
        if verb == "enable":
            pair.must(node, "enable")
        come_home(pair, way, pick)
        witness.check()
    except (AssertionError, LabError) as error:
        raise AssertionError(f"{told}:\n{error}") from error
    return (verb, "power cut any time" if verb == "start" else how, way) if cut_off else None


def forget(pair: Pair) -> None:
    """Both nodes released: as before the first `init`, with the server's data in its place."""
    pair.check_history()
    pair.epoch = 0
    pair.sh("ec-a", FORGET_ASSET, pair.subject.device)
    for script in (STOP_WATCH, FORGET_NODE, START_WATCH):
        for node in NODES:
            pair.sh(node, script, pair.subject.name)


def words_of(verb: Verb, name: str) -> tuple[str, ...]:
    command, *options = verb.removesuffix(" typed there").split()
    return ("tanist", command, name, *options)


def interrupt(pair: Pair, verb: Verb, node: str, victim: str, how: How, pick: Chance) -> bool:
    """Whether the command was cut off."""
    pair.turn(f"{node}>{other_node(node)}" if verb.startswith("switchover") else node)
    typed_on = other_node(node) if verb == "switchover typed there" else node
    words = words_of(verb, pair.subject.name)
    if how == "power cut any time":
        return cut_while(pair, words, typed_on, victim, pick.uniform(0.05, 1.5))
    calls = "fdatasync" if "record" in how else CALLS
    inject = f"inject={calls}:signal=SIGKILL:when={pick.pick_call(verb, calls)}"
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", f"trace={calls}", "-e", inject]
    pair.note(f"{typed_on}: {' '.join(words)}, {inject}, on {victim}")
    done = pair.lab.exec(typed_on, [*argv, *words], timeout=180)
    pair.note(f"{typed_on}: {' '.join(words)}: status {done.returncode}")
    assert "Traceback" not in said(done), said(done)
    cut_off = done.returncode == KILLED
    pick.learn(verb, calls, cut_off)
    if how.startswith("power cut"):
        pair.lab.cut(victim)
        pair.turn("")
    return cut_off


def cut_while(pair: Pair, words: tuple[str, ...], node: str, victim: str, seconds: float) -> bool:
    ran: list[subprocess.CompletedProcess[bytes]] = []
    typed = threading.Thread(target=lambda: ran.append(pair.lab.exec(node, words, timeout=180)), daemon=True)
    typed.start()
    time.sleep(seconds)
    alive = typed.is_alive()
    pair.lab.cut(victim)
    typed.join(240)
    return alive


def start_again(pair: Pair, node: str, pick: random.Random) -> bool:
    """The owner loses its power, and again while it comes up."""
    pair.turn(node)
    pair.lab.cut(node)
    pair.lab.boot(node)
    time.sleep(pick.uniform(0.0, 2.0))
    pair.lab.cut(node)
    return True


# ---- and the way home
def after_the_cut(pair: Pair, victim: str, way: Way, pick: random.Random) -> None:
    """The other node takes it while the victim is off, or the victim boots first. The other's half of a switchover may
    still be at work: then the victim may boot beside it."""
    other = other_node(victim)
    if way == "other node" or pick.random() < 0.5:
        await_half(pair, other)
    seen = pair.look(other)
    if way == "other node" and not seen.active_file and not is_open(seen):
        pair.turn(other)
        pair.must(other, "takeover", "--attest", "its power was cut")
        pair.check_active(other)
    elif seen.claim.startswith(f"held {victim} ") and not seen.up:
        pair.turn(victim)  # the other one's release has let go, whatever of it was cut off
    elif seen.active_file or seen.up:
        pair.turn(other)
    else:
        pair.turn(f"{victim}>{other}")
    pair.lab.boot(victim)
    await_gate(pair, victim)


def await_gate(pair: Pair, node: str) -> None:
    """What a boot does by itself is over."""
    unit = f"tanist@{pair.subject.name}"
    script = 'systemctl show -P ActiveState "$1"'
    wait_until("tanist@ has ended", lambda: pair.sh(node, script, unit) not in ("activating", "inactive"), timeout=90)


def await_halves(pair: Pair) -> None:
    """Who typed a switchover was killed; what it had called on the other node goes on, and the turn stays as it is."""
    for node in NODES:
        await_half(pair, node)


def await_half(pair: Pair, node: str) -> None:
    def is_over() -> bool:
        return pair.lab.exec(node, ["sh", "-c", AT_WORK]).returncode == 1

    wait_until(f"nothing is at work on {node}", is_over, timeout=120, pause=0.2)


def init_pid(pair: Pair, node: str) -> int | None:
    return next(one.pid for one in pair.lab.status().nodes if one.name == node)


def await_own_boot(pair: Pair, node: str, boot: int | None) -> bool:
    """Whether it restarts by itself, or has since it had that PID 1; then it is up, and what the boot does is over."""
    if init_pid(pair, node) == boot:
        jobs = pair.lab.exec(node, ["systemctl", "list-jobs", "--plain"])
        if jobs.returncode == 0 and b"reboot.target" not in jobs.stdout:
            return False
    pair.lab.wait_booted(node, after=boot)
    await_gate(pair, node)
    return True


def come_home(pair: Pair, way: Way, pick: random.Random) -> None:
    """Every open run ends, one node serves, and then both are inert to the byte."""
    first = "undo" if way == "undo" else "resume"
    for node in NODES:
        await_filed(pair, node, pick)
        pair.checks += 1
        seen = {name: pair.look(name) for name in NODES}
        for one in seen.values():
            pair.check_epoch(one)
        assert not (seen["ec-a"].up and seen["ec-b"].up), seen
        if is_open(seen[node]):
            if not seen[other_node(node)].up:
                pair.turn(node)
            end_open_run(pair, node, first)
    owners = [name for name in NODES if pair.look(name).active_file]
    assert len(owners) <= 1, owners
    if owners:
        pair.turn(owners[0])
    owner = owners[0] if owners else have_an_owner(pair, pick.choice(NODES))
    pair.check_active(owner)
    let_go(pair, owner)
    pair.check_inert(other_node(owner))


def have_an_owner(pair: Pair, node: str) -> str:
    """What a person types where nobody is active, and what the answer says. Answers who is active then."""
    if pair.look(INSTALLED).claim.startswith("none"):
        first = True
    else:
        pair.turn(node)
        done = pair.tanist(node, "takeover")
        first = f"tanist init {pair.subject.name}" in said(done)
        assert done.returncode == (3 if first else 0), f"{node}: takeover: status {done.returncode}\n{said(done)}"
    if not first:
        return node
    pair.turn(INSTALLED)
    pair.must(INSTALLED, "init")
    return INSTALLED


def await_filed(pair: Pair, node: str, pick: random.Random) -> None:
    """A run that was killed behind its last record is over: the next command files it away, or the watch does."""
    if not (seen := pair.look(node)).journal or is_open(seen):
        return
    if pick.random() < 0.5:
        expect(pair.tanist(node, "resume"), 3, ["nothing to resume or undo"])
    wait_until(f"{node} has filed its run away", lambda: not pair.look(node).journal, timeout=20, pause=0.5)


def end_open_run(pair: Pair, node: str, first: str) -> None:
    boot = init_pid(pair, node)
    done = pair.tanist(node, first)
    if done.returncode != 0 and not await_own_boot(pair, node, boot):
        assert done.returncode in (3, 4, 7), f"{first}: status {done.returncode}\n{said(done)}"
        pair.turned += 1
        pair.must(node, "undo" if first == "resume" else "resume")
    left = pair.look(node)
    assert not left.journal, left


# ---- many points
def play(subject: str, number: int, chance: Chance, until: float) -> Result:
    """One lab until the time is over, or until its first violation, which is kept."""
    result = Result(subject)
    lab = Lab(f"c{number}p{os.getpid()}")
    try:
        pair = set_up(lab, SUBJECTS[subject])
        try:
            with watched(lab.layout, pair.subject.device, pair.subject.address) as witness:
                while time.monotonic() < until:
                    point = run_point(pair, witness, chance)
                    result.points.update([point] if point else [])
                    result.missed += point is None
                    print(f"{subject}: {', '.join(point) if point else 'over before'}", flush=True)
            check_whole(pair, witness, result)
        except Exception as error:  # noqa: BLE001 - kept in the report, whatever it was
            result.violations.append(f"{subject}, after {result.points.total()} points: {error}")
            print(f"VIOLATION: {result.violations[-1]}", flush=True)
        result.checks, result.turned = pair.checks, pair.turned
        result.acknowledged = len(pair.ledger.acks())
    finally:
        lab.down()
    return result


def check_whole(pair: Pair, witness: Witness, result: Result) -> None:
    """What is held against everything that happened in a lab. Witnesses that saw nothing at all are none."""
    witness.check()
    result.rounds = witness.rounds
    assert witness.had or not result.points, "the asset was never seen mounted"
    result.frames = pair.check_address_had_one_owner()
    assert result.frames or not result.points, "no frame of the address was seen"
    pair.check_history()


def run(hours: float, seed: int, labs: int, names: list[str]) -> list[Result]:
    wheel()
    until = time.monotonic() + hours * 3600
    found: list[Result] = []
    reach: dict[tuple[Verb, str], float] = {}
    with ThreadPoolExecutor(labs) as pool:
        each = -(-len(names) // labs)
        share = (until - time.monotonic()) / each

        def lane(number: int) -> None:
            for turn in range(each):
                at = number + turn * labs
                end = time.monotonic() + share
                found.append(play(names[at % len(names)], at, Chance(seed + at, reach), end))

        for future in [pool.submit(lane, number) for number in range(labs)]:
            future.result()
    return found


@dataclass(slots=True)
class Busy:
    """How busy the machine is meanwhile, with the campaign and everything else."""

    begun: float = field(default_factory=time.monotonic)
    ticks: tuple[int, int] = field(default_factory=lambda: read_ticks())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def describe(self) -> str:
        idle, total = (now - then for now, then in zip(read_ticks(), self.ticks, strict=True))
        return f"{os.cpu_count()} processors, {100 * (1 - idle / max(total, 1)):.0f} % busy with it and everything else"


def read_ticks() -> tuple[int, int]:
    """(idle, all), since the boot (proc(5), /proc/stat: idle and iowait; the guests' are in the first two)."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def render(results: list[Result], seed: int, labs: int, busy: Busy) -> str:
    """The report that docs/campaign.md keeps."""
    points = Counter[tuple[str, str, str]]()
    for one in results:
        points.update(one.points)
    bad = [text for one in results for text in one.violations]
    rows = [f"| {verb} | {how} | {way} | {times} |" for (verb, how, way), times in sorted(points.items())]
    subjects = [
        f"| {one.subject} | {one.points.total()} | {one.checks} | {one.frames} | {one.acknowledged} |"
        for one in results
    ]
    return "\n".join(
        [
            "# The last campaign of kills",
            "",
            "`make campaign HOURS=n` plays kill points by chance in the container lab and keeps its result here"
            " (tests/lab/campaign.py says what a point is and what is checked after it).",
            "",
            f"Seed {seed}, {busy.seconds:.0f} s, {labs} labs side by side, {points.total()} points,"
            f" {sum(one.missed for one in results)} more that came after the command's end (checked as well),"
            f" **{len(bad)} violations**. Resume or undo was refused or failed, so that the other one ended the run:"
            f" {sum(one.turned for one in results)}. Who had asset and address was read from outside"
            f" {sum(one.rounds for one in results)} times. The machine: {busy.describe()}.",
            "",
            "| controller | points | whole checks | ARP frames of the address | acknowledged writes, all there |",
            "|---|---|---|---|---|",
            *subjects,
            "",
            "| command | cut off by | then | points |",
            "|---|---|---|---|",
            *rows,
            *(["", "## Violations", "", *(f"```\n{text}\n```" for text in bad)] if bad else []),
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=read_seed())
    parser.add_argument("--labs", type=int, default=2)
    parser.add_argument("--only", choices=list(SUBJECTS), action="append", help="these controllers")
    parser.add_argument("--report", type=Path, default=Path(__file__).parents[2] / "docs/campaign.md")
    asked = parser.parse_args()
    busy = Busy()
    results = run(asked.hours, asked.seed, asked.labs, asked.only or list(SUBJECTS))
    text = render(results, asked.seed, asked.labs, busy)
    asked.report.write_text(text)
    print(text)
    return 1 if any(one.violations for one in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
