"""A lab of virtual machines: the verbs of lab.lab.Lab, on hosts that have kernels, clocks and disks of their own.

lab = VmLab("main"); lab.up(); lab.exec("ec-a", ["uname", "-r"]); lab.cut("ec-a"); lab.boot("ec-a"); lab.down()
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from errno import EIO
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cgroup, network
from lab.disk import Disk
from lab.errors import LabError, LabRefused
from lab.lab import Cut, Lab, LabStatus, NodeStatus
from lab.layout import CACHE, NETWORKS
from lab.node import PYTHON, Node
from lab.vm import states, wires
from lab.vm.layout import (
    DEFAULT_NODES,
    NETWORKS_OF,
    SHARED,
    VM_NODES,
    disk_image,
    disk_of,
    saved_of,
    tier_mark,
    vm_spec,
)
from lab.vm.machine import why_no_vm_lab
from lab.vm.node import VmNode
from lab.vm.qemu import qmp_socket
from lab.vm.qmp import open_qmp

if TYPE_CHECKING:
    from typing_extensions import override
else:  # typing.override came with Python 3.12

    def override(method):
        return method


BOOT_TIMEOUT = 300.0
IO_TYPES = ("read", "write", "write-zeroes", "discard", "flush")


class VmLab(Lab):
    @override
    def up(self, nodes: Sequence[str] = DEFAULT_NODES, *, disk_bytes: int = 0) -> None:
        """Build what the cache lacks, make what the lab lacks, start the nodes that are off; returns when all answer.

        A node new in this lab goes on from its saved state (seconds); one that was cut or shut down boots (half a
        minute). The disks have the sizes that they were saved with.
        """
        if disk_bytes:
            raise LabRefused("a machine's disks have the sizes with which it was saved")
        for name in nodes:
            vm_spec(name)
        saved = self.build()
        with self._lock():
            if self.layout.directory.exists() and not tier_mark(self.layout).exists():
                raise LabRefused(f"lab {self.name} is one of containers: take it down first")
            self.layout.directory.mkdir(parents=True, exist_ok=True)
            if not tier_mark(self.layout).exists():
                tier_mark(self.layout).write_text(str(saved))
            if self.layout.switch not in network.namespaces(self.layout.prefix):
                wires.create_switch(self.layout)
            self._start_observer()
            starting = [n for n in map(self._vm, nodes) if n.state() == "off"]
            _each(starting, _start_and_wait)

    @override
    def build(self) -> Path:
        """Build tree, root disks and saved states unless they are in the cache."""
        reason = why_no_vm_lab()
        if reason is not None:
            raise LabRefused(reason)
        if states.is_built():
            states.saved_path().touch()
            return states.saved_path()
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "build.log").open("a") as log:
            return states.build(log)

    @override
    def status(self) -> LabStatus:
        disks = tuple(Disk(d.name, disk_image(self.layout, "ec-a", d), Path(d.by_id)) for d in SHARED)
        return LabStatus(self.name, tuple(self._node_status(n) for n in VM_NODES), disks)

    @override
    def _node_status(self, name: str) -> NodeStatus:
        node = self._vm(name)
        state = node.state()
        isolated = network.down_ports(self.layout, name, NETWORKS_OF[name]) if state != "off" else ()
        return NodeStatus(name, state, isolated, node.spec.svc_ip, node.spec.mgmt_ip, node.init_pid(), {})

    # ---- power

    @override
    def _cut(self, node: Node) -> Cut:
        """SIGKILL of the machine: its kernel and its memory are gone, its disks hold what they had taken."""
        if not cgroup.pids(node.machine):
            raise LabRefused(f"{node.name} is off")
        at, wall = time.monotonic(), time.time()
        self._vm(node.name).kill()
        return Cut(at, wall, time.monotonic() - at, {})

    @override
    def shutdown(self, node: str, *, timeout: float = 120) -> None:
        with self._lock():
            target = self._vm(node)
            target.exec(["systemctl", "poweroff", "--no-block"])
            target.wait_off(timeout)
            wires.unplug(self.layout, node)

    @override
    def reboot(self, node: str, *, timeout: float = BOOT_TIMEOUT) -> None:
        target = self._vm(node)
        before = target.boot_id()
        target.exec(["systemctl", "reboot", "--no-block"])
        self._wait_new_boot(target, before, timeout)

    def reset(self, node: str, *, wait: bool = True, timeout: float = BOOT_TIMEOUT) -> None:
        """The reset button: power stays, the kernel is gone at once; returns when it is up again."""
        with self._lock():
            target = self._vm(node)
            target.require_running()
            before = target.boot_id()
            with open_qmp(qmp_socket(self.layout, node)) as qmp:
                qmp.ask("system_reset")
                qmp.wait_event("RESET")
        if wait:
            self._wait_new_boot(target, before, timeout)

    def _wait_new_boot(self, node: VmNode, before: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        while node.boot_id() in (before, ""):
            if time.monotonic() > end:
                raise LabError(f"{node.name} did not boot anew in {timeout:g} s")
            time.sleep(0.1)
        node.wait_booted(max(0.1, end - time.monotonic()))

    def renew(self, nodes: Sequence[str] = DEFAULT_NODES, *, disks: bool = True) -> None:
        """As at the first `up`, in seconds: the nodes go on from their saved states, the shared disks are empty."""
        with self._lock():
            targets = [self._vm(n) for n in nodes]
            for node in targets:
                node.kill()
                node.forget()
            for disk in SHARED if disks else ():
                disk_image(self.layout, "ec-a", disk).unlink(missing_ok=True)
            _each(targets, _start_and_wait)

    @override
    def wait_booted(self, node: str, *, timeout: float = BOOT_TIMEOUT, after: int | None = None) -> str:  # noqa: ARG002
        return self._vm(node).wait_booted(timeout)

    @override
    def boot(self, node: str, *, wait: bool = True, timeout: float = BOOT_TIMEOUT) -> None:
        super().boot(node, wait=wait, timeout=timeout)

    @override
    def freeze(self, node: str, *, clock_runs: bool = False) -> None:
        """Stop the processors. Without `clock_runs` its time stands still too (a paused guest: afterwards it does not
        know); with it, time jumps at the thaw and every timer that has come due fires at once (a stalled host).
        """
        with self._lock():
            target = self._vm(node)
            if target.state() != "running":
                raise LabRefused(f"{node} is {target.state()}")
            if clock_runs:
                cgroup.set_frozen(target.machine, True)
            else:
                target.qmp_do("stop")

    @override
    def thaw(self, node: str) -> None:
        with self._lock():
            target = self._vm(node)
            if target.state() != "frozen":
                raise LabRefused(f"{node} is {target.state()}")
            if cgroup.is_frozen(target.machine):
                cgroup.set_frozen(target.machine, False)
            else:
                target.qmp_do("cont")

    # ---- network

    @override
    def isolate(self, node: str, networks: Sequence[str] = NETWORKS) -> None:
        """Pull cables at the switch; the machine sees no carrier. The way to the store (san) stays unless named."""
        with self._lock(), self._cables(node):
            network.isolate(self.layout, node, tuple(n for n in networks if n in NETWORKS_OF[node]))

    @override
    def join(self, node: str, networks: Sequence[str] = NETWORKS) -> None:
        with self._lock(), self._cables(node):
            network.join(self.layout, node, tuple(n for n in networks if n in NETWORKS_OF[node]))

    @contextmanager
    def _cables(self, node: str) -> Iterator[None]:
        self._require_on(node)
        yield
        if not cgroup.is_frozen(self.layout.machine(node)):
            with open_qmp(qmp_socket(self.layout, node)) as qmp:
                wires.show_pulled(qmp, self.layout, node)

    # ---- disks

    def disk_error(self, node: str, disk: str, broken: bool) -> None:
        """Every access of the node to that disk fails (EIO), or works again. The other node sees nothing of it."""
        disk_of(node, disk)
        throttle = {"driver": "throttle", "node-name": disk, "throttle-group": f"{disk}-limit"}
        with self._lock(), open_qmp(qmp_socket(self.layout, node)) as qmp:
            known = {n["node-name"] for n in qmp.ask("query-named-block-nodes", flat=True)}
            if broken == (f"{disk}-broken" in known):
                return
            if broken:
                errors = [{"event": "none", "iotype": io, "errno": EIO, "once": False} for io in IO_TYPES]
                layer = {"driver": "blkdebug", "node-name": f"{disk}-broken", "image": f"{disk}-file"}
                qmp.ask("blockdev-add", **layer, **{"inject-error": errors})
                qmp.ask("blockdev-reopen", options=[{**throttle, "file": f"{disk}-broken"}])
            else:
                qmp.ask("blockdev-reopen", options=[{**throttle, "file": f"{disk}-file"}])
                qmp.ask("blockdev-del", **{"node-name": f"{disk}-broken"})

    def disk_slow(self, node: str, disk: str, per_second: int) -> None:
        """At most that many requests a second; 0: no limit. 1 with many waiting is a disk that hangs."""
        disk_of(node, disk)
        limits = {"iops-total": per_second}
        self._vm(node).qmp_do("qom-set", path=f"/objects/{disk}-limit", property="limits", value=limits)

    def disk_hang(self, node: str, disk: str, hangs: bool) -> None:
        """No request of the node to that disk ends any more, but the first one; afterwards all that waited are carried
        out. The other node sees nothing of it."""
        disk_of(node, disk)
        throttle = {"driver": "throttle", "node-name": disk, "throttle-group": f"{disk}-limit", "file": f"{disk}-file"}
        limits = {"bps-total": int(hangs)}
        with self._lock(), open_qmp(qmp_socket(self.layout, node)) as qmp:
            qmp.ask("qom-set", path=f"/objects/{disk}-limit", property="limits", value=limits)
            if not hangs:
                qmp.ask("blockdev-reopen", options=[throttle])  # starts what waited at a limit that is no more

    def disk_pull(self, node: str, disk: str) -> None:
        """Take the disk out of the running machine, without a word before."""
        disk_of(node, disk)
        self._vm(node).qmp_do("device_del", id=f"{disk}-dev")

    def disk_grow(self, node: str, disk: str, size: int) -> None:
        """The disk has `size` bytes; this node's machine is told so, its kernel hears of it when it asks the disk."""
        disk_of(node, disk)
        self._vm(node).qmp_do("block_resize", **{"node-name": disk, "size": size})

    def disk_path(self, name: str) -> Path:
        """The file behind a shared disk, a path of this computer."""
        return disk_image(self.layout, "ec-a", disk_of("ec-a", name))

    def console(self, node: str) -> str:
        """What the machine's kernel said on its serial line."""
        return (self.layout.node_dir(node) / "console.log").read_text(errors="replace")

    def start_cloud(self) -> None:
        """A cloud at 10.99.0.1 with one volume for one machine at a time (lab/cloud.py); it ends with the lab."""
        self._start_once("cloud", [*PYTHON, "-m", "lab.cloud", self.name])

    # ---- parts

    def running(self, node: str) -> VmNode:
        """LabRefused unless it runs."""
        found = self._vm(node)
        found.require_running()
        return found

    @override
    def disk(self, index: int) -> Disk:  # noqa: ARG002
        raise LabRefused("a machine's disks are no loop devices: use disk_path")

    @override
    def root(self, node: str) -> Path:  # noqa: ARG002
        raise LabRefused("a machine's files cannot be seen from outside: use exec, push, pull")

    @override
    def _node(self, name: str) -> Node:
        return self._vm(name)

    def _vm(self, name: str) -> VmNode:
        return VmNode(self.layout, vm_spec(name), saved_of(self.layout))


def _start_and_wait(node: VmNode) -> None:
    """One that goes on from its saved state was waited for when it was saved."""
    if node.power_on() == "booting":
        node.wait_booted(BOOT_TIMEOUT)


def _each(nodes: Sequence[VmNode], work: Callable[[VmNode], object]) -> None:
    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        list(pool.map(work, nodes))
