"""Two fake machines that share a disk and a wire, with a controller that has one of everything (oc.toml).

ssh between them runs the other node's side in this process; debugfs and dd answer from the disk's directory.
"""

from __future__ import annotations

import os
import shlex
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tanist.definition.load import load_controller
from tanist.engine import Event
from tanist.host.conversation import Conversation
from tanist.host.fake import FakeClock, FakeDisk, FakeHost, FakeUnit, FakeWire
from tanist.host.fake_network import FakePort
from tanist.model.definition import Controller
from tanist.model.definition import Node as PeerNode
from tanist.model.errors import TanistError
from tanist.model.host import Address, Ran
from tanist.runs.backup import backup
from tanist.runs.diffing import diff_captures
from tanist.runs.exchange import answer
from tanist.runs.mirror_key import take_keys
from tanist.runs.peers import render_word, write_known_hosts
from tanist.runs.promise import give_word, parse_request
from tanist.runs.session import Session
from tanist.runs.sizes import read_own_sizes, render_sizes
from tests.unit.runs.roots import NUMBERS, make_disk, make_root
from tests.unit.runs.talk import MirrorTalk, Talk

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


TREE, DEVICE = "/var/opt/oc", "/dev/asset"
ASSETS = {
    "filesystem": f'kind = "filesystem"\ndevice = "{DEVICE}"\nfstype = "ext4"\noptions = ["noatime"]',
    "directory": 'kind = "directory"',
    "replicated": 'kind = "filesystem"\ndevice = "/dev/drbd0"\nfstype = "ext4"\n'
    'layer = [{ kind = "drbd", resource = "r0", device = "/dev/drbd0" }]',
}
PORTS = {"ec-a": ("svc0", "10.88.0.11", "10.99.0.11"), "ec-b": ("ens3", "10.88.0.12", "10.99.0.12")}
UNITS = ("oc-ec.service", "oc-proxy.service")
ADDRESSES = ("10.88.0.60", "10.88.0.61")
BOOT_UNITS = (
    *("tanist@oc.service", "habackup@oc.timer", "tanist-verify@oc.timer", "tanist-gate@oc.service"),
    "tanist-watch@oc.service",
)


def make_controller(mode: str = "host", kind: str = "filesystem") -> Controller:
    text = (Path(__file__).parent / "oc.toml").read_text().format(mode=mode, asset=ASSETS[kind])
    return load_controller(text.encode(), "oc.toml")


class Node(FakeHost):
    """One machine. `exported` and `shown` are what its NFS and ssh servers have in force."""

    def __init__(self, world: World, name: str) -> None:
        self.then: list[tuple[str, Callable[[], None]]] = []  # once, right after the change that begins so
        self.exported: tuple[str, ...] = ()
        self.shown: bytes = b""
        accounts = {"root": 0, "nobody": 65534, **NUMBERS[name]}
        super().__init__(
            str(world.top / name),
            name,
            wire=world.wire,
            disks={DEVICE: world.disk},
            users=accounts,
            groups=accounts,
            clock=world.clock,
            units={
                "oc-ec.service": FakeUnit(ports=(8080,), uses=(TREE, "/etc/opt/oc")),
                "oc-proxy.service": FakeUnit(ports=(21165,), uses=(TREE,)),
                "ssh.service": FakeUnit(state="active", enabled="enabled"),
                "nfs-server.service": FakeUnit(state="active", enabled="enabled"),
                "nfsdcld.service": FakeUnit(state="active"),
                "tanist-sshd@oc.service": FakeUnit(ports=(22,)),
                **{unit: FakeUnit(enabled="enabled") for unit in BOOT_UNITS},
            },
        )
        port, service, management = PORTS[name]
        self.network.ports = {
            port: FakePort(
                mac=f"02:00:00:00:00:{name[-1]}0", own=(Address(interface=port, address=service, prefix=24),)
            ),
            "eth0": FakePort(
                mac=f"02:00:00:00:00:{name[-1]}1", own=(Address(interface="eth0", address=management, prefix=24),)
            ),
        }
        self.world = world
        for directory in ("dev", "var/lib/nfs/sm", "var/lib/nfs/sm.bak", "var/lib/nfs/nfsdcld"):
            (world.top / name / directory).mkdir(parents=True, exist_ok=True)
        for device in (DEVICE, "/dev/drbd0"):
            Path(f"{world.top / name}{device}").touch()
            os.utime(f"{world.top / name}{device}", (0, 0))
        self._answer_commands()

    @override
    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        try:
            with super()._changing(what):
                yield
                if what in ("systemctl start nfs-server.service", "systemctl stop nfs-server.service"):
                    self.exported = self._export_files() if " start " in what else ()  # its own, whoever is killed
        finally:
            self.world.note_running(what)
        for item in [one for one in self.then if f"{what} ".startswith(one[0])]:
            self.then.remove(item)
            item[1]()

    @override
    def power_off(self) -> None:
        if self.world.disk.holder == self.name:
            self.world.dirty = True
        super().power_off()
        self.exported = ()

    @override
    def boot(self) -> None:
        super().boot()
        self._load_keys()
        self.world.warm(self.name)

    # -- programs
    def _answer_commands(self) -> None:
        self.answer(["uname", "-m"], "x86_64\n")
        self.answer(["uname", "-r"], "6.1.0-1-amd64\n")
        self.answer(["setsid"])
        self.answer(["fuser"], " 4711\n")
        self.answer(["sm-notify"])
        self.answer(["systemctl", "--no-block", "reboot"])
        self.answer(["systemctl", "list-dependencies"])
        self.answer(["lsblk"], status=32)
        self.answer(["sg_persist"], status=9, stderr="PR in: command not supported\n")
        self.answer_with(["systemctl", "try-reload-or-restart"], self._reload)
        self.answer_with(["/opt/oc/bin/check"], self._check)
        self.answer_with(["exportfs"], self._exportfs)
        self.answer_with(["ssh-keygen"], self._keygen)
        self.answer_with(["debugfs"], self._debugfs)
        self.answer_with(["dd"], self._dd)
        self.answer_with(["ssh"], lambda argv, stdin: self.world.ssh(self, argv, stdin))

    def _check(self, argv: Sequence[str], _: bytes) -> Ran:
        return said(argv, status=0 if self.units["oc-ec.service"].state == "active" else 1)

    def _exportfs(self, argv: Sequence[str], _: bytes) -> Ran:
        if "-s" in argv:
            return said(argv, "".join(self.exported).encode())
        with self._changing(" ".join(argv)):
            self.exported = self._export_files()
        return said(argv)

    def _export_files(self) -> tuple[str, ...]:
        directory = "/etc/exports.d"
        names = self.files.list(directory) if self.files.exists(directory) else ()
        return tuple(self.files.read(f"{directory}/{name}").decode() for name in names)

    def _reload(self, argv: Sequence[str], _: bytes) -> Ran:
        with self._changing(" ".join(argv)):
            self._load_keys()
        return said(argv)

    def _load_keys(self) -> None:
        self.shown = self.files.read("/etc/ssh/ssh_host_ed25519_key")

    def _keygen(self, argv: Sequence[str], _: bytes) -> Ran:
        path = argv[argv.index("-f") + 1]
        self.files.write(path, f"the controller's {path}".encode())
        self.files.write(f"{path}.pub", b"ssh-ed25519 AAAAcontroller ec\n", 0o644)
        return said(argv)

    def _debugfs(self, argv: Sequence[str], _: bytes) -> Ran:
        path = self.world.top / "disk/.tanist/claim"
        return said(argv, path.read_bytes() if path.exists() else b"", stderr=b"" if path.exists() else b"not found")

    def _dd(self, argv: Sequence[str], _: bytes) -> Ran:
        """The super block of an ext4 without checksums, clean unless it is mounted or was cut off."""
        block = bytearray(4096)
        struct.pack_into("<H", block, 1024 + 0x38, 0xEF53)
        struct.pack_into("<H", block, 1024 + 0x3A, 1)
        struct.pack_into("<I", block, 1024 + 0x60, 0x4 if self.world.disk.holder or self.world.dirty else 0)
        return said(argv, bytes(block))


def said(argv: Sequence[str], stdout: bytes = b"", *, status: int = 0, stderr: bytes = b"") -> Ran:
    return Ran(argv=tuple(argv), status=status, stdout=stdout, stderr=stderr)


class World:
    def __init__(
        self, top: Path, *, mode: str = "host", kind: str = "filesystem", controller: Controller | None = None
    ) -> None:
        self.top = top
        self.controller = controller or make_controller(mode, kind)
        self.clock, self.wire = FakeClock(), FakeWire()
        self.dirty = False  # the file system was not unmounted
        self.disk = FakeDisk(path=str(top / "disk"))
        self.events: dict[str, list[Event]] = {"ec-a": [], "ec-b": []}
        self.ssh_works = True
        self.both_ran: list[str] = []
        make_disk(top / "disk")
        self.nodes: dict[str, Node] = {}
        for name in ("ec-a", "ec-b"):
            make_root(top / name, name)
            if kind == "directory" and name == "ec-a":
                shutil.copytree(top / "disk", top / name / TREE[1:], symlinks=True, dirs_exist_ok=True)
            self.nodes[name] = self.make_node(name)
            self.nodes[name].reboot()
        self.a, self.b = self.nodes["ec-a"], self.nodes["ec-b"]

    def make_node(self, name: str) -> Node:
        return Node(self, name)

    def session(self, name: str, who: str = "") -> Session:
        return Session(
            host=self.nodes[name],
            controller=self.controller,
            node=name,
            who=who or f"operator of {name}",
            report=self.events[name].append,
            open_peer=self.open_peer,
        )

    def open_peer(self, node: PeerNode, argv: Sequence[str], **_: object) -> Conversation:
        if argv[1] == "mirror":
            return self._open_mirror(node, argv)
        return Talk(self.session(node.name), argv)

    def _open_mirror(self, node: PeerNode, argv: Sequence[str]) -> Conversation:
        """The receiving side of a mirror: told as an ssh command of the other node, which is the one that sends."""
        other = self.nodes["ec-b" if node.name == "ec-a" else "ec-a"]
        other.ran.append(("ssh", node.ssh, shlex.join(argv)))
        reached = self.ssh_works and other.answering and self.nodes[node.name].answering
        return MirrorTalk(self.session(node.name), argv, reached=reached)

    def warm(self, name: str) -> None:
        """What the first look at a peer leaves in /run: made in a thread, where a Crash would go unseen."""
        write_known_hosts(self.session(name))

    def said(self, name: str) -> str:
        return "\n".join(event.says for event in self.events[name])

    @property
    def violations(self) -> tuple[str, ...]:
        return (*self.wire.violations, *self.disk.violations, *self.both_ran)

    def note_running(self, what: str) -> None:
        running = [
            name for name, node in self.nodes.items() if any(node.units[unit].state == "active" for unit in UNITS)
        ]
        if len(running) > 1:
            self.both_ran.append(f"services run on both nodes after: {what}")

    def copy_tree(self, source: str, target: str) -> None:
        """A plain directory moves by other means than tanist: rsync, DRBD, NFS."""
        there = self.top / target / TREE[1:]
        shutil.rmtree(there, ignore_errors=True)
        shutil.copytree(self.top / source / TREE[1:], there, symlinks=True)

    # -- what one node runs on the other
    def ssh(self, source: Node, argv: Sequence[str], stdin: bytes) -> Ran:
        target = next(node for node in self.controller.nodes if node.ssh == argv[-2])
        other = self.nodes[target.name]
        if not (self.ssh_works and source.answering and other.answering):
            return said(argv, status=255, stderr=b"ssh: connect to host: No route to host\n")
        session, words = self.session(target.name), shlex.split(argv[-1])
        try:
            match words:
                case ["tanist", "word", _, *asked]:
                    request = parse_request(stdin.decode()) if asked else None
                    return said(argv, render_word(give_word(session, request)).encode())
                case ["tanist", "sizes", _]:
                    return said(argv, render_sizes(read_own_sizes(session)).encode())
                case ["tanist", "mirror", _, "key"]:
                    return said(argv, take_keys(session, stdin).encode())
                case ["tanist", "captures", "diff", _, old, new]:
                    lines = tuple(diff_captures(session, old, new))
                    return said(argv, "".join(f"{line}\n" for line in lines).encode(), status=1 if lines else 0)
                case ["tanist", "chain", _, what, *start]:
                    return said(argv, answer(session, what, int(start[0]) if start else 0, stdin))
                case ["habackup", _]:
                    backup(session, mirror=True)
                case _:
                    raise AssertionError(f"nobody answers: {words}")
        except TanistError as error:
            return said(argv, status=error.exit_status, stderr=f"refused: {error.message}\n".encode())
        return said(argv)
