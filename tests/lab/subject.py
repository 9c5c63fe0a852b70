"""A controller on the lab's two nodes, as tests drive it and look at it: commands in, what is there out.

The look is direct (mounts, addresses, units, the claim on the raw device) and taken beside what `tanist status` says,
so that the one can be held against the other. Nothing here changes a node except through tanist itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lab.checks import Fingerprint, LedgerRun, diff, read_fingerprint
from lab.checks.ledger import Kind
from lab.controllers import opscenter, postgresql
from lab.controllers.install import install_tanist
from lab.lab import Lab
from lab.layout import node_spec

NODES = ("ec-a", "ec-b")
LOOK = Path(__file__).with_name("on_node_look.py")
# what may differ in a fingerprint, each with the reason
MAY_DIFFER = re.compile(
    r"unit (new|gone): ((tanist(-gate)?|habackup)@|network-online)"  # a boot starts them, a set-up does not
    r"|unit (new|gone): .*\.mount "  # systemd notices late; the mounts themselves are compared
    r"|/etc(/cron\.d|/ssl/private|/ssl/certs|/exports\.d)?: time "  # an entry came and went in it, which is true
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    name: Kind
    hostname: str  # "" in mode alias: the node keeps its own
    address: str
    device: str
    mounts: tuple[str, ...]  # where the asset is to be seen on the active node
    units: tuple[str, ...]
    prepare: Callable[[Lab], None]


POSTGRESQL = Subject(
    name="postgresql",
    hostname="db",
    address=postgresql.ADDRESS,
    device=postgresql.DEVICE,
    mounts=(postgresql.TREE,),
    units=("postgresql@15-main.service",),
    prepare=postgresql.prepare,
)
ON_XFS = replace(POSTGRESQL, prepare=partial(postgresql.prepare, fstype="xfs"))
OPSCENTER = Subject(
    name="opscenter",
    hostname="ec",
    address=opscenter.ADDRESS,
    device=opscenter.DEVICE,
    mounts=(
        opscenter.TREE,
        *("/etc/opt/SUNWuce", "/var/opt/SUNWuce", "/opt/SUNWuce", "/run/tanist/opscenter/unmapped"),
    ),
    units=("sun-xvm-ec.service", "sun-xvm-jobs.service", "sun-xvm-proxy.service"),
    prepare=opscenter.prepare,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look at a node. `journal`: the lines of the run that is open, or () when none is."""

    node: str
    mounts: tuple[str, ...]
    addresses: tuple[str, ...]
    units: tuple[str, ...]
    covers: tuple[str, ...]
    hostname: str
    active_file: bool
    journal: tuple[str, ...]
    claim: str  # "held ec-a 3"
    status: int
    state: str
    why: str

    @property
    def up(self) -> tuple[str, ...]:
        """What of the controller the node has in use."""
        return (*self.mounts, *self.addresses, *self.units)


@dataclass(slots=True)
class Pair:
    """The two nodes. `turn` notes who may have the address from now on ("ec-a>ec-b": first the one, then the other):
    the observer's log is held against it."""

    lab: Lab
    subject: Subject
    ledger: LedgerRun
    own: dict[str, Fingerprint] = field(default_factory=dict)  # each node when it is inert
    turns: list[tuple[float, str]] = field(default_factory=list)
    notes: list[tuple[float, str]] = field(default_factory=list)  # what was typed and done, for who reads a violation
    checks: int = 0
    epoch: int = 0  # the highest that was seen
    turned: int = 0  # resume or undo was refused or failed, and the other one ended the run

    def turn(self, node: str) -> None:
        self.turns.append((time.monotonic(), node))
        self.note(f"the turn of {node or 'nobody'}")

    def note(self, text: str) -> None:
        self.notes.append((time.monotonic(), text))

    def tanist(self, node: str, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[bytes]:
        self.note(f"{node}: tanist {' '.join(words)}")
        done = self.lab.exec(node, ["tanist", words[0], self.subject.name, *words[1:]], timeout=timeout)
        self.note(f"{node}: tanist {' '.join(words)}: status {done.returncode}")
        assert "Traceback" not in said(done), f"{node}: tanist {' '.join(words)}\n{said(done)}"
        return done

    def must(self, node: str, *words: str) -> str:
        done = self.tanist(node, *words)
        assert done.returncode == 0, f"{node}: tanist {' '.join(words)}: status {done.returncode}\n{said(done)}"
        return said(done)

    def sh(self, node: str, script: str, *words: str) -> str:
        return self.lab.exec(node, ["sh", "-c", script, "sh", *words], check=True).stdout.decode().strip()

    def look(self, node: str) -> Seen:
        one = self.subject
        wanted = {
            "name": one.name,
            "device": one.device,
            "address": one.address,
            "mounts": one.mounts,
            "units": one.units,
        }
        done = self.lab.exec(
            node, ["python3", "-I", "-B", "-", json.dumps(wanted)], input=LOOK.read_bytes(), check=True
        )
        return parse_seen(node, done.stdout)

    def is_on(self, node: str) -> bool:
        return any(one.name == node and one.state != "off" for one in self.lab.status().nodes)

    # ---- what must hold

    def check_active(self, node: str) -> None:
        """`node` runs all of it, the other one nothing; clients write, and every acknowledged write is there."""
        self.checks += 1
        seen, one = self.look(node), self.subject
        assert (seen.mounts, seen.addresses, seen.units) == (one.mounts, (one.address,), one.units), seen
        assert (seen.state, seen.status, seen.hostname) == ("active", 0, one.hostname or node), seen
        assert seen.claim.startswith(f"held {node} "), seen
        assert seen.active_file, seen
        assert not seen.journal, seen
        if self.is_on(other_node(node)):
            other = self.look(other_node(node))
            assert not other.up, other
            assert other.hostname == other.node, other
        self.check_writes()

    def check_epoch(self, seen: Seen) -> None:
        """It never goes back. A claim that cannot be read says nothing."""
        words = seen.claim.split()
        epoch = int(words[2]) if len(words) == 3 and words[0] in ("held", "released") else self.epoch
        assert epoch >= self.epoch, f"epoch {self.epoch} was seen before: {seen}"
        self.epoch = epoch

    def check_history(self) -> None:
        """Seen from either node all copies are intact."""
        for node in NODES:
            self.must(node, "history", "verify")

    def check_writes(self) -> None:
        self.ledger.wait_ack(time.monotonic())
        verdict = self.ledger.verify()
        for _ in range(20):
            if verdict.status != 3:  # 3: the ledger's last line was being written
                break
            verdict = self.ledger.verify()
        assert verdict.status == 0, f"acknowledged writes: {verdict}"

    def check_inert(self, node: str, *, files: bool = True) -> Seen:
        """Nothing of the controller, own name, no unfinished run; with `files` own files as before, byte for byte."""
        self.checks += 1
        seen = self.look(node)
        assert not seen.up, seen
        assert not seen.covers, seen
        assert (seen.state, seen.status) == ("standby", 10), seen
        assert seen.hostname == node, seen
        assert not seen.active_file, seen
        assert not seen.journal, seen
        if files:
            changed = self.changes(node)
            for _ in range(10):  # after a boot routes and units take a moment to settle; files do not change by waiting
                if not changed:
                    break
                time.sleep(0.5)
                changed = self.changes(node)
            assert not changed, f"{node} is not what it was: {changed}"
        return seen

    def changes(self, node: str) -> list[str]:
        now = read_fingerprint(self.lab, node)
        return [one for one in diff(self.own[node], now) if not MAY_DIFFER.match(one)]

    def check_released(self, node: str) -> None:
        """Both inert, `node` to the byte (the other's turn comes); the claim free to take."""
        seen = self.check_inert(node)
        assert seen.claim.startswith("released "), seen
        self.check_inert(other_node(node), files=False)
        self.turn("")

    def check_address_had_one_owner(self) -> int:
        """No frame claimed the service address from a node whose turn it was not; answers how many were looked at."""
        frames = self.lab.observer.macs(self.subject.address)
        begun = self.turns[0][0]
        wrong: list[tuple[float, str]] = []
        moved: set[int | None] = set()
        for at, mac in frames:
            index = next((n for n, (when, _) in reversed([*enumerate(self.turns)]) if when <= at), None)
            node = self.turns[index][1] if index is not None else ""
            if ">" in node:  # a switchover: the first one's, until the second one has it
                first, second = node.split(">")
                moved.update({index} if mac == node_spec(second).mac("svc") else ())
                node = second if index in moved else first
            if at >= begun and (not node or mac != node_spec(node).mac("svc")):
                wrong.append((at, f"{mac}, when it was {node or 'nobody'}'s turn"))
        assert not wrong, self.tell_around(wrong)
        return len(frames)

    def tell_around(self, wrong: list[tuple[float, str]]) -> str:
        """These, in the midst of what was typed and done before and after."""
        near = [one for one in self.notes if any(-30 < one[0] - at < 5 for at, _ in wrong)]
        return "\n".join(f"{at:.3f} {text}" for at, text in sorted((*near, *wrong)))


def other_node(node: str) -> str:
    return NODES[1 - NODES.index(node)]


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout + done.stderr).decode(errors="replace")


def parse_seen(node: str, text: bytes) -> Seen:
    body: dict[str, Any] = {}
    for key, value in json.loads(text).items():
        body[key] = tuple(value) if isinstance(value, list) else value
    return Seen(node=node, **body)


def set_up(lab: Lab, subject: Subject) -> Pair:
    """Fresh nodes, tanist on them, the controller released, each node's fingerprint taken, writers at work."""
    lab.up()
    install_tanist(lab)
    subject.prepare(lab)
    ledger = LedgerRun(lab, subject.name, subject.address, rate=40, threads=1)
    pair = Pair(lab, subject, ledger)
    pair.turn("ec-a")
    ledger.start()
    pair.must("ec-a", "release")
    for node in NODES:
        pair.own[node] = read_fingerprint(lab, node)
    pair.check_released("ec-a")
    return pair


def expect(done: subprocess.CompletedProcess[bytes], status: int, texts: Sequence[str]) -> str:
    """The message, if it has this exit status and all of these texts."""
    message = said(done)
    missing = [text for text in texts if text not in message]
    assert done.returncode == status and not missing, f"status {done.returncode}, without {missing}:\n{message}"
    return message
