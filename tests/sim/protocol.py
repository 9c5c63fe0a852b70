"""The protocol of claim, evidence, intent, gate and journal as a model small enough to be explored completely.

Two nodes, one asset. Each step of a run, each fault and each word of an operator is one move; the verdict is drawn by
the project's own `decide` and the contest by its own `judge`, from evidence built of the state. The rest is written
here by the design notes, one rule a switch in `Rules`: with all of them on and a strong proof nothing bad is reached;
what is found without one is shown by test_protocol.py. docs/design/exhaustion.md tells what is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Literal, NamedTuple

from tanist.model.definition import ProofName
from tanist.model.evidence import Evidence, Outcome, Says, Source
from tanist.model.peer import Intent
from tanist.proof.decide import decide
from tanist.proof.intent import judge

NAMES = ("ec-a", "ec-b")
Proof = Literal["attestation", "power", "reservation", "lease"]
HIGHEST = 3  # epochs explored: the first owner, a takeover, and one after it


@dataclass(frozen=True, slots=True)
class Rules:
    """What the product does. Each is left out once, to see that it is needed."""

    signs_of_life_veto: bool = True
    silence_must_be_heard: bool = True  # a person's word counts only beside silence
    free_needs_clean_disk: bool = True  # a claim that is free proves nothing while the disk is dirty
    intent_before_commit: bool = True
    intents_are_heeded: bool = True  # by a start, a resume and an undo, which declare none themselves
    epoch_is_read_again: bool = True  # before the mount, and before the claim is raised
    claim_before_use: bool = True  # the epoch is raised before anything is served
    boot_asks_the_claim: bool = True
    open_run_stays_inert: bool = True
    resume_asks_again: bool = True  # a run that has to take the asset again needs a verdict of today
    unmount_before_free: bool = True  # a release stops its use before it lets the claim go
    let_go_is_final: bool = True  # a release that has let go is never taken back
    a_word_is_noted: bool = True  # of power: who says "I run nothing" to a takeover mounts nothing before it is over
    free_needs_a_word: bool = True  # of power: a claim that is free is no proof while the other node is silent
    off_is_read_back: bool = True  # a power device that merely took the order proves nothing
    lease_is_read_back: bool = (
        True  # the disk says whether it was renewed, not this node's clock, which may have jumped
    )
    lease_before_each_mount: bool = True  # of a release, too, that a boot cut off and that is resumed
    lease_is_not_overwritten: bool = True  # one that another has taken since it was seen to run out


class Node(NamedTuple):
    machine: str = "on"  # on, off, frozen
    pc: str = ""  # where its tanist is: "", asked, proved, begun, mounted, claimed, stopped, freed
    run: str = ""  # the open run, on its disk: "", take, start, release
    mine: bool = False  # active.json, on its disk
    mounted: bool = False
    serving: bool = False
    intent: str = ""
    word: bool = False  # a person attests for this run
    epoch: int = 0  # the claim's epoch that the run was made over
    attested: bool = False  # the open run was begun on a person's word
    disk: bool = True  # it sees the asset; what it wrote without it arrives when it does again
    saw: bool = False  # this run saw the other's lease run out
    note: bool = False  # it gave its word to the other's takeover over this epoch, on its disk


class State(NamedTuple):
    nodes: tuple[Node, Node]
    owner: int = 0
    epoch: int = 1
    held: bool = True
    dirty: bool = False
    link: bool = True
    holder: int = -1  # who may write, where a reservation is used
    fenced: int = -1  # who was switched off by a fence and stays so until the run that did it has ended
    lies: tuple[str, ...] = ()


START = State((Node(mine=True, mounted=True, serving=True), Node()))
Move = tuple[str, State]


@dataclass(frozen=True, slots=True)
class Model:
    proof: Proof = "attestation"
    rules: Rules = Rules()
    lies: bool = False  # operators say "it is off" of machines that are not
    clock_stops: bool = True  # a freeze may stop the guest's clock, too; a machine of metal has a watchdog
    storage: bool = False  # a node may lose the asset, one at a time

    def begin(self) -> State:
        return START._replace(holder=0) if self.proof == "lease" else START

    # -- what must hold
    def writers(self, s: State) -> tuple[int, ...]:
        """Nodes whose writes reach the asset, or whose service answers with it."""
        return tuple(
            i
            for i, n in enumerate(s.nodes)
            if n.machine == "on" and n.mounted and n.disk and (self.proof != "reservation" or s.holder in (-1, i))
        )

    def is_bad(self, s: State) -> str:
        return "two nodes have the asset" if len(self.writers(s)) > 1 else ""

    # -- moves
    def moves(self, s: State) -> Iterator[Move]:
        for i, n in enumerate(s.nodes):
            yield from self._faults(s, i, n)
            if n.machine == "on":
                yield from self._steps(s, i, n) if n.pc else self._orders(s, i, n)
        yield ("the network is cut" if s.link else "the network is mended"), s._replace(link=not s.link)

    def _faults(self, s: State, i: int, n: Node) -> Iterator[Move]:
        name = NAMES[i]
        if n.machine != "off":
            yield f"{name} loses its power", self._off(s, i)
        elif s.fenced != i:
            yield f"{name} boots", self._boot(s, i)
            if n.mine and not n.run:
                late = put(self._give_back(s, i), i, n._replace(machine="on"))
                yield f"{name} boots, and answers before it starts anything", late
        if n.machine == "on":
            yield f"{name} is frozen", put(s, i, n._replace(machine="frozen"))
            if n.pc:
                killed = put(self._forgets(s, i), i, n._replace(pc="", intent="", word=False, saw=False))
                yield f"tanist on {name} is killed", killed
        if n.machine == "frozen":
            yield f"{name} goes on", put(s, i, n._replace(machine="on"))
        if self.storage and (not n.disk or s.nodes[1 - i].disk):
            label = f"{name} loses its disk" if n.disk else f"{name} sees its disk again"
            yield label, put(s, i, n._replace(disk=not n.disk))
        if self.proof == "lease" and n.pc == "asked" and not self.rules.lease_is_read_back:
            yield f"the clock of {name} jumps: the lease seems to have run out", put(s, i, n._replace(saw=True))

    def _off(self, s: State, i: int) -> State:
        n = s.nodes[i]
        dead = n._replace(machine="off", pc="", mounted=False, serving=False, intent="", word=False, saw=False)
        return put(self._forgets(s, i)._replace(dirty=s.dirty or n.mounted), i, dead)

    # -- the lease: held by whoever took it, for as long as its machine runs and sees the disk
    def _renews(self, s: State, i: int) -> bool:
        return s.nodes[i].machine == "on" and s.nodes[i].disk

    def _run_out(self, s: State, i: int) -> State:
        """Of node i: whatever used the lease on a machine of metal was reset by its watchdog by then."""
        return self._off(s, i) if s.nodes[i].mounted and not self.clock_stops else s

    def _take(self, s: State, i: int) -> State | None:
        """None: it was not to be had."""
        if self.proof == "lease" and s.holder == 1 - i:
            if self._renews(s, 1 - i):
                return None if self.rules.lease_is_not_overwritten else s._replace(holder=i)
            s = self._run_out(s, 1 - i)
        return s._replace(holder=i) if self.proof in ("reservation", "lease") else s

    def _give_back(self, s: State, i: int) -> State:
        return s._replace(holder=-1) if self.proof == "lease" and s.holder == i else s

    def _boot(self, s: State, i: int) -> State:
        n = s.nodes[i]._replace(machine="on")
        s = put(self._give_back(s, i), i, n)  # another generation: what it had is had by nobody
        if not n.disk:
            return s
        if n.run and self.rules.open_run_stays_inert:
            return s
        return self._start(s, i, n)

    def _start(self, s: State, i: int, n: Node) -> State:
        """At the end of a boot, or when a person restarts the unit."""
        holds = s.owner == i and s.held
        if n.mine and (holds or not self.rules.boot_asks_the_claim):
            return put(s, i, n._replace(pc="asked", run="start", epoch=s.epoch))
        return put(s, i, n._replace(mine=False, run="" if n.run != "take" else n.run))

    # -- what a person may order
    def _orders(self, s: State, i: int, n: Node) -> Iterator[Move]:
        name, other = NAMES[i], s.nodes[1 - i]
        if not n.disk and not n.serving:
            return  # refused: the claim cannot be read
        if not n.run and not n.mine and s.epoch < HIGHEST:
            asked = n._replace(pc="asked", run="", intent="intending", epoch=s.epoch)
            yield f"takeover on {name}", put(s, i, asked)
            if self.proof == "attestation" or (self.proof == "lease" and self.clock_stops):
                if other.machine == "off":
                    yield (
                        f"takeover on {name}, “it is off” (true)",
                        put(s._replace(fenced=1 - i), i, asked._replace(word=True)),
                    )
                elif self.lies:
                    yield (
                        f"takeover on {name}, “it is off” ({lie_of(s, 1 - i)})",
                        put(s._replace(lies=(*s.lies, lie_of(s, 1 - i))), i, asked._replace(word=True)),
                    )
        if not n.run and n.mine and n.serving:
            yield f"release on {name}", put(s, i, n._replace(pc="begun", run="release", epoch=s.epoch))
        if not n.run and n.mine and not n.serving and not n.mounted:
            yield f"start on {name}", self._start(s, i, n)
        if n.run:
            yield f"resume on {name}", self._resume(s, i, n)
            undone = self._undo(s, i, n)
            if undone is not None:
                yield f"undo on {name}", undone

    def _resume(self, s: State, i: int, n: Node) -> State:
        if n.run == "release":
            return self._go_on_releasing(s, i, n)
        if n.mounted:
            claimed = (s.owner, s.held) == (i, True) and s.epoch > n.epoch - (n.run == "start")
            return put(s, i, n._replace(pc="claimed" if claimed else "mounted"))
        if not self.rules.resume_asks_again:
            return put(s, i, n._replace(pc="begun"))
        return put(s, i, n._replace(pc="asked", word=n.attested and s.nodes[1 - i].machine == "off"))

    def _go_on_releasing(self, s: State, i: int, n: Node) -> State:
        holds = s.owner == i and s.held and s.epoch == n.epoch
        if n.mounted:
            return put(s, i, n._replace(pc="freed" if not holds else "stopped", serving=False))
        if holds and self._verdict(s, i) is Outcome.PROVED:
            taken = self._take(s, i) if self.rules.lease_before_each_mount else s
            return s if taken is None else put(taken, i, taken.nodes[i]._replace(pc="stopped", mounted=True))
        return s if holds else put(s, i, n._replace(run="", mine=False))

    def _undo(self, s: State, i: int, n: Node) -> State | None:
        holds = s.owner == i and s.held and s.epoch >= n.epoch
        if n.run == "release":
            if n.mounted and (holds or not self.rules.let_go_is_final):
                return put(s._replace(owner=i, held=True), i, n._replace(run="", serving=True))
            if holds and self._verdict(s, i) is Outcome.PROVED:
                return put(s, i, n._replace(run="start", pc="asked", epoch=s.epoch))
            if not self.rules.let_go_is_final:
                return put(s._replace(owner=i, held=True), i, n._replace(run="", mounted=True, serving=True))
            return None if holds else self._go_on_releasing(s, i, n)
        raised = holds and (s.epoch > n.epoch or n.run == "start")
        if raised and not n.mounted and n.run == "take" and self._verdict(s, i) is not Outcome.PROVED:
            return None
        s = s._replace(held=False) if raised else s
        s = self._give_back(s._replace(dirty=False) if n.mounted or raised else s, i)
        undone = put(s, i, n._replace(run="", mine=False, mounted=False, serving=False, attested=False))
        return self._ends(self._freed(undone, i), i) if n.run == "take" else undone

    # -- the steps of a run
    def _steps(self, s: State, i: int, n: Node) -> Iterator[Move]:
        name = NAMES[i]
        if not n.disk and n.pc in ("begun", "mounted", "claimed", "stopped", "freed") and not n.serving:
            yield f"{name} fails: its disk is gone", put(s, i, n._replace(pc="", intent="", saw=False))
            return
        match n.pc:
            case "asked":
                yield from self._ask(s, i, n)
            case "proved":
                yield f"{name} commits", put(s, i, n._replace(pc="begun", run="take", intent="committed"))
            case "begun" if n.run == "release":
                yield f"{name} stops its services", put(s, i, n._replace(pc="stopped", serving=False))
            case "begun":
                if self.rules.epoch_is_read_again and self._moved_on(s, i, n):
                    yield f"{name} finds that the claim moved on", self._ended(s, i, n)
                else:
                    yield from self._mount(s, i, n)
            case "mounted":
                yield from self._raise(s, i, n)
            case "claimed":
                done = n._replace(
                    pc="", run="", mine=True, serving=True, intent="", word=False, attested=False, saw=False
                )
                yield f"{name} serves", put(self._ends(s, i), i, done)
            case "stopped":
                early = not self.rules.unmount_before_free
                free = s._replace(held=False, dirty=s.dirty and not early)
                yield f"{name} writes that it let go", put(free, i, n._replace(pc="freed", mounted=n.mounted))
            case "freed":
                gone = n._replace(pc="", run="", mine=False, mounted=not self.rules.unmount_before_free, serving=False)
                yield f"{name} unmounts", put(self._give_back(s._replace(dirty=False), i), i, gone)

    def _mount(self, s: State, i: int, n: Node) -> Iterator[Move]:
        taken = self._take(s, i)
        if taken is None:
            yield f"{NAMES[i]} cannot have the lease", self._ended(s, i, n)
            return
        dirty = taken.dirty and self.proof not in ("reservation", "lease")
        early = not self.rules.claim_before_use
        mounted = n._replace(pc="mounted", mounted=True, serving=early)
        yield f"{NAMES[i]} mounts", put(taken._replace(dirty=dirty), i, mounted)

    def _ask(self, s: State, i: int, n: Node) -> Iterator[Move]:
        name = NAMES[i]
        if self._verdict(s, i) is Outcome.PROVED:
            pc = "begun" if n.run else "proved"
            theirs = s.nodes[1 - i].intent if self._reaches(s) and self.rules.intent_before_commit else ""
            move = "go" if n.run else _judge(i, theirs)  # of the same look as the evidence
            if move == "give-way":
                yield f"{name} gives way", self._ended(s, i, n)
            if move != "go":
                return  # it asks again
            s = self._noted(s, i, n)
            yield f"{name} has its proof", put(s, i, n._replace(pc=pc, attested=n.attested or n.word, note=False))
            return
        if self.proof == "power" and not n.run and self._may_fence(s, i):
            fenced = self._off(s, 1 - i)._replace(fenced=1 - i)
            yield f"{name} has {NAMES[1 - i]} switched off, read back", fenced
            if not self.rules.off_is_read_back:
                yield f"{name} has {NAMES[1 - i]} switched off, it was not", put(s, i, n._replace(pc="proved"))
        if self.proof == "reservation" and not n.run and self._may_fence(s, i) and s.holder != i and n.disk:
            yield f"{name} preempts {NAMES[1 - i]}, read back", s._replace(holder=i)
        if self.proof == "lease" and not n.run and n.disk and not n.saw and not self._renews(s, 1 - i):
            out = self._run_out(s, 1 - i)
            yield f"{name} sees the lease of {NAMES[1 - i]} run out", put(out, i, n._replace(saw=True))
        yield f"{name} is refused", self._ended(s, i, n)

    def _noted(self, s: State, i: int, n: Node) -> State:
        """With the other's word, which it notes: to a takeover, one that is resumed as well."""
        asks = self._by_power() and self.rules.a_word_is_noted and n.run in ("", "take") and self._reaches(s)
        return put(s, 1 - i, s.nodes[1 - i]._replace(note=True)) if asks else s

    def _freed(self, s: State, i: int) -> State:
        """Who gave its word to this run is told that it is over."""
        return put(s, 1 - i, s.nodes[1 - i]._replace(note=False)) if self._reaches(s) else s

    def _by_power(self) -> bool:
        return self.proof == "power"

    def _may_fence(self, s: State, i: int) -> bool:
        """Not over a sign of life: a person who wants that says so otherwise."""
        return not any(item.says in (Says.ACTIVE, Says.ALIVE) for item in self._evidence(s, i))

    def _raise(self, s: State, i: int, n: Node) -> Iterator[Move]:
        name = NAMES[i]
        if self._moved_on(s, i, n) and self.rules.epoch_is_read_again:
            yield f"{name} finds that the claim moved on", self._ended(s, i, n._replace(mounted=False, serving=False))
        else:
            epoch = s.epoch if n.run == "start" else min(max(s.epoch, n.epoch + 1), HIGHEST)
            raised = put(s._replace(owner=i, held=True, epoch=epoch), i, n._replace(pc="claimed"))
            yield f"{name} raises the claim", settled(raised) if epoch > s.epoch else raised

    def _moved_on(self, s: State, i: int, n: Node) -> bool:
        if n.run == "start":
            return (s.owner, s.held) != (i, True)
        return s.epoch != n.epoch

    def _ended(self, s: State, i: int, n: Node) -> State:
        """The run ends by itself, as if it had not been; one that a crash had cut off stays open."""
        kept = n.run if not n.mounted and n.attested else n.run if n.run == "start" else ""
        over = n._replace(pc="", run=kept, intent="", word=False, saw=False)
        ended = put(self._ends(s if kept else self._give_back(s, i), i), i, over)
        return self._freed(ended, i) if not kept else ended

    def _ends(self, s: State, i: int) -> State:
        return s._replace(fenced=-1) if s.fenced == 1 - i else s

    def _forgets(self, s: State, i: int) -> State:
        """A takeover that dies before it commits leaves nothing to go on with: whom it had fenced may come back."""
        return s if s.nodes[i].run else self._ends(s, i)

    # -- what a node sees of the other
    def _reaches(self, s: State) -> bool:
        return s.link and all(n.machine == "on" for n in s.nodes)

    def _verdict(self, s: State, i: int) -> Outcome:
        other = s.nodes[1 - i]
        if not s.nodes[i].disk:
            return Outcome.NOT_PROVED
        if self.rules.intents_are_heeded and s.nodes[i].run and other.intent and self._reaches(s):
            return Outcome.ALIVE
        free = not (self._by_power() and self.rules.free_needs_a_word)
        return _decide(self._evidence(s, i), NAMES[i], self._policy(), self.rules.signs_of_life_veto, free)

    def _policy(self) -> tuple[tuple[ProofName, ...], ...]:
        return (("lease", "attestation"),) if self.proof == "lease" and self.clock_stops else ((self.proof,),)

    def _evidence(self, s: State, i: int) -> tuple[Evidence, ...]:
        it, n = NAMES[1 - i], s.nodes[1 - i]
        heard = self._reaches(s)
        active = n.mounted or n.serving
        busy = bool(n.pc) and not n.intent
        word = Says.UNKNOWN if not heard else Says.ACTIVE if active else Says.ALIVE if busy else Says.INACTIVE
        clean = not s.dirty and not any(one.mounted for one in s.nodes)
        disk = Says.MINE if s.nodes[i].mounted else Says.RELEASED if clean else Says.UNKNOWN
        if not self.rules.free_needs_clean_disk and not s.held:
            disk = Says.RELEASED
        address = Says.ACTIVE if heard and n.serving else Says.SILENT
        machine = Says.SILENT if not heard else Says.INACTIVE if word is Says.INACTIVE else Says.ALIVE
        if not self.rules.silence_must_be_heard and s.nodes[i].word:
            word, address, machine = Says.UNKNOWN, Says.SILENT, Says.SILENT
        claim = Says.RELEASED if not s.held else Says.MINE if s.owner == i else Says.HELD
        found = [_item("claim", NAMES[s.owner], claim), _item("storage", "disk", disk), _item("peer", it, word)]
        found += [_item("service-address", "address", address), _item("management-address", it, machine)]
        if s.nodes[i].note:
            found.append(_item("promise", it, Says.PROMISED))
        if s.nodes[i].word:
            found.append(_item("attestation", "a person", Says.ATTESTED))
        if self.proof == "power":
            found.append(_item("power", it, Says.OFF if n.machine == "off" and s.fenced == 1 - i else Says.UNKNOWN))
        if self.proof == "reservation":
            found.append(_item("reservation", "disk", Says.FENCED if s.holder == i else Says.UNKNOWN))
        if self.proof == "lease":
            lapsed = Says.STALE if self.clock_stops else Says.LAPSED
            found.append(_item("lease", it, lapsed if s.nodes[i].saw else Says.UNKNOWN))
        return tuple(found)


def put(s: State, i: int, n: Node) -> State:
    return s._replace(nodes=(n, s.nodes[1]) if i == 0 else (s.nodes[0], n))


def settled(s: State) -> State:
    """A word that was given over a lower epoch binds nobody any more."""
    return s._replace(nodes=(s.nodes[0]._replace(note=False), s.nodes[1]._replace(note=False)))


def lie_of(s: State, i: int) -> str:
    return "it is frozen" if s.nodes[i].machine == "frozen" else "it runs, out of reach" if not s.link else "it runs"


@cache
def _item(source: Source, about: str, says: Says) -> Evidence:
    return Evidence(source=source, about=about, says=says, detail="", at=1.0)


@cache
def _decide(
    evidence: tuple[Evidence, ...], me: str, policy: tuple[tuple[ProofName, ...], ...], veto: bool, free: bool
) -> Outcome:
    if not veto:
        life = (Says.ACTIVE, Says.ALIVE)
        evidence = tuple(replace(one, says=Says.SILENT) if one.says in life else one for one in evidence)
    return decide(evidence, me, policy, free_suffices=free).outcome


@cache
def _judge(i: int, theirs: str) -> str:
    def intent(at: int, phase: str) -> Intent:
        chosen: Literal["intending", "committed"] = "committed" if phase == "committed" else "intending"
        return Intent(node=NAMES[at], run=NAMES[at], who="", since="", phase=chosen)

    return judge(intent(i, "intending"), intent(1 - i, theirs) if theirs else None, NAMES)


# -- the search
@dataclass(frozen=True, slots=True)
class Found:
    states: int
    bad: tuple[tuple[str, ...], ...]  # the shortest way to a bad state, where there is one


def explore(model: Model) -> Found:
    """Every state that can be reached, breadth first, until the first bad one."""
    came: dict[State, tuple[State, str] | None] = {model.begin(): None}
    todo = deque(came)
    while todo:
        s = todo.popleft()
        if model.is_bad(s):
            return Found(len(came), (way_to(s, came),))
        for label, after in model.moves(s):
            if after not in came and len(after.lies) < 2:
                came[after] = (s, label)
                todo.append(after)
    return Found(len(came), ())


def way_to(s: State, came: dict[State, tuple[State, str] | None]) -> tuple[str, ...]:
    found: list[str] = []
    while (before := came[s]) is not None:
        s, label = before
        found.append(label)
    return tuple(reversed(found))


def without(rule: str) -> Rules:
    return replace(Rules(), **{rule: False})


RULES = tuple(one.name for one in fields(Rules))
