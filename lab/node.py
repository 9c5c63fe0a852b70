"""One host: start, stop, look, and run programs in it. What is running is asked of the kernel, never of a file."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from lab import cgroup, disk, enter
from lab.enter import ENVIRONMENT, shell_status
from lab.errors import LabError, LabTimeout
from lab.layout import CACHE, REPOSITORY, Layout, NodeSpec
from lab.run import wait_until

State = Literal["running", "frozen", "off"]
# our own helpers: standard library alone (-S), compiled files in the cache and never in the project
PYTHON = (sys.executable, "-S", "-X", f"pycache_prefix={CACHE}/pyc")
# is-system-running may be asked before PID 1 listens; $1: an own address where sshd listens in any case
READY = """
while :; do
    state=$(systemctl is-system-running --wait 2>/dev/null)
    case $state in running|degraded) break;; esac
    sleep 0.02
done
until nc -w 1 "$1" 22 </dev/null 2>/dev/null | grep -q ^SSH-; do sleep 0.02; done
echo "$state"
"""


class Node:
    def __init__(self, layout: Layout, spec: NodeSpec) -> None:
        self.layout = layout
        self.spec = spec
        self.name = spec.name
        self.machine = layout.machine(spec.name)
        self.directory = layout.node_dir(spec.name)

    def state(self) -> State:
        if not cgroup.pids(self.machine):
            return "off"
        return "frozen" if cgroup.is_frozen(self.machine) else "running"

    def init_pid(self) -> int | None:
        """The machine's number for the node's PID 1, or None."""
        return enter.find_init(cgroup.pids(self.machine))

    def require_running(self) -> int:
        return enter.require_running(self.machine)

    def start(self) -> None:
        """Start the supervisor, which wires and boots the node; returns at once. Use wait_booted."""
        for sub in ("upper", "work", "root"):
            (self.directory / sub).mkdir(parents=True, exist_ok=True)
        (self.directory / "upper").chmod(0o755)
        cgroup.create(self.machine)
        self._ended.unlink(missing_ok=True)
        helper = ["unshare", "--mount", "--propagation", "slave", *PYTHON, "-m", "lab.supervise"]
        start_daemon([*helper, self.layout.lab, self.name], self.directory / "console.log")
        wait_until(f"{self.name} starts", self._has_started, timeout=20)

    @property
    def _ended(self) -> Path:
        """The supervisor leaves its status here when it ends by itself."""
        return self.directory / "ended"

    def _has_started(self) -> bool:
        if self._ended.exists():
            tail = (self.directory / "console.log").read_text(errors="replace")[-1500:]
            raise LabError(f"{self.name} did not start:\n{tail}")
        pid = self.init_pid()
        return pid is not None and Path(f"/proc/{pid}/root/run/systemd/private").exists()

    def wait_booted(self, timeout: float) -> str:
        """Wait for systemd ("running" or "degraded", which is returned) and for sshd's greeting."""
        end = time.monotonic() + timeout
        wait_until(f"{self.name} has a PID 1", lambda: self.init_pid() is not None, timeout=timeout)
        done = self.exec(["sh", "-c", READY, "sh", self.spec.mgmt_ip], timeout=max(0.1, end - time.monotonic()))
        return done.stdout.decode().strip()

    def enter_argv(self, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """A command line of the machine that runs `argv` in all namespaces and cgroups of the node."""
        return enter.enter_argv(self.machine, argv, environment)

    def exec(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float | None = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program in the node and wait for its end and for the end of its output; killed by signal N is 128+N."""
        with subprocess.Popen(
            self.enter_argv(argv, ENVIRONMENT),
            stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(input, timeout)
            except subprocess.TimeoutExpired:
                _kill_group(process)
                raise LabTimeout(f"{self.name}: {shlex.join(argv)} took longer than {timeout:g} s") from None
            except BaseException:
                _kill_group(process)
                raise
        return subprocess.CompletedProcess(list(argv), shell_status(process.returncode), out, err)

    def signal_init(self, number: int) -> None:
        os.kill(self.require_running(), number)

    def wait_off(self, timeout: float) -> None:
        wait_until(f"{self.name} off", lambda: self.state() == "off", timeout=timeout)

    def mounts(self) -> list[disk.DiskMount]:
        """Mounts of the shared disks in this node."""
        return disk.mounts_of(disk.attached_disks(self.layout), cgroup.pids(self.machine))


def start_daemon(argv: Sequence[str], log: Path) -> None:
    """Start a helper that outlives its caller: not our child (setsid forks), nothing of our environment."""
    with log.open("ab") as out:
        subprocess.run(
            ["setsid", "--fork", *argv],
            cwd=REPOSITORY,
            env={"PATH": ENVIRONMENT["PATH"], "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            check=True,
        )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the program first, so that nsenter reaps it, then nsenter. A group id holds across pid namespaces."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if entry.read_text().rpartition(")")[2].split()[2] == str(process.pid) != entry.parts[2]:
                os.kill(int(entry.parts[2]), signal.SIGKILL)
        except OSError:
            continue  # gone meanwhile
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
