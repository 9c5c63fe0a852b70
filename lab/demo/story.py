"""What happens, in order: load, capture, power cut, takeover, return of the dead host, and the way home."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial

from lab.checks import KnownHost
from lab.demo.looks import Looks
from lab.demo.pair import NEW, OLD, Subject
from lab.demo.promises import Finding, Promise
from lab.demo.screen import Screen, render_seconds
from lab.lab import Lab
from lab.layout import node_spec

ATTEST = "I pulled the plug of ec-a and saw it dark"
NOT_PROVED = 4  # exit status
LOAD = 2.0  # seconds of load before something happens


class StoryBroken(Exception):
    """A command did not do what all that follows stands on. Its evidence was shown."""


class Story:
    def __init__(self, lab: Lab, screen: Screen, looks: Looks, subjects: Sequence[Subject]) -> None:
        self.lab, self.screen, self.looks, self.subjects = lab, screen, looks, subjects

    def tell(self, own_keys: KnownHost) -> None:
        self.load(own_keys)
        self.power_cut()
        self.return_of_the_dead()
        self.way_home()

    # ---- chapters

    def load(self, own_keys: KnownHost) -> None:
        self.screen.chapter(1, "Clients write through the service address")
        with self.screen.doing("the client notes the ssh host keys of the service addresses"):
            for one in self.subjects:
                one.ssh.remember()
        with self.screen.doing(f"what is: {NEW} to the byte, accounts, owners of all files on {OLD}"):
            self.looks.remember(self.subjects, own_keys)
        for one in self.subjects:
            with self.screen.doing(
                f"{one.name}: {one.ledger.threads} writers on {one.address}, a ledger of each answer"
            ):
                one.ledger.start()

    def power_cut(self) -> None:
        self.screen.chapter(2, f"{OLD} loses its power; {NEW} takes over")
        for one in self.subjects:
            self.command(OLD, ["habackup", one.name])
        with self.screen.doing("the load runs"):
            time.sleep(LOAD)
        with self.screen.doing(f"POWER CUT of {OLD}, in the middle of the writes"):
            cut = self.lab.cut(OLD)
        for one in self.subjects:
            self.refused_takeover(one)
        self.look_at_other(Promise.UNCHANGED)
        for one in self.subjects:
            self.takeover(one, cut.at)
        for one in self.subjects:
            self.look_at(one, "its writes, ssh keys and owners", self.looks.same_owners)
        self.looks.look(f"what is {NEW}'s own", self.looks.foreign)

    def look_at(self, one: Subject, what: str, last: Callable[[Subject], Finding]) -> None:
        looks = (self.looks.writes, self.looks.same_keys, last)
        self.looks.look(f"{one.name}: {what}", *(partial(look, one) for look in looks))

    def look_at_other(self, promise: Promise) -> None:
        self.looks.look(f"{NEW} is compared with what it was", partial(self.looks.same_as_before, promise))

    def refused_takeover(self, subject: Subject) -> None:
        done = self.command(NEW, ["tanist", "takeover", subject.name], wanted=NOT_PROVED)
        lines = done.stderr.decode().splitlines()
        why = next((line for line in lines if line.startswith("refused: ")), "")
        self.screen.quote(read_evidence(lines))
        good = done.returncode == NOT_PROVED and bool(why)
        text = f"exit status {done.returncode}: {why.removeprefix('refused: ').split(' (')[0] or 'no refusal'}"
        self.looks.saw(Finding(Promise.REFUSED, subject.name, text, good, lines))

    def takeover(self, subject: Subject, cut: float) -> None:
        begun = time.monotonic()
        argv = ["tanist", "takeover", subject.name, "--attest", ATTEST]
        done = self.command(NEW, argv)
        self.screen.steps(self.read_steps(NEW, subject))
        state = self.lab.exec(NEW, ["tanist", "status", subject.name])
        good = done.returncode == 0 and state.returncode == 0
        text = f"exit status {done.returncode} in {render_seconds(time.monotonic() - begun)}"
        self.looks.saw(Finding(Promise.TAKEN, subject.name, text, good, tail(done) + tail(state)))
        if not good:
            raise StoryBroken(f"{subject.name} did not come up on {NEW}")
        clients = partial(self.looks.clients, subject, cut, begun, "power cut")
        self.looks.look(f"{subject.name}: the client's ledger", clients)

    def return_of_the_dead(self) -> None:
        self.screen.chapter(3, f"{OLD} gets its power back")
        with self.screen.doing(f"{OLD} boots"):
            self.lab.boot(OLD)
        for one in self.subjects:
            self.screen.quote(self.looks.journal(one))
        says = (partial(self.looks.says_owner, one) for one in self.subjects)
        self.looks.look(f"what {OLD} is now", partial(self.looks.inert, self.subjects), *says)

    def way_home(self) -> None:
        self.screen.chapter(4, "Home again, planned, under load")
        for one in self.subjects:
            self.switchover(one)
        with self.screen.doing("the writers stop"):
            for one in self.subjects:
                one.ledger.stop()
        for one in self.subjects:
            owner = partial(self.looks.one_owner, expected=(OLD, NEW, OLD))
            self.look_at(one, "its writes, its ssh keys and the wire", owner)
        self.look_at_other(Promise.RESTORED)

    def switchover(self, subject: Subject) -> None:
        begun = time.monotonic()
        done = self.command(NEW, ["tanist", "switchover", subject.name, "--to", OLD])
        steps = [(f"{node}: {says}", took) for node in (NEW, OLD) for says, took in self.read_steps(node, subject)]
        self.screen.steps(steps)
        states = [self.lab.exec(node, ["tanist", "status", subject.name]) for node in (OLD, NEW)]
        codes = [one.returncode for one in states]
        good = done.returncode == 0 and codes == [0, 10]
        text = (
            f"exit status {done.returncode}; {OLD} active, {NEW} standby" if good else f"exit status {done.returncode}"
        )
        self.looks.saw(
            Finding(Promise.HOME, subject.name, text, good, tail(done) + [t for one in states for t in tail(one)])
        )
        if not good:
            raise StoryBroken(f"{subject.name} did not come home to {OLD}")
        clients = partial(self.looks.clients, subject, begun, begun, "switchover")
        self.looks.look(f"{subject.name}: the client's ledger", clients)

    # ---- commands

    def command(self, node: str, argv: Sequence[str], wanted: int = 0) -> subprocess.CompletedProcess[bytes]:
        """Shown as it is typed. An unexpected status shows what was said; the caller decides what it means."""
        with self.screen.doing(f"{node}# {shlex.join(argv)}"):
            done = self.lab.exec(node, argv, timeout=180)
        if done.returncode != wanted:
            self.screen.evidence([f"exit status {done.returncode}", *tail(done)])
        return done

    def read_steps(self, node: str, subject: Subject) -> list[tuple[str, float]]:
        """The newest run's own account of its time, from tanist history."""
        done = self.lab.exec(node, ["tanist", "history", subject.name, "--json"])
        runs = [json.loads(line) for line in done.stdout.decode().splitlines()] if done.returncode == 0 else []
        mine = [run for run in runs if run.get("node") == node]
        return [(str(says), float(seconds)) for says, seconds in mine[-1]["steps"]] if mine else []


def read_evidence(lines: Sequence[str]) -> list[str]:
    """What tanist saw of the old owner: the lines between "evidence:" and "verdict:"."""
    found: list[str] = []
    for line in lines:
        if line.startswith("verdict:"):
            return found
        if line.startswith("  "):
            found.append(line.removeprefix("  "))
    return found


def tail(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    return (done.stdout + done.stderr).decode(errors="replace").splitlines()[-12:]


def remember_own_keys(lab: Lab) -> KnownHost:
    """The host's own ssh keys, before it became anything else."""
    own = KnownHost(lab, node_spec(OLD).mgmt_ip)
    own.remember()
    return own
