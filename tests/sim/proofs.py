"""What can prove an owner down in the simulator: a fence agent, a disk with reservations, a lease, as measured.

Reservation: who is preempted can read and no more (EIO), thawed or not; it keeps its addresses until its own watch
drops them. Lease: renewed while its machine runs; a frozen machine of metal is reset by its watchdog when the lease
runs out, a guest's watchdog is frozen with it, so that the guest escapes when its clock had stopped (proof.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from tanist.host.fake import FakeClock
from tanist.model.definition import PowerDevice, Proof, Reserving
from tanist.model.host import Ran
from tests.unit.runs.leases import LEASE, Leases
from tests.unit.runs.target import Target
from tests.unit.runs.world import DEVICE, Node, said

if TYPE_CHECKING:
    from typing_extensions import override

    from tests.sim.world import SimWorld
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


Reply = Callable[[Sequence[str], bytes], Ran]
Kind = Literal["none", "power", "reservation", "lease", "guest"]
KINDS = get_args(Kind)
STRONG = ("power", "reservation", "lease")  # no lie makes two with them
NAMES = ("ec-a", "ec-b")


def build_proof(kind: Kind) -> Proof:
    match kind:
        case "power":
            return Proof(power=tuple(PowerDevice(node=name, agent="fence_outlet", retry=0) for name in NAMES))
        case "reservation":
            return Proof(reservation=Reserving())
        case "lease" | "guest":
            return Proof(lease=LEASE)
    return Proof()


class SharedTicks(FakeClock):
    """A machine's clocks in a world where seconds are counted together. `lag`: for how long its own has stood still."""

    def __init__(self, wall: float, common: FakeClock) -> None:
        self.common, self.lag = common, 0.0
        self.wall = wall

    @property  # type: ignore[explicit-override]  # mypy sees no decorator below one that has a setter
    def ticks(self) -> float:
        return self.common.ticks - self.lag

    @ticks.setter
    def ticks(self, value: float) -> None:
        self.common.ticks = value + self.lag

    @override
    def advance(self, seconds: float) -> None:
        self.wall += max(seconds, 0.0)
        self.common.advance(seconds)


class Outlets:
    """Every machine's plug, by a fence agent on the other one. `dead`: machines whose device does not answer."""

    def __init__(self, world: SimWorld) -> None:
        self.world, self.dead = world, set[str]()
        for node in world.nodes.values():
            node.answer_with(["fence_outlet"], partial(self._reply, node.name))

    def _reply(self, me: str, argv: Sequence[str], stdin: bytes) -> Ran:
        action = stdin.decode().strip().rpartition("action=")[2]
        node = self.world.sim(NAMES[1 - NAMES.index(me)])
        self.world.sim(me).clock.advance(0.2)  # no device answers in no time
        if node.name in self.dead:
            return said(argv, status=1, stderr=b"Unable to connect/login to fencing device")
        if action == "off" and node.power:
            with self.world.sim(me)._changing(f"fence {node.name}"):
                self.world.lose_power(node)
        text = f"Status: {'ON' if node.power else 'OFF'}\n" if action == "status" else ""
        return said(argv, text.encode(), status=0 if node.power or not text else 2)


class SimTarget(Target):
    """The asset's disk. Where its node has lost it, it answers nothing."""

    world: SimWorld

    @override
    def reply(self, node: Node, argv: Sequence[str]) -> Ran:
        if self.world.sim(node.name).lost:
            return said(argv, status=15, stderr=b"sg_persist failed: Transport disrupted")
        return super().reply(node, argv)


class SimLeases(Leases):
    def __init__(self, world: SimWorld, *, guest: bool) -> None:
        self.sim = world
        super().__init__(world, machine="kvm" if guest else "none", watchdog=not guest)

    @property
    @override
    def now(self) -> float:
        return self.sim.clock.ticks

    def resume(self, node: str) -> None:
        """It can renew again: where it had not run out by then."""
        one = self.nodes[node]
        if one.stopped is not None and self.state(node) == "LIVE":
            one.stopped = None

    def join(self, node: str) -> None:
        """As the watch does it, on each node that is up and sees the place."""
        one, machine = self.nodes[node], self.sim.sim(node)
        if one.stopped is not None and machine.power and not machine.frozen and not machine.lost:
            one.joined, one.generation, one.stopped, one.holding, one.used = (
                self.now,
                one.generation + 1,
                None,
                False,
                False,
            )

    def fire(self) -> None:
        """Watchdogs: of machines that used their lease and could not renew it until the others call it dead."""
        for name, one in self.nodes.items():
            machine = self.sim.sim(name)
            if self.watchdog and one.used and one.stopped is not None and machine.power and self.state(name) == "DEAD":
                machine.frozen = machine.silent = False
                self.sim.lose_power(machine)

    @override
    def stop(self, node: str) -> None:
        if self.nodes[node].stopped is None:
            super().stop(node)

    def die(self, node: str) -> None:
        self.stop(node)
        self.nodes[node].holding = self.nodes[node].used = False

    @override
    def _answer(self, node: Node) -> None:
        super()._answer(node)
        node.answer_with(["dd", "if=/dev/lease"], lambda argv, stdin: self._on_disk(node, self._read, argv, stdin))
        node.answer_with(
            ["dd", "of=/dev/lease"],
            lambda argv, stdin: self._on_disk(node, lambda argv, stdin: self._write(node, argv, stdin), argv, stdin),
        )
        node.answer_with(["sanlock"], lambda argv, _: self._asked(node, argv))
        node.answer_with(
            ["/usr/bin/python3"], lambda argv, stdin: self._on_disk(node, self._joining(node), argv, stdin)
        )

    def _joining(self, node: Node) -> Any:
        return lambda argv, _: self._join(node, argv)

    def _on_disk(self, node: Node, act: Any, argv: Sequence[str], stdin: bytes) -> Ran:
        if self.sim.sim(node.name).lost:
            return said(argv, status=1, stderr=b"dd: /dev/lease: No such device or address")
        ran: Ran = act(argv, stdin)
        return ran

    def _asked(self, node: Node, argv: Sequence[str]) -> Ran:
        self.fire()
        return self._sanlock(node, argv)


class Proofs:
    """What a world of this kind has, kept as it is at its beginning."""

    def __init__(self, world: SimWorld, kind: Kind) -> None:
        self.kind: Kind = kind
        self.outlets = Outlets(world) if kind == "power" else None
        self.leases = SimLeases(world, guest=kind == "guest") if kind in ("lease", "guest") else None
        self.target: SimTarget | None = None
        if kind == "reservation":
            self.target = SimTarget()
            self.target.world = world
            self.target.fit(world, DEVICE)
        self._kept: dict[str, Any] = {}

    def keep(self) -> None:
        leases, target = self.leases, self.target
        if leases is not None:
            self._kept = deepcopy({"bytes": leases.bytes, "owner": leases.owner, "nodes": leases.nodes})
        if target is not None:
            self._kept = {"keys": dict(target.keys), "holder": target.holder, "attention": set[str]()}

    def put_back(self) -> None:
        for one in (self.leases, self.target):
            if one is not None:
                for key, value in deepcopy(self._kept).items():
                    setattr(one, key, value)
        if self.outlets is not None:
            self.outlets.dead.clear()

    def may_write(self, name: str) -> bool:
        return self.target is None or self.target.may_write(name)
