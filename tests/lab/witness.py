"""Who has the asset mounted, and who has the service address, read from outside all the time.

The nodes of a lab share one kernel, in which two mounts of one disk do no harm that anybody sees; and an address that
sends no ARP frame is unknown to the observer. A look at the end of a point finds neither of what was over by then.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab import cgroup
from lab.disk import Disk, attached_disks, parse_mountinfo
from lab.enter import find_init
from lab.layout import Layout, node_spec

EVERY = 0.02  # seconds
FIND_EVERY = 0.2  # seconds between two searches for the PID 1 of a node that is off


@dataclass(slots=True)
class Process:
    """A node's PID 1, by a descriptor of its directory in /proc: no other process with its number is taken for it."""

    machine: str
    _directory: int = -1
    _searched: float = 0.0

    def read(self, name: str) -> str:
        """ "" while the node is off."""
        if self._directory < 0 and not self._find():
            return ""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._directory)
            with open(fd) as file:
                return file.read()
        except OSError:
            self.close()
            return ""

    def _find(self) -> bool:
        if time.monotonic() - self._searched < FIND_EVERY:
            return False
        self._searched = time.monotonic()
        pid = find_init(cgroup.pids(self.machine))
        if pid is None:
            return False
        try:
            self._directory = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        return True

    def close(self) -> None:
        if self._directory >= 0:
            os.close(self._directory)
        self._directory = -1


@dataclass(slots=True)
class Witness:
    """`both`: (when, what) of each time that two nodes had the same at once."""

    disk: Disk
    address: str
    nodes: dict[str, Process]
    rounds: int = 0
    read: set[str] = field(default_factory=set)  # nodes of which anything could be read
    had: set[str] = field(default_factory=set)  # nodes that were seen to have the asset mounted
    both: list[tuple[float, str]] = field(default_factory=list)

    def look(self) -> None:
        self.rounds += 1
        mounts = {name: one.read("mountinfo") for name, one in self.nodes.items()}
        found = {name: has_mount(text, self.disk) for name, text in mounts.items()}
        self._note("the asset mounted", found)
        self.read.update(name for name, text in mounts.items() if text)
        self.had.update(name for name, here in found.items() if here)
        here = {name: has_address(one.read("net/fib_trie"), self.address) for name, one in self.nodes.items()}
        self._note(f"the address {self.address}", here)

    def _note(self, what: str, found: dict[str, bool]) -> None:
        if all(found.values()):
            self.both.append((time.monotonic(), f"{' and '.join(found)} both have {what}"))

    def check(self) -> None:
        """AssertionError with the first and the last moment of it, and where nothing could be seen at all."""
        assert self.read == set(self.nodes), f"only of {self.read} anything could be read"
        assert not self.both, f"{len(self.both)} times: {self.both[0]} .. {self.both[-1]}"


@contextmanager
def watched(layout: Layout, device: str, address: str) -> Iterator[Witness]:
    """`device`: as the nodes call it, /dev/asset0. The lab must be up."""
    disk = next(one for one in attached_disks(layout) if device in one.node_paths)
    names = ("ec-a", "ec-b")
    nodes = {name: Process(layout.machine(node_spec(name).name)) for name in names}
    witness, over = Witness(disk, address, nodes), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            witness.look()

    thread = threading.Thread(target=watch, name="witness", daemon=True)
    thread.start()
    try:
        yield witness
    finally:
        over.set()
        thread.join()
        for one in nodes.values():
            one.close()


def has_mount(mountinfo: str, disk: Disk) -> bool:
    return any(parse_mountinfo(mountinfo, {disk.number: disk}, 0))


def has_address(fib_trie: str, address: str) -> bool:
    """A local address of that network namespace (/proc/PID/net/fib_trie)."""
    _, found, rest = fib_trie.partition(f"|-- {address}\n")
    return bool(found) and rest.lstrip().startswith("/32 host LOCAL")
