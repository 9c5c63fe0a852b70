"""One machine: start, stop, look, and run programs in it. What is running is asked of the kernel and of QEMU."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lab import cgroup, disk
from lab.enter import ENVIRONMENT
from lab.errors import LabError, LabRefused
from lab.layout import REPOSITORY, Layout, NodeSpec
from lab.network import NETNS
from lab.node import PYTHON, READY, Node, State, start_daemon
from lab.run import run, wait_until
from lab.vm import channel, wires
from lab.vm.layout import disk_image, disks_of
from lab.vm.qemu import qemu_argv, qmp_socket
from lab.vm.qmp import listens, open_qmp

if TYPE_CHECKING:
    from typing_extensions import override
else:  # typing.override came with Python 3.12

    def override(method):
        return method


Started = Literal["restored", "booting"]
START_TIMEOUT = 300.0
STRETCH = 5
# a restored machine has the clock and the random numbers of the time it was saved
FRESHEN = 'cat >/dev/urandom; date -s "@$1" >/dev/null; hwclock --systohc 2>/dev/null || true'


class VmNode(Node):
    def __init__(self, layout: Layout, spec: NodeSpec, saved: Path) -> None:
        super().__init__(layout, spec)
        self.saved = saved  # the directory of kernel, initrd, root disks and states in the cache
        self.root = self.directory / "root.qcow2"

    # ---- state

    @override
    def state(self) -> State:
        if not cgroup.pids(self.machine):
            return "off"
        if cgroup.is_frozen(self.machine):
            return "frozen"
        try:
            with open_qmp(qmp_socket(self.layout, self.name)) as qmp:
                return "frozen" if qmp.ask("query-status")["status"] == "paused" else "running"
        except LabError:
            if not cgroup.pids(self.machine):
                return "off"
            raise

    @override
    def init_pid(self) -> int | None:
        """QEMU's process; the machine's own processes cannot be seen from outside."""
        return next(iter(cgroup.pids(self.machine)), None)

    @override
    def require_running(self) -> int:
        state, pid = self.state(), self.init_pid()
        if state != "running" or pid is None:
            raise LabRefused(f"{self.machine} is {state}")
        return pid

    def qmp_do(self, command: str, **arguments: object) -> None:
        with open_qmp(qmp_socket(self.layout, self.name)) as qmp:
            qmp.ask(command, **arguments)

    # ---- power

    @override
    def start(self) -> None:
        """Power on: a machine new in this lab goes on from its saved state, any other boots from its own disk."""
        self.power_on()

    def power_on(self) -> Started:
        """As `start`; tells which."""
        if self.root.exists():
            self.boot_from(self.root)
            return "booting"
        self.restore()
        return "restored"

    def restore(self) -> None:
        """Go on from the saved state, with disks of its own as they were then; shared disks keep what they hold."""
        self.make_disks()
        self.root.unlink(missing_ok=True)
        backing = self.saved / f"{self.name}.qcow2"
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing, self.root])
        self._start_qemu(self.root, state=self.saved / f"{self.name}.state")
        with open_qmp(qmp_socket(self.layout, self.name)) as qmp:
            wait_until(
                f"{self.name} is restored",
                lambda: qmp.ask("query-status")["status"] not in ("inmigrate", "finish-migrate"),
                timeout=START_TIMEOUT,
                pause=0.02,
            )
            wires.show_pulled(qmp, self.layout, self.name)
            qmp.ask("cont")
        self.exec(["sh", "-c", FRESHEN, "sh", f"{time.time():.3f}"], input=os.urandom(64), timeout=START_TIMEOUT)

    def boot_from(self, image: Path) -> None:
        """A cold boot; returns when QEMU runs."""
        self.make_disks()
        self._start_qemu(image)
        with open_qmp(qmp_socket(self.layout, self.name)) as qmp:
            wires.show_pulled(qmp, self.layout, self.name)

    def make_disks(self) -> None:
        """The shared disks and its own, where they are missing, and the directory for all that is the machine's own."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for each in disks_of(self.name):
            image = disk_image(self.layout, self.name, each)
            image.parent.mkdir(parents=True, exist_ok=True)
            if not image.exists():
                with image.open("wb") as f:
                    f.truncate(each.size)

    def forget(self) -> None:
        """Throw away all that is the machine's own: the next start is from the saved state."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_qemu(self, image: Path, state: Path | None = None) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        wires.plug(self.layout, self.spec)
        socket = qmp_socket(self.layout, self.name)
        socket.unlink(missing_ok=True)
        argv = qemu_argv(self.layout, self.name, image, self.saved, state=state)
        start_in_cgroup(self.machine, NETNS / self.layout.switch, argv, self.directory / "qemu.log")
        wait_until(f"{self.name} starts", lambda: listens(socket) or self._has_failed(), timeout=START_TIMEOUT)

    def _has_failed(self) -> bool:
        said = (self.directory / "qemu.log").read_text(errors="replace").strip()
        if said and not cgroup.pids(self.machine):
            raise LabError(f"{self.name} did not start:\n{said[-1500:]}")
        return False

    def kill(self) -> None:
        """Power cut."""
        cgroup.kill(self.machine)
        wires.unplug(self.layout, self.name)

    @override
    def wait_booted(self, timeout: float) -> str:
        """Wait for systemd ("running" or "degraded", which is returned) and for sshd's greeting."""
        end = time.monotonic() + timeout
        ready = READY.replace("nc -w 1", "nc -w 60")  # on a busy computer a greeting takes longer than a second
        while True:
            done = self.exec(["sh", "-c", ready, "sh", self.spec.mgmt_ip], timeout=max(0.1, end - time.monotonic()))
            if done.returncode == 0:
                return done.stdout.decode().strip()
            if self.state() == "off":
                raise LabError(f"{self.name} went off while it booted; see {self.directory}/console.log")

    def boot_id(self) -> str:
        return self.exec(["cat", "/proc/sys/kernel/random/boot_id"]).stdout.decode().strip()

    # ---- work

    @override
    def enter_argv(self, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        return channel.channel_argv(PYTHON, REPOSITORY, self.directory, argv, environment)

    @override
    def exec(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float | None = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program in the machine and wait for its end and for the end of its output; 137 when power is lost.

        A limit that suits a container is stretched, as everything is in an emulated machine."""
        self.require_running()
        limit = None if timeout is None else timeout * STRETCH
        status, out, err = channel.run(self.directory, argv, ENVIRONMENT, input=input, timeout=limit)
        return subprocess.CompletedProcess(list(argv), status, out, err)

    @override
    def mounts(self) -> list[disk.DiskMount]:
        """Not to be seen from outside: ask in the machine."""
        return []


def start_in_cgroup(group: str, namespace: Path, argv: Sequence[str], log: Path) -> None:
    """Start a helper that outlives its caller, in a cgroup and a network namespace of the lab."""
    cgroup.create(group)
    join = [
        word
        for tree in cgroup.trees()
        for word in ("sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(tree / group))
    ]
    start_daemon([*join, "nsenter", f"--net={namespace}", *argv], log)
