"""A place for tests that change the machine: a child process in mount, network and host name namespaces of its own.

Everything in them is gone with the child: nothing of the machine that runs the tests is touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tanist.host.fake import FakeDisk, FakeHost, FakeWire
from tanist.host.host import Host
from tanist.host.local import LocalHost
from tanist.host.syscalls import unshare
from tanist.model.host import Address

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWNET = 0x20000, 0x4000000, 0x40000000
TIMEOUT = 180  # seconds: what hangs must end; a busy machine may be slow
PORT = f"tun-{os.getpid()}-a"  # the interface under test; -b is the neighbour's
TREE = "/mnt/tree"
SIZE = 16 << 20
ROOT = Path(__file__).parents[3]


def shell(command: str) -> str:
    return subprocess.run(["sh", "-ec", command], check=True, capture_output=True, text=True).stdout.strip()


def in_namespaces(body: Callable[[], None]) -> None:
    """Run `body` in a child; its failure fails the test, with its own traceback."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read_end)
            signal.alarm(TIMEOUT)
            unshare(CLONE_NEWNS | CLONE_NEWUTS)
            shell("mount --make-rprivate / && mount -t tmpfs tests /mnt && mount -t tmpfs tests /run")
            body()
            status = 0
        except BaseException:  # noqa: BLE001 - it becomes the parent's failure
            os.write(write_end, traceback.format_exc().encode()[-60000:])
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert status == 0, said or f"the child ended with wait status {status}"


@contextlib.contextmanager
def loop_device(fstype: str = "ext4") -> Iterator[str]:
    """A block device with an empty file system, in a child of in_namespaces()."""
    with open("/mnt/image", "wb") as image:
        image.truncate(SIZE)
    shell(f"mkfs.{fstype} -q /mnt/image")
    device = shell("losetup -f --show /mnt/image")
    try:
        yield device
    finally:
        subprocess.run(
            ["sh", "-c", f"grep ^{device} /proc/mounts | cut -d' ' -f2 | tac | xargs -r umount -l"], check=True
        )
        shell(f"losetup -d {device}")


class Neighbour:
    """Another machine on the wire: the far end of a veth pair in a network namespace of its own."""

    def __init__(self) -> None:
        unshare(CLONE_NEWNET)
        self.namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        unshare(CLONE_NEWNET)
        self.near, self.far = PORT, PORT[:-1] + "b"
        shell(f"ip link add {self.near} type veth peer name {self.far} netns /proc/{os.getpid()}/fd/{self.namespace}")
        shell(f"ip link set lo up; ip link set {self.near} up")
        self.do(f"ip link set lo up; ip link set {self.far} up")
        self._wait_running()
        self.mac = self.do(f"cat /sys/class/net/{self.far}/address")

    def _wait_running(self) -> None:
        """Until then the kernel drops what is sent."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if all(item.carrier for item in LocalHost().interfaces()) and "state UP" in self.do(
                f"ip link show {self.far}"
            ):
                return
            time.sleep(0.005)
        raise AssertionError("the veth pair does not come up")

    def do(self, command: str) -> str:
        """A shell command over there, with a /sys of its own."""
        inside = f"--net=/proc/{os.getpid()}/fd/{self.namespace}"
        script = f"mount -t sysfs none /sys; {command}"
        return subprocess.run(
            ["nsenter", inside, "unshare", "-m", "sh", "-ec", script], check=True, capture_output=True, text=True
        ).stdout.strip()

    def add(self, address: str) -> None:
        nodad = "nodad" if ":" in address else ""
        self.do(f"ip addr add {address} dev {self.far} {nodad}")

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This process on the neighbour's side."""
        libc = ctypes.CDLL(None, use_errno=True)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            assert libc.setns(self.namespace, CLONE_NEWNET) == 0
            yield
        finally:
            assert libc.setns(here, CLONE_NEWNET) == 0
            os.close(here)


@dataclass(kw_only=True)
class Machine:
    """What the contract is tried on. Directories /mnt/tree, /mnt/other and the empty files /mnt/one, /mnt/two exist."""

    host: Host
    device: str = "/dev/under-test"
    port: str = "eth0"
    give_neighbour: Callable[[str], None] = field(default=lambda address: None)
    set_down: Callable[[], None] = field(default=lambda: None)


def prepare(host: Host) -> None:
    for directory in (TREE, "/mnt/other"):
        host.files.make_directory(directory)
    for file in ("/mnt/one", "/mnt/two"):
        host.files.write(file, file.encode())


def on_local_host(body: Callable[[Machine], None], *, disk: bool, network: bool) -> None:
    def child() -> None:
        host = LocalHost()
        prepare(host)
        machine = Machine(host=host)
        with contextlib.ExitStack() as stack:
            if disk:
                machine.device = stack.enter_context(loop_device())
            if network:
                neighbour = Neighbour()
                machine.port = PORT
                machine.give_neighbour = neighbour.add
                machine.set_down = lambda: str(shell(f"ip link set {PORT} down"))  # type: ignore[assignment]
            body(machine)

    in_namespaces(child)


def on_fake_host(body: Callable[[Machine], None], root: str) -> None:
    os.makedirs(f"{root}/disk")
    wire = FakeWire()
    disks = {"/dev/under-test": FakeDisk(f"{root}/disk")}
    host = FakeHost(f"{root}/host", wire=wire, disks=disks)
    other = FakeHost(f"{root}/other", "node2", wire=wire)
    prepare(host)

    def give(cidr: str) -> None:
        address, _, prefix = cidr.partition("/")
        other.add_address(Address(interface="eth0", address=address, prefix=int(prefix)))

    def set_down() -> None:
        host.network.ports["eth0"].up = False

    body(Machine(host=host, give_neighbour=give, set_down=set_down))


def run_apart(script: Path, *words: str, needs: tuple[str, ...]) -> Any:
    """What a script of the tests says in JSON, run as root in a mount namespace of its own."""
    missing = [tool for tool in ("unshare", *needs) if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root and {', '.join(missing) or 'nothing more'}")
    ran = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, str(script), *words],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
