"""sanlock on the machines of world.py, in virtual time: what was recorded of 3.8.5, over one shared place of leases.

A daemon renews each two time-outs while its machine has power and is not frozen; the others call it LIVE for eight
time-outs after its last renewal, then FAIL, and after a minute more DEAD, when what it held can be had.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tanist.facts.device import crc32c
from tanist.facts.lease import HOST_MAGIC, RESOURCE_MAGIC, SEED, SIZE
from tanist.model.definition import Lease, Proof
from tanist.model.host import Ran
from tests.unit.runs.world import Node, World, said

LEASE = Lease(device="/dev/lease", io_timeout=2)
SPACE, UNIT = "tanist-oc", "tanist-lease-oc.service"
RESOURCE = f"{SPACE}:owner:/dev/lease:1048576"


def mark(magic: int, name: str, host_id: int, generation: int, stamp: int, space: str = SPACE) -> bytes:
    texts = (space.encode(), name.encode())
    head = struct.pack("<IIIIQQQQQ48s48sQ", magic, 0x30004, 16, 512, 0, 1, host_id, generation, 0, *texts, stamp)
    head += bytes(168 - len(head))
    return (head + struct.pack("<I", crc32c(head, SEED))).ljust(512, b"\0")


@dataclass
class Sanlock:
    """One node's daemon."""

    up: bool = True
    joined: float | None = None
    generation: int = 0
    stopped: float | None = None  # renews no more since: dead, frozen, or cut off from the leases
    holding: bool = False  # the unit of the process that holds the lease, or waits for it
    used: bool = False


class Leases:
    def __init__(self, world: World, *, watchdog: bool = True, machine: str = "none") -> None:
        self.world, self.watchdog, self.machine = world, watchdog, machine
        self.bytes = bytearray(SIZE)
        self.owner: tuple[str, int] | None = None  # node, generation
        self.nodes: dict[str, Sanlock] = {"ec-a": Sanlock(), "ec-b": Sanlock()}
        self.broken = ""  # what dd says instead of reading
        world.controller = replace(world.controller, proof=Proof(lease=LEASE))
        for node in (world.a, world.b):
            self._answer(node)

    @property
    def now(self) -> float:
        return self.world.clock.ticks

    def stop(self, node: str) -> None:
        self.nodes[node].stopped = self.now

    def renewed(self, node: str) -> float:
        """When it renewed last."""
        one = self.nodes[node]
        until = self.now if one.stopped is None else min(one.stopped, self.now)
        begun = one.joined or 0.0
        return begun + max(until - begun, 0.0) // LEASE.renewed_every * LEASE.renewed_every

    def state(self, node: str) -> str:
        age = self.now - self.renewed(node)
        return "LIVE" if age < 8 * LEASE.io_timeout else "FAIL" if age < LEASE.lapses_after else "DEAD"

    def write(self) -> None:
        """What the daemons have written by now."""
        for number, name in enumerate(self.nodes, start=1):
            one = self.nodes[name]
            stamp = int(self.renewed(name)) + 1 if one.joined is not None else 0
            self.bytes[(number - 1) * 512 : number * 512] = mark(HOST_MAGIC, name, number, one.generation, stamp)
        owner, generation = self.owner or ("ec-a", 0)
        number = list(self.nodes).index(owner) + 1
        stamp = int(self.now) + 1 if self.owner else 0
        self.bytes[1 << 20 : (1 << 20) + 512] = mark(RESOURCE_MAGIC, "owner", number, generation, stamp)

    # -- programs
    def _answer(self, node: Node) -> None:
        node.answer(["systemd-detect-virt"], f"{self.machine}\n", status=1 if self.machine == "none" else 0)
        node.answer_with(["dd", "if=/dev/lease"], self._read)
        node.answer_with(["dd", "of=/dev/lease"], lambda argv, stdin: self._write(node, argv, stdin))
        node.answer(["blockdev", "--getss"], "512\n")
        node.answer_with(["sanlock"], lambda argv, _: self._sanlock(node, argv))
        node.answer_with(["/usr/bin/python3"], lambda argv, _: self._join(node, argv))
        node.answer_with(["systemd-run"], lambda argv, _: self._hold(node, argv))
        node.answer_with(["systemctl", "stop", UNIT], lambda argv, _: self._drop(node, argv))
        quiet = ["systemctl", "is-active", "--quiet", UNIT]
        node.answer_with(quiet, lambda argv, _: said(argv, status=0 if self.nodes[node.name].holding else 3))
        node.answer(["systemctl", "start", "sanlock.service"])

    def _read(self, argv: Sequence[str], _: bytes) -> Ran:
        if self.broken:
            return Ran(argv=tuple(argv), status=1, stdout=b"", stderr=self.broken.encode())
        self.write()
        words = dict(word.partition("=")[::2] for word in argv[1:])
        size = int(words["bs"])
        at = size * int(words["skip"])
        return said(argv, bytes(self.bytes[at : at + size * int(words["count"])]))

    def _write(self, node: Node, argv: Sequence[str], stdin: bytes) -> Ran:
        if self.broken:
            return Ran(argv=tuple(argv), status=1, stdout=b"", stderr=self.broken.encode())
        words = dict(word.partition("=")[::2] for word in argv[1:])
        with node._changing(f"dd {words['seek']}"):
            at = 4096 * int(words["seek"])
            self.bytes[at : at + len(stdin)] = stdin
        return said(argv)

    def _join(self, node: Node, argv: Sequence[str]) -> Ran:
        one = self.nodes[node.name]
        with node._changing("join"):
            self.world.clock.advance(5.0)
            one.joined, one.generation, one.stopped = self.now, one.generation + 1, None
        return said(argv)

    def _hold(self, node: Node, argv: Sequence[str]) -> Ran:
        with node._changing("hold"):
            self.nodes[node.name].holding = True
        self._settle(node.name)
        if self.owner != (node.name, self.nodes[node.name].generation) and self.owner and self._live(self.owner[0]):
            self.nodes[node.name].holding = False  # -243
        return said(argv)

    def _live(self, owner: str) -> bool:
        return self.state(owner) == "LIVE"

    def _settle(self, name: str) -> None:
        """The lease to whoever waits for it, where it can be had."""
        one = self.nodes[name]
        free = self.owner is None or self.owner[0] == name or self.state(self.owner[0]) == "DEAD"
        if one.holding and one.joined is not None and one.stopped is None and free:
            self.owner = (name, one.generation)

    def _drop(self, node: Node, argv: Sequence[str]) -> Ran:
        one = self.nodes[node.name]
        if one.holding:
            with node._changing("drop"):
                one.holding = False
                if self.owner is not None and self.owner[0] == node.name:
                    self.owner = None
        return said(argv)

    def _sanlock(self, node: Node, argv: Sequence[str]) -> Ran:
        one = self.nodes[node.name]
        if not one.up:
            return said(argv)
        match argv[2]:
            case "status":
                return said(argv, self._status(node.name).encode())
            case "gets":
                return said(argv, self._gets(node.name).encode())
            case "host_status":
                return said(argv, self._seen().encode())
            case "set_config":
                one.used = argv[-1] == "1"
                return said(argv, b"set_config done 0\n")
            case _:
                with node._changing("init -r"):
                    self.owner = None
                return said(argv, b"init done 0\n")

    def _status(self, name: str) -> str:
        self._settle(name)
        one, number = self.nodes[name], list(self.nodes).index(name) + 1
        text = f"daemon {name}\n    use_watchdog={int(self.watchdog)}\n"
        if one.joined is not None and one.stopped is None:
            text += f"s {SPACE}:{number}:/dev/lease:0\n    renewal_last_success={int(self.renewed(name))}\n"
            if one.holding and self.owner == (name, one.generation):
                text += f"r {RESOURCE}:1 p 4711\n"
        return text

    def _gets(self, name: str) -> str:
        number = list(self.nodes).index(name) + 1
        lines = [f"s {SPACE}:{number}:/dev/lease:0 "]
        for at, other in enumerate(self.nodes, start=1):
            one = self.nodes[other]
            if one.joined is not None:
                stamp = int(self.renewed(other)) + 1
                lines.append(f"h {at} gen {one.generation} timestamp {stamp} {self.state(other)}")
        return "\n".join(lines) + "\n"

    def _seen(self) -> str:
        lines = []
        for at, other in enumerate(self.nodes, start=1):
            if self.nodes[other].joined is not None:
                stamp = int(self.renewed(other)) + 1
                lines += [f"{at} timestamp {stamp}", f"    last_live={int(self.renewed(other))}"]
                lines += [f"    timestamp={stamp}", f"    io_timeout={LEASE.io_timeout}"]
        return "\n".join(lines) + "\n"
