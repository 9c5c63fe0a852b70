"""Fault schedules by chance: the same seed, the same lines. `python -m tests.sim.chance SEED [COUNT] [hasty]`."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.sim.folders import MEMORY, Made, build_world
from tests.sim.play import Broken, Play
from tests.sim.proofs import Kind
from tests.sim.world import NODES, SimWorld

PROOFS: tuple[Kind, ...] = ("none", "none", "none", "power", "reservation", "lease")
KNOWN = 3_000_000  # schedules that were played before and whose finds are mended; new ones come with each commit
KNOWN_HASTY = 5_000_000
HONEST, NEW, HASTY = 6000, 300, 4000  # schedules that `make test` plays: known ones, others with each commit, with lies
MODES = ("host", "alias")
LONGEST = 90  # changes; a kill further on is none
RECORDS = 40  # of a run's journal; a stall further on is none
FAULTS = (
    *("power {n} off",) * 6,
    *("net {n} cut", "ssh off", "freeze {n}", "disk {n} lost", "clock {n} -31536000", "clock {n} 86400"),
    *("unit {n} fails", "writes 2", "writes 2"),
)
MENDS = ("power {n} on", "net {n} heal", "ssh on", "thaw {n}", "thaw {n} 3600", "disk {n} back", "unit {n} works")
TAKE = ("takeover --attest",) * 4 + ("takeover", "restore --attest", "takeover --attest --reboot")
LEAVE = ("release",) * 3 + ("switchover", "restore", "capture")
END = ("resume", "undo")
TAKE_BY_FENCE = ("takeover --fence",) * 4 + (
    "takeover",
    "takeover --attest",
    "restore --attest",
    "takeover --fence --reboot",
)
OF_PROOF: dict[Kind, tuple[str, ...]] = {  # what happens besides, where there is such a proof
    "none": (),
    "power": ("outlet {n} dead", "outlet {n} works", "{n} watch 2"),
    "reservation": ("{n} watch 2", "{n} watch 2", "{n} clear"),
    "lease": (*("renewals {n} fail", "renewals {n} go", "wait 20", "wait 90", "{n} watch 2", "{n} watch 20"),),
    "guest": (*("renewals {n} fail", "renewals {n} go", "wait 20", "wait 90", "{n} watch 2", "{n} watch 20"),),
}


class Chooser:
    """What happens next, from a seed and from where the play stands: mostly what a person or a fault might do there."""

    def __init__(self, seed: int, *, hasty: bool) -> None:
        self.proof: Kind = random.Random(f"proof {seed}").choice(PROOFS)  # beside: the rest stays what it was
        self.pick = random.Random(seed)
        self.attest = "--lie" if hasty else "--attest"
        self.mode = self.pick.choice(MODES)
        self.size = "full" if self.pick.random() < 0.1 else "slim"
        self.left = self.pick.randint(2, 4)
        self.way = self.pick.choice(END)
        self.first = self.pick.choice(("freeze ec-a", "net ec-a cut")) if hasty and self.pick.random() < 0.5 else ""

    def next(self, play: Play) -> str:
        self.left -= 1
        if self.first:
            self.first, first = "", self.first
            return first
        kind = self.pick.choices(("run", "kill", "cut", "at", "stall", "fault"), (17, 19, 19, 11, 6, 28))[0]
        if kind == "fault":
            return self._fault()
        node = self.pick.choice([name for name in NODES if play.can_type(name)] or NODES)
        command = self._command(play, node)
        if kind == "run":
            return command
        if kind == "stall":
            lines = [self._command(play, NODES[1 - NODES.index(node)])]
            lines += [self._fault()] if self.pick.random() < 0.3 else []
            return f"stall {node} {self.pick.randint(1, RECORDS)} ( {' | '.join(lines)} ) {command}"
        where = self.pick.choice((node, node, node, self.pick.choice(NODES)))
        at = self.pick.randint(1, LONGEST)
        if kind != "at":
            return f"{kind} {where} {at} {command}"
        other = NODES[1 - NODES.index(node)]
        inside = self._fault() if self.pick.random() < 0.6 else self._command(play, other)
        return f"at {where} {at} ( {inside} ) {command}"

    def _command(self, play: Play, node: str) -> str:
        take = TAKE if self.proof == "none" else TAKE_BY_FENCE
        usual = END if play.is_open(node) else LEAVE if play.is_active(node) else take
        chosen = self.pick.choice(usual if self.pick.random() < 0.85 else (*END, *LEAVE, *take))
        return f"{node} {chosen.replace('--attest', self.attest)}"

    def _fault(self) -> str:
        faults = FAULTS if self.pick.random() < 0.6 else MENDS
        chosen: str = self.pick.choice((*faults, *OF_PROOF[self.proof]))
        return chosen.format(n=self.pick.choice(NODES))


class Chance:
    """Plays seeds, one after the other, in worlds that are put back each time. `held`: seeds by number of lies told."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.worlds: dict[Made, SimWorld] = {}
        self.events: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()  # schedules by what could prove an owner down in them
        self.caught = 0  # hasty schedules in which a lie made two actives
        self.told = ""  # the newest schedule, as a red one is printed
        self.early = 0  # ... in which a machine was switched on again while the run that had switched it off went on

    def world(self, made: Made) -> SimWorld:
        if made not in self.worlds:
            self.worlds[made] = build_world(self.top, made)
        return self.worlds[made]

    def play(self, seed: int, *, hasty: bool = False) -> Play:
        chooser = Chooser(seed, hasty=hasty)
        world = self.world((chooser.mode, chooser.size, chooser.proof))
        world.begin()
        play, lines = Play(world), []
        try:
            while chooser.left:
                lines.append(chooser.next(play))
                play.run(lines[-1:])
            if not world.violations:
                play.way_out(chooser.way)
        except Exception as error:
            text = f"seed {seed}{' hasty' if hasty else ''}: {error}\n{folder(seed, chooser, lines, play)}"
            raise Broken(text) from error
        finally:
            world.revive()
        self.told = folder(seed, chooser, lines, play)
        self.kinds[chooser.proof] += 1
        self.caught += bool(world.violations) and not play.too_early
        self.early += bool(world.violations) and bool(play.too_early)
        self.events.update(line.partition(" ")[2] for line in play.said)
        return play


def folder(seed: int, chooser: Chooser, lines: list[str], play: Play) -> str:
    """A scenario folder as text, to be added to tests/sim/scenarios once it is understood."""
    text = [
        f"mkdir tests/sim/scenarios/seed-{seed}",
        f"-- state\nmode {chooser.mode}\nsize {chooser.size}\nproof {chooser.proof}",
    ]
    return "\n".join([*text, "-- cmdlist", *lines, f"way-out {chooser.way}", "-- so far", *play.said])


def play_all(seeds: Iterable[int], *, hasty: bool = False) -> Chance:
    with tempfile.TemporaryDirectory(prefix="tanist-sim-", dir=MEMORY) as top:
        chance = Chance(Path(top))
        for seed in seeds:
            chance.play(seed, hasty=hasty)
    return chance


def make_folder(seed: int) -> str:
    """As if it had been a red one."""
    with tempfile.TemporaryDirectory(prefix="tanist-sim-", dir=MEMORY) as top:
        chance = Chance(Path(top))
        chance.play(seed)
        return chance.told


def make_caught(count: int) -> list[tuple[str, ...]]:
    """What the first seeds say."""
    with tempfile.TemporaryDirectory(prefix="tanist-sim-", dir=MEMORY) as top:
        chance = Chance(Path(top))
        return [tuple(chance.play(seed).said) for seed in range(count)]


def how_many(wanted: int) -> int:
    """All of them with TANIST_EVERY_POINT=1, as `make test` has it; a twenty-fifth otherwise."""
    return wanted if os.environ.get("TANIST_EVERY_POINT") else wanted // 25


def report(found: Chance, first: int, count: int) -> None:
    events = sum(found.events.values())
    print(f"\n{count} schedules from seed {first}: {events} events, {found.caught} in which a lie made two actives")
    print(f"  {dict(found.kinds)}; {found.early} in which a machine was switched on under the fence that had it off")


def hunt(first: int, count: int, *, hasty: bool) -> bool:
    """All of them, whatever is found; each red one prints itself. True when there was none."""
    red = 0
    with tempfile.TemporaryDirectory(prefix="tanist-sim-", dir=MEMORY) as top:
        chance = Chance(Path(top))
        for seed in range(first, first + count):
            try:
                chance.play(seed, hasty=hasty)
            except Broken as broken:
                red += 1
                print(f"{broken}\n", flush=True)
    report(chance, first, count)
    for event, times in chance.events.most_common():
        print(f"{times:7} {event}")
    print(f"{red} red")
    return not red


if __name__ == "__main__":
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    sys.exit(0 if hunt(int(sys.argv[1]), number, hasty="hasty" in sys.argv) else 1)
