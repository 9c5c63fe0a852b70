"""Two fake machines of which each has a disk of its own, and a DRBD that plays by the rules seen on two real kernels.

Connected copies are alike; apart, each has what its Primary wrote. A Primary that is alone begins a new generation.
When they meet, the older one becomes the newer's; where each has what the other lacks, both stand alone.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from tanist.host.fake_world import FakeDisk
from tanist.model.host import Ran
from tests.unit.runs.roots import make_disk
from tests.unit.runs.world import Node, World, said

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


HEAD = "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: F73C670A7EC572DB9CF3E5B \n"
REFUSED = "0: State change failed: (-1) Multiple primaries not allowed by config"


class Copy:
    """One node's. `generations`: its history, the newest first."""

    def __init__(self, path: Path) -> None:
        make_disk(path)
        self.disk = FakeDisk(path=str(path))
        self.up, self.primary, self.stands_alone, self.dirty = True, False, False, False
        self.state = "UpToDate"
        self.generations = [1]


class Drbd:
    def __init__(self, world: World) -> None:
        self.world = world
        self.cable = True
        self.copies = {name: Copy(world.top / f"copy-{name}") for name in ("ec-a", "ec-b")}
        self._last = 1
        self.lock = RLock()

    def other(self, name: str) -> str:
        return next(one for one in self.copies if one != name)

    @property
    def linked(self) -> bool:
        there = all(name in self.world.nodes and self.world.nodes[name].power for name in self.copies)
        return self.cable and there and all(one.up and not one.stands_alone for one in self.copies.values())

    def settle(self) -> None:
        """Meet and copy, or begin a generation; then both kernels say what is. Looks come from several threads."""
        with self.lock:
            self._settle()

    def _settle(self) -> None:
        if self.linked:
            self._meet()
        for name, copy in self.copies.items():
            copy.dirty = copy.dirty and not copy.disk.holder  # a mount replays the journal
            other = self.copies[self.other(name)]
            if copy.primary and self.linked:
                self._overwrite(copy, other)
            elif copy.primary and copy.generations[0] in other.generations:
                self._last += 1
                copy.generations.insert(0, self._last)
        for name in self.world.nodes:
            path = self.world.top / name / "proc/drbd"
            path.parent.mkdir(exist_ok=True)
            written = path.with_name("written")
            written.write_text(HEAD + self._line(name))
            written.replace(path)

    def _meet(self) -> None:
        mine, theirs = self.copies.values()
        if theirs.generations[0] == mine.generations[0]:
            return
        if theirs.generations[0] in mine.generations:
            self._overwrite(mine, theirs)
        elif mine.generations[0] in theirs.generations:
            self._overwrite(theirs, mine)
        else:
            mine.stands_alone = theirs.stands_alone = True

    def _overwrite(self, source: Copy, target: Copy) -> None:
        shutil.rmtree(target.disk.path)
        shutil.copytree(source.disk.path, target.disk.path, symlinks=True)
        target.generations, target.state = [*source.generations], "UpToDate"
        target.dirty = source.dirty or bool(source.disk.holder)

    def _line(self, name: str) -> str:
        copy, other = self.copies[name], self.copies[self.other(name)]
        if not copy.up:
            return ""
        role = "Primary" if copy.primary else "Secondary"
        connection = "StandAlone" if copy.stands_alone else "Connected" if self.linked else "WFConnection"
        theirs = ("Primary" if other.primary else "Secondary", other.state) if self.linked else ("Unknown", "DUnknown")
        return f" 0: cs:{connection} ro:{role}/{theirs[0]} ds:{copy.state}/{theirs[1]} C r-----\n    ns:0 ap:0 oos:0\n"

    # -- its programs
    def answer(self, node: Node) -> None:
        name = node.name
        node.answer(["drbdadm", "sh-ll-dev"], "/dev/local0\n")
        node.answer(["journalctl"], "2026-11-23T07:22:10+0000 kernel: conn( Connected -> NetworkFailure )\n")
        node.answer_with(["drbdadm", "up"], lambda argv, _: self._up(name, argv))
        node.answer_with(["drbdsetup"], lambda argv, _: self._set_role(name, argv))
        node.answer_with(["debugfs"], lambda argv, _: self._claim(name, argv))
        node.answer_with(["dd"], lambda argv, _: self._block(name, argv))

    def _up(self, name: str, argv: Sequence[str]) -> Ran:
        self.copies[name].up = True
        self.settle()
        return said(argv)

    def _set_role(self, name: str, argv: Sequence[str]) -> Ran:
        copy, primary = self.copies[name], argv[1] == "primary"
        if primary and self.linked and self.copies[self.other(name)].primary:
            return said(argv, status=11, stderr=REFUSED.encode())
        if not primary and copy.disk.holder:
            return said(argv, status=11, stderr=b"0: State change failed: (-12) Device is held open by someone")
        self.settle()
        copy.primary = primary
        self.settle()
        return said(argv)

    def _claim(self, name: str, argv: Sequence[str]) -> Ran:
        with self.lock:
            self.settle()
            path = Path(self.copies[name].disk.path) / ".tanist/claim"
            found = path.read_bytes() if path.exists() else b""
        return said(argv, found, stderr=b"" if found else b"not found")

    def _block(self, name: str, argv: Sequence[str]) -> Ran:
        self.settle()
        copy, block = self.copies[name], bytearray(4096)
        struct.pack_into("<H", block, 1024 + 0x38, 0xEF53)
        struct.pack_into("<H", block, 1024 + 0x3A, 1)
        struct.pack_into("<I", block, 1024 + 0x60, 0x4 if copy.disk.holder or copy.dirty else 0)
        return said(argv, bytes(block))


class ReplicaNode(Node):
    def __init__(self, world: ReplicaWorld, name: str) -> None:
        self.drbd = world.drbd
        super().__init__(world, name)
        self.disks.clear()
        self.disks["/dev/drbd0"] = self.drbd.copies[name].disk

    @override
    def _answer_commands(self) -> None:
        super()._answer_commands()
        self.drbd.answer(self)

    @override
    def power_off(self) -> None:
        self.drbd.settle()
        copy = self.drbd.copies[self.name]
        copy.dirty = copy.dirty or bool(copy.disk.holder)
        super().power_off()
        copy.primary = copy.stands_alone = False
        self.drbd.settle()

    @override
    def boot(self) -> None:
        super().boot()
        self.drbd.settle()


class ReplicaWorld(World):
    """A mount leaves the copy's file system clean when it ends, as tanist's own unmount does."""

    def __init__(self, top: Path) -> None:
        self.top, self.nodes = top, {}
        self.drbd = Drbd(self)
        super().__init__(top, kind="replicated")

    @override
    def make_node(self, name: str) -> Node:
        return ReplicaNode(self, name)

    def cut_cable(self) -> None:
        self.drbd.settle()
        self.drbd.cable = False
        self.drbd.settle()

    def join(self) -> None:
        self.drbd.cable = True
        self.drbd.settle()
