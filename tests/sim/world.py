"""Two fake machines for the simulator: worlds that can be put back to their beginning, cut off, frozen and thawed.

A world is built once; `begin` puts files and memory back, so that a schedule costs some milliseconds before its first
event. A frozen machine keeps its mounts, addresses and services, answers nobody and runs nothing.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tanist.definition.load import load_controller
from tanist.host.conversation import Conversation
from tanist.host.fake import Crash, FakeClock, FakeWire
from tanist.model.definition import Node as PeerNode
from tanist.model.host import Ran
from tanist.runs.first import init
from tanist.runs.release import release
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.steps.sanlock import join
from tests.sim.image import Image
from tests.sim.proofs import Kind, Proofs, SharedTicks, build_proof
from tests.unit.runs.talk import PATIENCE, MirrorTalk, Talk
from tests.unit.runs.world import ASSETS, UNITS, Node, World, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


OC = Path(__file__).parents[1] / "unit/runs/oc.toml"
NODES = ("ec-a", "ec-b")
LEDGER = "db/ledger"  # below the tree: the service's acknowledged writes
KEPT_MEMORY = ("power", "silent", "gone", "exported", "shown", "log", "ran", "_boots", "_hostname", "_until_crash")


def slim(text: str) -> str:
    """One service, one address, one outside file: what a schedule of many events needs."""
    for start in (r"\[\[bind\]\]", r"\[\[export\]\]", r"\[cron\]", r"\[\[scope\]\]", r"\[version\]"):
        text = re.sub(rf"(?ms)^{start}\n.*?(?=^\[)", "", text)
    text = re.sub(r'(?ms)^\[\[service\]\]\nunit = "oc-proxy.service"\n.*?(?=^\[)', "", text)
    text = re.sub(r'(?ms)^\[\[identity.address\]\]\naddress = "10.88.0.61/24".*?(?=^\[)', "", text)
    text = text.replace('directories = ["/etc/oc"]\n', "").replace(', "/etc/opt/oc-only-there"', "")
    return text.replace('unconfigured = ["/etc/opt/oc/users.json"]', "unconfigured = []")


def is_look() -> bool:
    """In the thread of a look, where a Crash would go unseen (and every run would count otherwise)."""
    return threading.current_thread().name.startswith("look ")


class SimTalk(Talk):
    """As Talk, but the far side may be killed, too, or not be reached at all."""

    reached = True

    @override
    def _run(self) -> None:
        if self.reached:
            super()._run()
            return
        self.words = "ssh: connect to host: No route to host"
        self.pipe.back.put(None)

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipe.there.put("")
        self.thread.join(PATIENCE)
        if isinstance(self.failure, Crash):
            self.failure = None
        super().__exit__(kind, error, trace)


class SimMirror(MirrorTalk):
    @override
    def _run(self) -> None:
        try:
            super()._run()
        except Crash:
            host = self.session.host
            if not (isinstance(host, SimNode) and host.gone):
                raise
            self.reached, self.words = False, "killed"
            self.said.clear()


@dataclass(slots=True)
class Trap:
    """Something that happens on a machine after its Nth change, or after the Nth one that begins so."""

    text: str
    left: int
    act: Callable[[], None]


class SimNode(Node):
    """`traps`: what happens in the middle of its changes. `frozen`: nothing runs here. `lost`: the disk is not here."""

    def __init__(self, world: World, name: str) -> None:
        self.traps: list[Trap] = []
        self.frozen = self.lost = False
        super().__init__(world, name)
        self.answer_with(["systemctl", "--no-block", "reboot"], self._reboots)
        self.answer(["blkid"], status=2)
        for tool in ("debugfs", "dd"):
            self.answer_with([tool], self._disk_tool)

    def _reboots(self, argv: Sequence[str], _: bytes) -> Ran:
        return said(argv)

    def _disk_tool(self, argv: Sequence[str], stdin: bytes) -> Ran:
        if self.lost:
            return said(argv, status=1, stderr=b"no such device")
        return (self._debugfs if argv[0] == "debugfs" else self._dd)(argv, stdin)

    @property
    def sim(self) -> SimWorld:
        assert isinstance(self.world, SimWorld)
        return self.world

    @override
    def power_off(self) -> None:
        super().power_off()
        if self.sim.proofs is not None and self.sim.proofs.leases is not None:
            self.sim.proofs.leases.die(self.name)

    @override
    def boot(self) -> None:
        super().boot()
        if self.sim.proofs is not None and self.sim.proofs.leases is not None:
            self.sim.proofs.leases.join(self.name)

    def _demand_disk(self, what: str) -> None:
        """Who is shut out by a reservation reads, and does not write (EIO; measured, docs/design/proof.md)."""
        proofs = self.sim.proofs
        gone = self.lost and proofs is not None and proofs.kind != "none"
        if what.startswith("files.") and (gone or not self.sim.may_act(self.name)):
            for path in what.split()[1:]:
                if self.files.real(path).startswith(f"{self.world.disk.path}/"):
                    raise OSError(errno.EIO, f"{what}: {os.strerror(errno.EIO)}")

    @override
    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        self._demand_disk(what)
        if (self.gone or not self.power) and is_look():
            raise OSError(errno.EIO, f"this look was cut off before: {what}")
        if not self.power:
            raise Crash(what)  # the far side of a conversation, whose machine is off
        with super()._changing(what):
            yield
        for trap in [one for one in self.traps if what.startswith(one.text) and not is_look()]:
            trap.left -= 1
            if trap.left == 0:
                self.traps.remove(trap)
                trap.act()
                if self.is_dead():
                    self.die(what)

    def is_dead(self) -> bool:
        return not self.power or self.frozen

    @override
    def _count(self, what: str) -> None:
        if not is_look():
            super()._count(what)

    @override
    def mount_device(self, device: str, *args: Any) -> None:
        if self.lost:
            raise OSError(6, f"mount of {device}: no such device or address")
        disk = self.world.disk
        if disk.holder not in ("", self.name) and not self.sim.may_act(disk.holder):
            disk.holder = ""  # what is mounted there reaches the disk no more
        super().mount_device(device, *args)


class SimWire(FakeWire):
    """Two machines with one address are a violation where both may write: a reservation leaves its address to a frozen
    owner, until that one's watch drops it."""

    def __init__(self, world: SimWorld) -> None:
        super().__init__()
        self.world = world

    @override
    def note_owner(self, address: str, name: str) -> None:
        if self.world.may_act(name) and all(
            self.world.may_act(machine.name)
            for machine in self.machines
            if machine.name != name and machine.mac_of(address) is not None
        ):
            super().note_owner(address, name)


class SimWorld(World):
    """ec-a is the active node at `begin`. `proof`: what can prove an owner down here (proofs.py)."""

    proofs: Proofs | None = None

    def __init__(self, top: Path, *, mode: str = "host", size: str = "full", proof: Kind = "none") -> None:
        text = OC.read_text() if size == "full" else slim(OC.read_text())
        text = text.format(mode=mode, asset=ASSETS["filesystem"])
        super().__init__(top, mode=mode, controller=load_controller(text.encode(), "oc.toml"))
        for node in self.nodes.values():
            node.clock = FakeClock(wall=self.clock.wall)
        init(self.session("ec-a"))
        self._add_proofs(proof)
        self.write("ec-a", 0)
        self._image = Image(str(top))
        self._memory = self._remember()

    def _add_proofs(self, proof: Kind) -> None:
        """ec-a becomes active once more, with what the definition asks for now."""
        if proof in ("lease", "guest"):
            for node in self.nodes.values():
                node.clock = SharedTicks(self.clock.wall, self.clock)
        self.controller = replace(self.controller, proof=build_proof(proof))
        self.proofs = Proofs(self, proof)
        if proof in ("none", "power"):
            return
        release(self.session("ec-a"))
        takeover(self.session("ec-a"), TakeoverOptions())
        if self.proofs.leases is not None:
            join(self.b, self.controller, "ec-b")
            self.clock.advance(20.0)
        self.proofs.keep()

    @override
    def make_node(self, name: str) -> Node:
        if not isinstance(self.wire, SimWire):
            self.wire = SimWire(self)
        return SimNode(self, name)

    def may_act(self, name: str) -> bool:
        """May it write to the asset, as far as the disk is asked?"""
        return self.proofs is None or self.proofs.may_write(name)

    def lose_power(self, node: Node) -> None:
        if node.power:
            node.power_off()

    @override
    def note_running(self, what: str) -> None:
        running = [
            name
            for name, node in self.nodes.items()
            if self.may_act(name) and any(node.units[unit].state == "active" for unit in UNITS)
        ]
        if len(running) > 1:
            self.both_ran.append(f"services run on both nodes after: {what}")

    def sim(self, name: str) -> SimNode:
        node = self.nodes[name]
        assert isinstance(node, SimNode)
        return node

    # -- back to the beginning
    def begin(self) -> None:
        self.revive()
        self._image.put_back()
        memory = self._memory
        self.dirty, self.ssh_works = False, True
        self.both_ran.clear()
        self.wire.violations.clear()
        self.disk.violations.clear()
        self.disk.holder, self.disk.guarded = memory["holder"], True
        if self.proofs is not None:
            self.proofs.put_back()
        for name, kept in memory["nodes"].items():
            node = self.sim(name)
            for key in KEPT_MEMORY:
                setattr(node, key, copy(kept[key]))
            node._mounts.entries[:] = [replace(one, disk=self._disk_of(one)) for one in kept["mounts"]]
            node._mounts._settle()
            for port, added in kept["added"].items():
                node.network.ports[port].added[:] = added
                node.network.ports[port].carrier = True
            for unit, was in kept["units"].items():
                node.units[unit] = copy(was)
            if isinstance(node.clock, SharedTicks):
                node.clock.lag = 0.0
            node.clock.wall, node.clock.ticks = kept["clock"]
            node._locks.clear()
            node.traps.clear()
            node.then.clear()
            node.frozen = node.lost = False
            self.events[name].clear()

    def _remember(self) -> dict[str, Any]:
        nodes: dict[str, Any] = {}
        for name, node in self.nodes.items():
            kept: dict[str, Any] = {key: copy(getattr(node, key)) for key in KEPT_MEMORY}
            kept["mounts"] = [replace(one, disk=None) for one in node._mounts.entries]
            kept["added"] = {port: list(one.added) for port, one in node.network.ports.items()}
            kept["units"] = {unit: copy(one) for unit, one in node.units.items()}
            kept["clock"] = (node.clock.wall, node.clock.ticks)
            nodes[name] = kept
        return {"nodes": nodes, "holder": self.disk.holder}

    def _disk_of(self, entry: Any) -> Any:
        return self.disk if entry.mount.device == self.disk.number else None

    def revive(self) -> None:
        for node in self.nodes.values():
            node.revive()

    # -- what else happens
    @override
    def open_peer(self, node: PeerNode, argv: Sequence[str], **_: object) -> Conversation:
        if argv[1] == "mirror":
            return SimMirror(self.session(node.name), argv, reached=self.reaches(node.name))
        talk = SimTalk(self.session(node.name), argv)
        talk.reached = self.reaches(node.name)
        return talk

    @override
    def ssh(self, source: Node, argv: Sequence[str], stdin: bytes) -> Ran:
        try:
            return super().ssh(source, argv, stdin)
        except Crash:
            if source.gone:
                raise
            return said(argv, status=137, stderr=b"killed\n")

    def reaches(self, name: str) -> bool:
        return self.ssh_works and all(node.answering for node in self.nodes.values())

    def serving(self) -> tuple[str, ...]:
        """Who would answer a client now: the address, the service and the tree."""
        address = self.controller.identity.addresses[0].address
        unit = self.controller.services[0].unit
        return tuple(
            name
            for name, node in self.nodes.items()
            if node.answering
            and self.may_act(name)
            and node.mac_of(address)
            and node.units[unit].state == "active"
            and any(mount.target == self.controller.tree for mount in node.mounts())
        )

    def write(self, name: str, number: int) -> None:
        """The service acknowledges a client's write."""
        path = Path(self.nodes[name].files.real(f"{self.controller.tree}/{LEDGER}"))
        with path.open("a") as ledger:
            ledger.write(f"{number}\n")

    def written(self) -> list[int]:
        path = self.top / "disk" / LEDGER
        return [int(line) for line in path.read_text().split()] if path.exists() else []
