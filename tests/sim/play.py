"""Plays a list of commands in a simulated world: one line of text each, one event each, the invariants after each.

    NODE takeover|release|resume|undo|switchover|restore|capture|boot [--attest|--lie] [--fence] [--reboot]
    NODE watch ROUNDS           its watch looks, once a second: else it does not look at all
    NODE clear                  tanist proofs --clear
    kill NODE N COMMAND...      tanist is killed at NODE's Nth change while COMMAND runs (on whichever node)
    kill NODE "TEXT" COMMAND...   ... at the change that begins with TEXT
    cut NODE N COMMAND...       the same, and NODE's power fails
    at NODE N ( EVENT ) COMMAND...   at NODE's Nth change in COMMAND, EVENT happens (another command, too)
    stall NODE N ( EVENT | EVENT ... ) COMMAND...   NODE is frozen right behind its Nth record in COMMAND, the events
                                happen, then it goes on in the middle of COMMAND
    power NODE off|on           on: the machine boots, with gate and tanist@
    freeze|thaw NODE            paused with everything in it; thaw NODE SECONDS: its clock jumps, else it stood still
    net NODE cut|heal           nobody hears it, it hears nobody
    ssh off|on                  between the nodes
    disk NODE lost|back
    mount-guard off             a second mount works, as it does without ext4's mmp
    clock NODE SECONDS          its wall clock jumps
    wait SECONDS                they pass
    renewals NODE fail|go       of its lease; it runs on
    outlet NODE dead|works      the device that cuts its power answers, or not
    unit NODE fails|works       its first service
    writes N                    clients write N times to whoever serves

--attest: a person looks at the other machine and says that it is off if it is. --lie: says so, whatever it is.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tanist.facts.storage import read_claim_offline
from tanist.host.fake import Crash
from tanist.journal.journal import runs_directory
from tanist.model.claim import Claim
from tanist.model.errors import Failed, Rebooting, Refused, TanistError
from tanist.plan import places
from tanist.runs.backup import backup
from tanist.runs.boot import boot, gate
from tanist.runs.carry_on import resume, undo
from tanist.runs.lease import LeaseEye
from tanist.runs.release import release
from tanist.runs.reservation import ReservationEye, clear
from tanist.runs.restore import harestore
from tanist.runs.switchover import switchover
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.runs.watch import Watcher
from tests.sim.proofs import STRONG, SharedTicks, SimLeases
from tests.sim.world import NODES, SimNode, SimWorld, Trap

if TYPE_CHECKING:
    from tanist.runs.session import Session

RECORD = f"files.append {runs_directory('oc')}/"
RUNS = ("takeover", "release", "resume", "undo", "switchover", "restore", "capture", "boot", "watch", "clear")


class Broken(AssertionError):
    """An invariant does not hold."""


def wait_for_looks(others: frozenset[threading.Thread]) -> None:
    """Those that a run left behind must not see what comes later; `others` were there before and are none of them."""
    for thread in threading.enumerate():
        if thread.name.startswith("look ") and thread not in others:
            thread.join(30)


@dataclass(slots=True)
class Play:
    """`lies`: false attestations that were believed. `said`: one line for each event, those inside others first.
    `believed`: nodes that a person has just said are off, in runs that are going on."""

    world: SimWorld
    said: list[str] = field(default_factory=list)
    lies: int = 0
    acknowledged: list[int] = field(default_factory=lambda: [0])
    epoch: int = 1
    believed: list[str] = field(default_factory=list)
    too_early: int = 0  # machines that a fence had switched off and that were switched on before its run had ended
    watchers: dict[str, Watcher] = field(default_factory=dict)
    frozen_at: dict[str, float] = field(default_factory=dict)
    others: frozenset[threading.Thread] = field(default_factory=lambda: frozenset(threading.enumerate()))

    def run(self, commands: list[str]) -> list[str]:
        for line in commands:
            self.do(line)
            wait_for_looks(self.others)
            self.check(line)
        return self.said

    # -- commands
    def do(self, line: str) -> None:
        words = shlex.split(line)
        match words:
            case ["kill" | "cut" as how, name, where, *rest]:
                self._interrupted(how, name, where, rest)
            case ["at", name, where, "(", *rest]:
                end = rest.index(")")
                self._trap(name, where, lambda: self.do(shlex.join(rest[:end])))
                self.do(shlex.join(rest[end + 1 :]))
                self._node(name).traps.clear()
            case ["stall", name, where, "(", *rest]:
                end = rest.index(")")
                self._node(name).traps.append(Trap(RECORD, int(where), lambda: self._stall(name, rest[:end])))
                self.do(shlex.join(rest[end + 1 :]))
                self._node(name).traps.clear()
            case [node, verb, *_] if node in NODES and verb in RUNS:
                self._command(words)
            case _:
                self._happen(words)

    def _stall(self, name: str, words: list[str]) -> None:
        self.do(f"freeze {name}")
        for line in shlex.join(words).split(" '|' "):
            self.do(line)
        self.do(f"thaw {name}")

    def _happen(self, words: list[str]) -> None:
        match words:
            case ["power", name, "off"]:
                self._node(name).frozen = self._node(name).silent = False
                if self._node(name).power:
                    self._node(name).power_off()
            case ["power", name, "on"]:
                self._power_on(name)
            case ["freeze", name]:
                self._freeze(self._node(name))
            case ["thaw", name, *seconds]:
                self._thaw(self._node(name), float(seconds[0]) if seconds else 0.0)
            case ["wait", seconds]:
                self._wait(float(seconds))
            case ["renewals", name, "fail" | "go" as how]:
                if (leases := self._leases()) is not None:
                    (leases.stop if how == "fail" else leases.resume)(name)
            case ["outlet", name, "dead" | "works" as how]:
                if self.world.proofs is not None and self.world.proofs.outlets is not None:
                    dead = self.world.proofs.outlets.dead
                    (dead.add if how == "dead" else dead.discard)(name)
            case ["net", name, "cut" | "heal" as how]:
                self._node(name).silent = how == "cut" or self._node(name).frozen
            case ["ssh", "off" | "on" as how]:
                self.world.ssh_works = how == "on"
            case ["disk", name, "lost" | "back" as how]:
                self._node(name).lost = how == "lost"
                if (leases := self._leases()) is not None:
                    (leases.stop if how == "lost" else leases.resume)(name)
                    leases.join(name)
            case ["mount-guard", "off"]:
                self.world.disk.guarded = False
            case ["clock", name, seconds]:
                self._node(name).clock.wall += float(seconds)
            case ["unit", name, "fails" | "works" as how]:
                self._node(name).units[self.world.controller.services[0].unit].fails = how == "fails"
            case ["writes", number]:
                self._write(int(number))
            case _:
                raise ValueError(f"no such command: {words}")

    def _leases(self) -> SimLeases | None:
        return self.world.proofs.leases if self.world.proofs is not None else None

    def _freeze(self, node: SimNode) -> None:
        if not node.frozen and (leases := self._leases()) is not None:
            leases.stop(node.name)
            self.frozen_at[node.name] = leases.now
        node.frozen = node.silent = True

    def _thaw(self, node: SimNode, seconds: float) -> None:
        """`seconds` 0: its clocks stood still, and its sanlock goes on as if nothing had been."""
        leases = self._leases()
        node.clock.advance(seconds)
        if leases is not None:
            leases.fire()
        if not node.frozen:
            return
        node.frozen = node.silent = node.gone = False
        if leases is not None and isinstance(node.clock, SharedTicks):
            if not seconds:
                node.clock.lag += leases.now - self.frozen_at[node.name]
                leases.nodes[node.name].stopped = None
            elif leases.state(node.name) == "LIVE":
                leases.resume(node.name)
            else:
                leases.nodes[node.name].holding = False

    def _wait(self, seconds: float) -> None:
        if (leases := self._leases()) is None:
            for node in self.world.nodes.values():
                node.clock.advance(seconds)
            return
        for node in self.world.nodes.values():
            node.clock.wall += seconds
        self.world.clock.advance(seconds)
        leases.fire()

    def _node(self, name: str) -> SimNode:
        return self.world.sim(name)

    def _power_on(self, name: str) -> None:
        node = self._node(name)
        if not node.power:
            self.lies += name in self.believed  # the word was true when it was given; it must stay so until the end
            self.too_early += self._is_being_taken_from(name)
            node.silent = node.frozen = False
            node.boot()
            self._command([name, "boot"])

    def _is_being_taken_from(self, name: str) -> bool:
        """A run of the other node that may have had it switched off has not raised the claim yet."""
        other = NODES[1 - NODES.index(name)]
        return name in self.believed or (self.is_open(other) and self.claim().node == name)

    def _write(self, number: int) -> None:
        for name in self.world.serving()[:1]:
            for _ in range(number):
                self.acknowledged.append(self.acknowledged[-1] + 1)
                self.world.write(name, self.acknowledged[-1])

    def _interrupted(self, how: str, name: str, where: str, rest: list[str]) -> None:
        node = self._node(name)
        if where.isdigit():
            node.crash_after(int(where))
        else:
            self._trap(name, where, lambda: node.die(where))
        self.do(shlex.join(rest))
        killed = node.gone
        node.traps.clear()
        node.revive()
        if killed and how == "cut" and node.power:
            node.power_off()
            self.said.append(f"{name} lost its power")
        elif killed:
            self.said.append(f"{name} tanist was killed")

    def _trap(self, name: str, where: str, act: Callable[[], None]) -> None:
        text, left = ("", int(where)) if where.isdigit() else (where, 1)
        self._node(name).traps.append(Trap(text, left, act))

    # -- runs
    def _command(self, words: list[str]) -> None:
        name, verb, *options = words
        node, other = self._node(name), self._node(NODES[1 - NODES.index(name)])
        if not self.can_type(name) or node.gone:
            self.said.append(f"{name} {verb}: nobody can type there")
            return
        if "--attest" in options and other.power:
            options.remove("--attest")
        lie = "--lie" in options and other.power
        asked = {"--attest", "--lie", "--fence"} & set(options)
        self.believed = [*self.believed, other.name] if asked else self.believed
        before = None if self._is_at_work(name) else self._picture(name)
        try:
            said = self._act(self.world.session(name), verb, options)
        except Refused as refusal:
            said = f"refused {type(refusal).__name__}"
            if type(refusal) is Refused:
                said = "refused"
            if before is not None:
                self._check_unchanged(name, verb, before, refusal)
        except Failed:
            said = "failed"
        except Rebooting:
            self.said.append(f"{name} {verb}: reboots")
            node.power_off()
            self._power_on(name)
            return
        except Crash:
            said = "was cut off"
        finally:
            self.believed = [one for one in self.believed if one != other.name]
        if lie and not said.startswith("refused"):
            self.lies += 1
        self.said.append(f"{name} {verb}: {said}")

    def _is_at_work(self, name: str) -> bool:
        """Does the far side of a switchover go on there meanwhile, in its own thread?"""
        return any(thread.name == f"talk {name}" for thread in threading.enumerate() if thread not in self.others)

    def _act(self, session: Session, verb: str, options: list[str]) -> str:
        word = "the other one is off" if {"--attest", "--lie"} & set(options) else ""
        fence = "--fence" in options
        asked = TakeoverOptions(
            attest=word, reboot="--reboot" in options, fence=fence, reason="it hangs" if fence else ""
        )
        match verb:
            case "takeover":
                takeover(session, asked)
            case "release":
                release(session)
            case "resume":
                resume(session)
            case "undo":
                undo(session)
            case "switchover":
                switchover(session, "", "")
            case "restore":
                harestore(session, asked)
            case "capture":
                backup(session, mirror=True)
            case "boot":
                gate(session)
                return boot(session)
            case "watch":
                return self._watch(session, int(options[0]))
            case "clear":
                clear(session, "")
        return "done"

    def _watch(self, session: Session, rounds: int) -> str:
        """The same watch as before, unless its machine was started since."""
        boot_id = f"{session.node} {session.host.boot_id()}"
        if boot_id not in self.watchers:
            self.watchers[boot_id] = Watcher(session, [LeaseEye(), ReservationEye()])
        opinion = None
        for _ in range(rounds):
            opinion = self.watchers[boot_id].round()
            wait_for_looks(self.others)
            self._wait(1.0)
        return opinion.says if opinion else "nothing to watch"

    # -- invariants
    def check(self, line: str) -> None:
        violations = self.world.violations
        if violations and not self._may_be_two():
            raise Broken(f"after “{line}”: {violations[0]}")
        lost = set(self.acknowledged) - set(self.world.written())
        if lost:
            raise Broken(f"after “{line}”: acknowledged writes are gone: {sorted(lost)}")
        claim = self.claim()
        if claim.epoch < self.epoch:
            raise Broken(f"after “{line}”: the epoch went back from {self.epoch} to {claim.epoch}")
        self.epoch = claim.epoch

    def _may_be_two(self) -> int:
        """With a strong proof no lie makes two; what a power device had off must stay off until the claim is raised."""
        kind = self.world.proofs.kind if self.world.proofs is not None else "none"
        return self.too_early if kind == "power" else 0 if kind in STRONG else self.lies

    def claim(self) -> Claim:
        node = next((node for node in self.world.nodes.values() if not self._node(node.name).lost), self.world.a)
        was, self._node(node.name).lost = self._node(node.name).lost, False
        claim = read_claim_offline(node, self.world.controller.asset, self.world.controller.tree)
        self._node(node.name).lost = was
        if not isinstance(claim, Claim):
            raise Broken(f"the claim can't be read: {claim.why}")
        return claim

    def _picture(self, name: str) -> dict[str, object]:
        """What a refused command must leave as it was."""
        node, outside = self._node(name), {}
        for path in (*self.world.controller.captured_paths, "/etc/hostname"):
            info = node.files.stat(path)
            outside[path] = info and (info.st_mtime_ns, info.st_uid, info.st_mode, info.st_size)
        return {
            "mounts": node.mounts(),
            "addresses": node.interfaces(),
            "units": {unit: one.state for unit, one in node.units.items()},
            "hostname": node.hostname(),
            "keys": node.shown,
            "exports": node.exported,
            "active": node.files.exists(places.active_file("oc")),
            "outside": outside,
        }

    def _check_unchanged(self, name: str, verb: str, before: dict[str, object], refusal: TanistError) -> None:
        if verb in ("resume", "undo", "boot", "switchover") or self._node(name).gone:
            return  # these may have ended one thing and been refused the next
        after = self._picture(name)
        changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
        if changed:
            raise Broken(f"{name} {verb} was refused ({refusal.message}), but changed {changed}")

    # -- the way out of wherever it stands
    def way_out(self, first: str) -> None:
        """Every machine is made well; then each open run must end by `first` or by the other way, and one node must
        be able to serve."""
        self.said.append("-- made well")
        self.world.ssh_works = True
        for name in NODES:
            node = self._node(name)
            for line in (f"thaw {name}", f"disk {name} back", f"net {name} heal", f"unit {name} works"):
                self.do(line)
            node.gone = False
        for name in NODES:
            self.do(f"outlet {name} works")
            self.do(f"power {name} on")
        if self.world.proofs is not None and self.world.proofs.kind != "none":
            self._end_zombies()
        for again, name in [
            (again, name) for again in range(3) for name in NODES
        ]:  # one may have to wait for the other
            if again == 2 and self.is_open(name):
                self._clear_keys(NODES[1 - NODES.index(name)])  # as it was told to
            for way in (first, "undo" if first == "resume" else "resume"):
                if self.is_open(name):
                    self.do(f"{name} {way}")
                    self.check(way)
        for name in NODES:
            if self.is_open(name):
                raise Broken(f"the run on {name} can neither be resumed nor undone")
        self.do("writes 1")
        for name in NODES:
            if not self.world.serving():
                self._clear_keys(NODES[1 - NODES.index(name)])
                self.do(f"{name} {'boot' if self.is_active(name) else 'takeover'}")
                self.check("the way out")
        if len(self.world.serving()) != 1:
            raise Broken(f"nobody can be made to serve any more: {self.where()}")
        self.do("writes 1")
        wait_for_looks(self.others)
        self.check("the way out")

    def _end_zombies(self) -> None:
        """What each node's watch does within seconds; what cannot renew its lease is reset, and comes back."""
        if (leases := self._leases()) is not None:
            for name in NODES:
                leases.resume(name)
            self._wait(100.0)
            for name in NODES:
                self.do(f"power {name} on")
                leases.join(name)
        for name in NODES:
            self.do(f"{name} watch 3")
            self.check("the watch")

    def _clear_keys(self, name: str) -> None:
        """A takeover that was undone keeps the owner out until a person says so."""
        if self.world.proofs is not None and self.world.proofs.target is not None and not self.is_active(name):
            self.do(f"{name} clear")

    def is_open(self, name: str) -> bool:
        node = self._node(name)
        directory = runs_directory("oc")
        return node.files.exists(directory) and any(one.endswith(".jsonl") for one in node.files.list(directory))

    def is_active(self, name: str) -> bool:
        return self._node(name).files.exists(places.active_file("oc"))

    def can_type(self, name: str) -> bool:
        return self._node(name).power and not self._node(name).frozen

    def where(self) -> list[str]:
        """The end state, for people and for expected files."""
        claim = self.claim()
        lines = [f"claim {claim.state} {claim.node} {claim.epoch}"]
        for name in NODES:
            node = self._node(name)
            if not node.power:
                lines.append(f"{name} off")
                continue
            found = ["serving"] if name in self.world.serving() else []
            found += ["mounted"] if any(one.target == self.world.controller.tree for one in node.mounts()) else []
            found += ["frozen"] if node.frozen else []
            found += ["open-run"] if self.is_open(name) else []
            stale = self.is_active(name) and not found and (claim.node, claim.state) != (name, "held")
            found += ["still-noted-as-active"] if stale else []
            lines.append(f"{name} {' '.join(found) or 'inert'}")
        return lines + [f"VIOLATION {text}" for text in self.world.violations]
