"""A machine in a directory, for tests and the simulator: the same answers and the same errors as a real one.

Its files lie below `root`, its mounts redirect to the directories of FakeDisks, its addresses are on a FakeWire, its
time is virtual, its commands are scripted: an unplanned command is an AssertionError. It can lose power, boot, keep
silent, and stop tanist after any change (`crash_after`), those made through descriptors of directories included. A
tanist that was stopped so changes nothing more, not even in `finally`, until `revive` or a boot.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tanist.host import fake_descriptors, fake_exports, reowning
from tanist.host.commands import demand_status
from tanist.host.fake_files import FakeFiles
from tanist.host.fake_mounts import FakeMounts
from tanist.host.fake_network import FakeNetwork
from tanist.host.fake_units import FakeUnit, Systemctl
from tanist.host.fake_world import Crash, FakeClock, FakeDisk, FakeWire
from tanist.host.host import Record
from tanist.model.dataclasses import dataclass, replace
from tanist.model.host import Address, Answer, ExportSeen, IdMap, Interface, Mount, Ran, Renumber, Reowned

__all__ = ["Crash", "FakeClock", "FakeDisk", "FakeHost", "FakeUnit", "FakeWire"]

Reply = Callable[[Sequence[str], bytes], Ran]


@dataclass(slots=True, eq=False)
class FakeLock:
    locks: dict[str, FakeLock]
    path: str
    note: str

    def close(self) -> None:
        if self.locks.get(self.path) is self:
            del self.locks[self.path]


@dataclass(slots=True, eq=False)
class FakeReset:
    """A reset to come at `due` (ticks), unless it was closed: the test looks, and cuts the power itself."""

    due: float
    closed: bool = False

    def close(self) -> None:
        self.closed = True


class FakeHost:
    def __init__(
        self,
        root: str,
        name: str = "node1",
        *,
        wire: FakeWire | None = None,
        disks: Mapping[str, FakeDisk] | None = None,
        units: Mapping[str, FakeUnit] | None = None,
        users: Mapping[str, int] | None = None,
        groups: Mapping[str, int] | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        for directory in ("run", "etc", "var/lib"):  # what every machine has
            os.makedirs(os.path.join(root, directory), exist_ok=True)
        self.name = name
        self.root = root
        self.clock = clock or FakeClock()
        self.wire = wire or FakeWire()
        self.disks = dict(disks or {})
        self.units = dict(units or {})
        self.users = dict(users or {"root": 0})
        self.groups = dict(groups or {"root": 0})
        self.urls: dict[str, int] = {}  # what http_status() answers
        self.datagrams: dict[tuple[str, int], Callable[[bytes], tuple[bytes, ...]]] = {}  # servers of ask_datagrams()
        self.ports: set[int] = set()  # what listens besides the units
        self.power = True
        self.gone = False  # tanist was killed: it changes nothing more
        self.silent = False  # hung or cut off: runs on, but nobody hears of it
        self.resets: list[FakeReset] = []  # timers that were armed
        self.log: list[str] = []  # every change, in order
        self.ran: list[tuple[str, ...]] = []  # every command, in order
        self.passed_on = b""  # what programs said straight to whoever called this machine
        self.launched: list[tuple[str, ...]] = []  # what was started apart
        self._files = FakeFiles(root, self._changing)
        self._mounts = FakeMounts(name, self._files, self.disks)
        self.network = FakeNetwork(name, self.wire, len(self.wire.machines) + 1)
        self.wire.machines.append(self)
        self._replies: list[tuple[tuple[str, ...], Reply]] = []
        self._locks: dict[str, FakeLock] = {}
        self._boots = 1
        self._until_crash: int | None = None
        self._announced = 0  # changes that are being made in ways that count themselves
        fake_descriptors.watch(self)
        self._hostname = self._stored_hostname()

    # -- the test's side
    def answer(
        self, prefix: Sequence[str], stdout: str = "", *, status: int = 0, stderr: str = "", changes: bool = False
    ) -> None:
        """Commands that begin with `prefix` give this; the latest answer that fits counts. `changes`: logged."""

        def reply(argv: Sequence[str], _: bytes) -> Ran:
            ran = Ran(argv=tuple(argv), status=status, stdout=stdout.encode(), stderr=stderr.encode())
            if changes:
                with self._changing(" ".join(argv)):
                    return ran
            return ran

        self.answer_with(prefix, reply)

    def answer_with(self, prefix: Sequence[str], reply: Reply) -> None:
        """The same, computed: `reply(argv, stdin)`."""
        self._replies.append((tuple(prefix), reply))

    def crash_after(self, changes: int) -> None:
        """Raise Crash right after the Nth change from now on (right before it, where it is made through a descriptor);
        tanist's locks are gone then, and it changes nothing more; the host runs on."""
        self._until_crash = changes

    def revive(self) -> None:
        """tanist may be run again."""
        self.gone, self._until_crash = False, None

    def power_off(self) -> None:
        """Memory is gone: mounts, added addresses, running units, the host name, locks and /run."""
        self.power = False
        self._mounts.clear()
        self.network.forget_added()
        self._locks.clear()
        for unit in self.units.values():
            unit.state, unit.result = "inactive", "success"
        run = os.path.join(self.root, "run")
        shutil.rmtree(run, ignore_errors=True)
        os.makedirs(run, exist_ok=True)

    def boot(self) -> None:
        """A new boot id, the stored host name, enabled units running."""
        self.power = True
        self.revive()
        self._boots += 1
        self._hostname = self._stored_hostname()
        for unit in self.units.values():
            if unit.enabled == "enabled":
                unit.state = "active" if unit.condition and not unit.fails else "failed"

    def reboot(self) -> None:
        self.power_off()
        self.boot()

    @property
    def violations(self) -> tuple[str, ...]:
        return (*self.wire.violations, *(text for disk in self.disks.values() for text in disk.violations))

    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """Around one change. One that fails is not counted."""
        left_behind = threading.current_thread() is not threading.main_thread()  # a look, which dies with the machine
        assert self.power or left_behind, f"{self.name} is off and cannot do: {what}"
        if self.gone or not self.power:
            raise Crash(what)
        self._announced += 1
        try:
            yield
        finally:
            self._announced -= 1
        self.log.append(what)
        self._count(what)

    def _count(self, what: str) -> None:
        if self._until_crash is None:
            return
        self._until_crash -= 1
        if self._until_crash <= 0:
            self.die(what)

    def die(self, what: str) -> None:
        """tanist is killed here."""
        self._until_crash, self.gone = None, True
        self._locks.clear()
        raise Crash(what)

    # -- changes through descriptors (fake_descriptors.py)
    def owns(self, place: str) -> bool:
        """Its own files, and those of the disks that it has mounted."""
        held = [disk.path for disk in self.disks.values() if disk.holder == self.name]
        return any(place.startswith(f"{top}/") for top in (self.root, *held))

    def about_to_change(self, what: str) -> None:
        if not self.power:
            return  # nothing runs there: it is the test that clears up
        if self.gone:
            raise Crash(what)
        if not self._announced:
            self._count(what)

    def _stored_hostname(self) -> str:
        content = self._files.read("/etc/hostname") if self._files.exists("/etc/hostname") else b""
        return content.decode().strip() or self.name

    # -- what the other machines see
    @property
    def answering(self) -> bool:
        return self.power and not self.silent

    def mac_of(self, address: str) -> str | None:
        return self.network.mac_of(address) if self.power else None

    def listens(self, port: int) -> bool:
        return port in self.ports or any(port in unit.ports for unit in self.units.values() if unit.state == "active")

    # -- the Host protocol
    @property
    def files(self) -> FakeFiles:
        return self._files

    def boot_id(self) -> str:
        return f"{self.name}-boot-{self._boots}"

    def now(self) -> float:
        return self.clock.wall

    def monotonic(self) -> float:
        return self.clock.ticks

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        ok: Sequence[int] | None = (0,),
        user: str = "",
    ) -> Ran:
        if user and user not in self.users:
            raise OSError(errno.EINVAL, f"no such account: {user}")
        self.ran.append(tuple(argv))
        before = self.clock.ticks
        ran = self._reply(argv, stdin)
        if self.clock.ticks - before > timeout:
            raise OSError(errno.ETIMEDOUT, f"{argv[0]}: no end within {timeout:g} s, killed")
        return demand_status(ran, ok)

    def run_into(self, argv: Sequence[str], into: str, *, limit: int, timeout: float = 30.0, user: str = "") -> Ran:
        """The answer's stdout, at once; one that is too long leaves its beginning."""
        ran = self.run(argv, timeout=timeout, ok=None, user=user)
        if self.files.exists(into):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), into)
        self.files.write(into, ran.stdout[:limit], 0o600)
        if len(ran.stdout) > limit:
            raise OSError(errno.EFBIG, f"it said more than {limit} bytes")
        return replace(ran, stdout=b"")

    def run_from(self, argv: Sequence[str], source: str, *, timeout: float = 30.0, user: str = "") -> Ran:
        return self.run(argv, stdin=self.files.read(source), timeout=timeout, ok=None, user=user)

    def launch(self, argv: Sequence[str]) -> None:
        self.launched.append(tuple(argv))

    def begin(
        self, argv: Sequence[str], *, timeout: float = 30.0, ok: Sequence[int] | None = (0,)
    ) -> Callable[[], Ran]:
        """It has run by the time this returns; that it failed is told at its end."""
        try:
            ran = self.run(argv, timeout=timeout, ok=None)
        except OSError as error:
            return _raising(error)
        return lambda: demand_status(ran, ok)

    def pipe(self, first: Sequence[str], second: Sequence[str], *, timeout: float) -> tuple[Ran, Ran]:
        said = self.run(first, timeout=timeout, ok=None)
        return said, self.run(second, stdin=said.stdout, timeout=timeout, ok=None)

    def pass_on(self, argv: Sequence[str], *, user: str = "") -> int:
        """What it says is in `passed_on`."""
        ran = self.run(argv, ok=None, user=user)
        self.passed_on += ran.stdout
        return ran.status

    def _reply(self, argv: Sequence[str], stdin: bytes) -> Ran:
        for prefix, reply in reversed(self._replies):
            if tuple(argv[: len(prefix)]) == prefix:
                return reply(argv, stdin)
        if argv[0] != "systemctl":
            raise AssertionError(f"unplanned command on {self.name}: {' '.join(argv)}")
        status, out, err = Systemctl(self.units, self._changing, self.sleep).call(argv[1:])
        return Ran(argv=tuple(argv), status=status, stdout=out.encode(), stderr=err.encode())

    def claim_device(self, path: str) -> FakeLock:
        if path in self._locks:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
        self._locks[path] = FakeLock(self._locks, path, "")
        return self._locks[path]

    def mounts(self) -> tuple[Mount, ...]:
        return self._mounts.table()

    def mount_device(self, device: str, target: str, fstype: str, options: Sequence[str], idmap: IdMap | None) -> None:
        if not self._mounts.device_is_there(device, target, fstype, idmap):
            with self._changing(f"mount_device {device} {target}"):
                self._mounts.add_device(device, target, fstype, options, idmap)

    def mount_bind(self, source: str, target: str, *, idmap: IdMap | None = None) -> None:
        if not self._mounts.bind_is_there(source, target, idmap):
            with self._changing(f"mount_bind {source} {target}"):
                self._mounts.add_bind(source, target, idmap)

    def unmount(self, target: str) -> None:
        in_use = [path for unit in self.units.values() if unit.state == "active" for path in unit.uses]
        self._mounts.check_removable(target, in_use)
        with self._changing(f"unmount {target}"):
            self._mounts.remove(target)

    def cut_off(self, target: str) -> None:
        if self._mounts.top(target) is None:
            raise OSError(errno.EINVAL, f"{target} is no mount of its own")
        with self._changing(f"cut_off {target}"):
            self._mounts.cut_off(target)

    def abandon_export(self, target: str) -> None:
        self.unmount(target)

    def look_at_export(self, export: str, options: Sequence[str], seconds: float) -> ExportSeen:  # noqa: ARG002
        return fake_exports.look_at(self._mounts.disks, export)

    def client_name(self) -> str:
        return f"tanist-{self.name}"

    def hold_record(self, path: str, note: bytes) -> Record | None:
        return fake_exports.hold(self._mounts.disk_at(path), path, self.name, note)

    def arm_reset(self, seconds: float) -> FakeReset:
        self.resets.append(FakeReset(self.clock.ticks + seconds))
        return self.resets[-1]

    def read_idmap(self, target: str) -> IdMap | None:
        entry = self._mounts.top(target)
        if entry is None:
            raise OSError(errno.EINVAL, f"{target}: not a mount point")
        return entry.idmap

    def begin_reowning(self, tree: str, token: str) -> None:
        with self._changing(f"begin_reowning {tree}"):
            reowning.begin(self._files.real(tree), token)

    def reown(self, tree: str, token: str, renumber: Renumber) -> Reowned:
        """Each moment that a kill could part is a change of its own."""

        def point(what: str) -> None:
            with self._changing(f"reown {what}"):
                pass

        return reowning.reown(self._files.real(tree), token, renumber, workers=1, point=point)

    def forget_reowning(self, tree: str) -> None:
        if self._files.exists(f"{tree}/{reowning.PLACE}"):
            with self._changing(f"forget_reowning {tree}"):
                reowning.forget(self._files.real(tree))

    def hostname(self) -> str:
        return self._hostname

    def set_hostname(self, name: str) -> None:
        with self._changing(f"set_hostname {name}"):
            self._hostname = name

    def interfaces(self) -> tuple[Interface, ...]:
        return self.network.interfaces()

    def add_address(self, address: Address) -> None:
        if not self.network.has(address):
            with self._changing(f"add_address {address.address} {address.interface}"):
                self.network.add(address)

    def remove_address(self, address: Address) -> None:
        if self.network.has(address):
            with self._changing(f"remove_address {address.address} {address.interface}"):
                self.network.remove(address)

    def probe_addresses(self, addresses: Sequence[Address], seconds: float) -> tuple[Answer, ...]:
        self.network.check_usable(addresses)
        found = () if self.silent else self.network.ask(addresses)
        if {answer.address for answer in found} != {address.address for address in addresses}:
            self.sleep(seconds)
        return found

    def begin_probe(self, addresses: Sequence[Address], seconds: float) -> None:  # noqa: ARG002 - probes are instant
        self.network.check_usable(addresses)

    def announce_addresses(self, addresses: Sequence[Address]) -> None:
        self.network.check_usable(addresses)
        with self._changing(f"announce {' '.join(address.address for address in addresses)}"):
            pass

    def tcp_answers(self, address: str, port: int, timeout: float) -> bool:
        owners = [self] if self.network.mac_of(address) or address == "127.0.0.1" else self.wire.owners(address)
        if not owners:
            self.sleep(timeout)
        return any(owner.listens(port) for owner in owners)

    def http_status(self, url: str, timeout: float) -> int:  # noqa: ARG002 - answers or refuses at once
        if url not in self.urls:
            raise OSError(errno.ECONNREFUSED, f"{url}: {os.strerror(errno.ECONNREFUSED)}")
        return self.urls[url]

    def ask_datagrams(self, address: str, port: int, messages: Sequence[bytes], seconds: float) -> tuple[bytes, ...]:
        server = self.datagrams.get((address, port))
        if server is None:
            self.sleep(seconds)
            return ()
        return tuple(answer for one in messages for answer in server(one))

    def user_id(self, name: str) -> int | None:
        return self.users.get(name)

    def group_id(self, name: str) -> int | None:
        return self.groups.get(name)

    def user_name(self, uid: int) -> str | None:
        return next((name for name, number in self.users.items() if number == uid), None)

    def group_name(self, gid: int) -> str | None:
        return next((name for name, number in self.groups.items() if number == gid), None)

    def lock(self, path: str, note: str) -> FakeLock | str:
        if path in self._locks:
            return self._locks[path].note
        self._locks[path] = FakeLock(self._locks, path, note)
        return self._locks[path]


def _raising(error: OSError) -> Callable[[], Ran]:
    def end() -> Ran:
        raise error

    return end
