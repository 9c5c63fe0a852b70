"""The lab as a whole: what `labctl` and the tests call.

    lab = Lab("main"); lab.up(); lab.exec("ec-a", ["hostname"]); lab.cut("ec-a"); lab.boot("ec-a"); lab.down()

Every answer comes from the kernel, so two processes may use one lab; verbs that change it take turns by a lock.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab import cgroup, cleanup, disk, files, layers, network, powercut
from lab.enter import ENVIRONMENT
from lab.errors import LabError, LabRefused
from lab.layout import CACHE, DISK_BYTES, NETWORKS, NODES, STATE, Layout, node_spec
from lab.machine import why_no_lab
from lab.node import PYTHON, Node, State, start_daemon
from lab.observer import ObserverLog

BOOT_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Cut:
    """A power cut: when the node went silent (seconds, two clocks), how long the verb took, and how its disks went."""

    at: float
    wall: float
    seconds: float
    disks: dict[str, str]  # asset0 -> "shutdown" or "copy"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    name: str
    state: State
    isolated: tuple[str, ...]  # networks on which its switch port is down
    svc_ip: str
    mgmt_ip: str
    pid: int | None  # the machine's number for the node's PID 1
    mounts: dict[str, list[str]]  # asset0 -> mount points


@dataclass(frozen=True, slots=True)
class LabStatus:
    lab: str
    nodes: tuple[NodeStatus, ...]
    disks: tuple[disk.Disk, ...]


class Lab:
    def __init__(self, name: str = "main") -> None:
        self.layout = Layout(name)
        self.name = name
        self.observer = ObserverLog(self.layout.observer_log)

    # ---- the whole lab

    def up(self, nodes: Sequence[str] = tuple(NODES), *, disk_bytes: int = DISK_BYTES) -> None:
        """Build what the cache lacks, make what the lab lacks, boot the nodes that are off; returns when all answer."""
        specs = [node_spec(n) for n in nodes]
        self.build()
        with self._lock():
            if self.layout.switch not in network.namespaces(self.layout.prefix):
                network.create_switch(self.layout)
            disk.create(self.layout, disk_bytes)
            self._start_observer()
            booting = [n for n in (Node(self.layout, s) for s in specs) if n.state() == "off"]
            for node in booting:
                node.start()
            for node in booting:
                node.wait_booted(BOOT_TIMEOUT)

    def down(self) -> None:
        """Remove every process, mount, loop device, namespace, cgroup and file of the lab, however it got there."""
        with self._lock():
            cleanup.remove_everything(self.layout)
            left = cleanup.find_leftovers(self.layout)
        if left:
            raise LabError("left behind: " + "; ".join(left))

    def build(self) -> Path:
        """Build base image and node layers unless they are in the cache."""
        reason = why_no_lab()
        if reason is not None:
            raise LabRefused(reason)
        if layers.is_built():
            return layers.layers_path()
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "build.log").open("a") as log:
            return layers.build(log)

    def status(self) -> LabStatus:
        disks = disk.attached_disks(self.layout)
        return LabStatus(self.name, tuple(self._node_status(n) for n in NODES), tuple(disks))

    def _node_status(self, name: str) -> NodeStatus:
        node = self._node(name)
        mounts: dict[str, list[str]] = {}
        for m in node.mounts():
            if m.point not in mounts.setdefault(m.disk.name, []):
                mounts[m.disk.name].append(m.point)
        spec, state = node.spec, node.state()
        isolated = network.down_ports(self.layout, name) if state != "off" else ()
        return NodeStatus(name, state, isolated, spec.svc_ip, spec.mgmt_ip, node.init_pid(), mounts)

    # ---- power

    def cut(self, node: str) -> Cut:
        """Power cut: silent at once, nothing more reaches its disks, all gone. Its root file system stays."""
        with self._lock():
            return self._cut(self._node(node))

    def _cut(self, node: Node) -> Cut:
        if node.state() == "off":
            raise LabRefused(f"{node.name} is off")
        self._refuse_shared_mounts(node)
        at, wall = time.monotonic(), time.time()
        network.set_ports(self.layout, node.name, up=False)
        with suppress(LabError):  # a process stuck in the kernel does not freeze; it cannot write by itself either
            cgroup.set_frozen(node.machine, True)
        cuts = powercut.cut_disks(node.mounts())
        cgroup.kill(node.machine)
        powercut.settle(cuts)
        network.unplug(self.layout, node.name)
        return Cut(at, wall, time.monotonic() - at, {c.disk.name: c.how for c in cuts})

    def _refuse_shared_mounts(self, node: Node) -> None:
        mine = {m.disk.name for m in node.mounts()}
        for other in NODES:
            both = mine & {m.disk.name for m in self._node(other).mounts()} if other != node.name else set()
            if both:
                raise LabRefused(
                    f"{', '.join(sorted(both))} is mounted on {node.name} and {other}: the kernel cannot cut one alone"
                )

    def boot(self, node: str, *, wait: bool = True, timeout: float = BOOT_TIMEOUT) -> None:
        """Power on; returns when systemd is up and sshd answers (or, without `wait`, when PID 1 runs)."""
        with self._lock():
            target = self._node(node)
            if self.layout.switch not in network.namespaces(self.layout.prefix):
                raise LabRefused(f"lab {self.name} is not up")
            if target.state() != "off":
                raise LabRefused(f"{node} is {target.state()}")
            target.start()
        if wait:
            target.wait_booted(timeout)

    def shutdown(self, node: str, *, timeout: float = 60) -> None:
        """Clean power-off from the inside; returns when the node is off."""
        with self._lock():
            target = self._node(node)
            target.signal_init(signal.SIGRTMIN + 4)  # systemd: poweroff.target
            target.wait_off(timeout)

    def reboot(self, node: str, *, timeout: float = BOOT_TIMEOUT) -> None:
        """Clean reboot from the inside; returns when the node is up again."""
        target = self._node(node)
        before = target.require_running()
        target.signal_init(signal.SIGRTMIN + 5)  # systemd: reboot.target
        self.wait_booted(node, timeout=timeout, after=before)

    def wait_booted(self, node: str, *, timeout: float = BOOT_TIMEOUT, after: int | None = None) -> str:
        """Wait for systemd ("running" or "degraded", returned) and sshd; `after`: a PID 1 that must have gone first."""
        target = self._node(node)
        end = time.monotonic() + timeout
        while after is not None and target.init_pid() in (after, None):
            if time.monotonic() > end:
                raise LabError(f"{node} did not come back in {timeout:g} s")
            time.sleep(0.01)
        return target.wait_booted(max(0.1, end - time.monotonic()))

    def freeze(self, node: str) -> None:
        """Stop every process where it is (a stalled machine); its kernel side, such as TCP and ARP, lives on."""
        with self._lock():
            target = self._node(node)
            if target.state() != "running":
                raise LabRefused(f"{node} is {target.state()}")
            cgroup.set_frozen(target.machine, True)

    def thaw(self, node: str) -> None:
        with self._lock():
            target = self._node(node)
            if target.state() != "frozen":
                raise LabRefused(f"{node} is {target.state()}")
            cgroup.set_frozen(target.machine, False)

    # ---- network

    def isolate(self, node: str, networks: Sequence[str] = NETWORKS) -> None:
        """Pull the node's cables at the switch; they stay out over a boot."""
        with self._lock():
            self._require_on(node)
            network.isolate(self.layout, node, tuple(networks))

    def join(self, node: str, networks: Sequence[str] = NETWORKS) -> None:
        """Put the node's cables back."""
        with self._lock():
            self._require_on(node)
            network.join(self.layout, node, tuple(networks))

    def _require_on(self, node: str) -> None:
        if self._node(node).state() == "off":
            raise LabRefused(f"{node} is off")

    # ---- work in a node

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        input: bytes | None = None,
        check: bool = False,
        timeout: float | None = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program in the node as root. With `check`, a status other than 0 is a LabError with its stderr."""
        done = self._node(node).exec(argv, input=input, timeout=timeout)
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:]
            raise LabError(f"{node}: {shlex.join(argv)}: status {done.returncode}: {said}")
        return done

    def enter_argv(self, node: str, argv: Sequence[str], environment: Mapping[str, str] = ENVIRONMENT) -> list[str]:
        """A command line of the machine that runs `argv` in the node, for callers with their own pipes or terminal."""
        return self._node(node).enter_argv(argv, environment)

    def push(self, node: str, source: str | Path, target: str) -> None:
        files.push(self._node(node), Path(source), target)

    def pull(self, node: str, source: str, target: str | Path) -> None:
        files.pull(self._node(node), source, Path(target))

    # ---- parts

    def disk(self, index: int) -> disk.Disk:
        """A shared disk: .image and .loop are paths of the machine, .name ("asset0") is its name in the nodes' /dev."""
        name = self.layout.image(index).stem
        found = [d for d in disk.attached_disks(self.layout) if d.name == name]
        if not found:
            raise LabRefused(f"lab {self.name} has no {name}; is it up?")
        return found[0]

    def leftovers(self) -> list[str]:
        return cleanup.find_leftovers(self.layout)

    def root(self, node: str) -> Path:
        """The running node's root as a path of the machine. Absolute symlinks lead astray: prefer exec, push, pull."""
        return Path(f"/proc/{self._node(node).require_running()}/root")

    def _node(self, name: str) -> Node:
        return Node(self.layout, node_spec(name))

    def _start_observer(self) -> None:
        inside = ["nsenter", f"--net={network.NETNS / self.layout.switch}", *PYTHON, "-m", "lab.observer"]
        self._start_once("observer", [*inside, str(self.layout.observer_log)])

    def start_power_switch(self, password: str) -> None:
        """A management controller at 10.99.0.1 that cuts and gives power (lab/bmc.py); it ends with the lab."""
        secret = self.layout.directory / "bmc.password"
        secret.touch(0o600)
        secret.write_text(password)
        self._start_once("bmc", [*PYTHON, "-m", "lab.bmc", self.name, str(secret)])

    def _start_once(self, name: str, argv: list[str]) -> None:
        """A daemon in a control group of its own, by which it is found and ended; nothing where it runs already."""
        group = f"{self.layout.prefix}{name}"
        if cgroup.exists(group) and cgroup.pids(group):
            return
        cgroup.create(group)
        enter = ("sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"')
        join = [word for tree in cgroup.trees() for word in (*enter, str(tree / group))]
        start_daemon([*join, *argv], self.layout.directory / f"{name}.log")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One lifecycle verb at a time per lab; the lock ends with its holder, however it ends."""
        STATE.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
