"""This machine as a Host (host/host.py states the contract).

Thin: each subject has its module, and it is imported when it is used, so that a command which only looks at a few
files starts in a few milliseconds.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tanist.host.files import Files
    from tanist.host.host import Lock, Record
    from tanist.host.wire import HeadStart
    from tanist.model.host import Address, Answer, ExportSeen, IdMap, Interface, Mount, Ran, Renumber, Reowned

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class LocalHost:
    def __init__(self) -> None:
        self._files: Files | None = None
        self._begun: dict[tuple[Address, ...], HeadStart] = {}

    @property
    def files(self) -> Files:
        if self._files is None:
            from tanist.host.files import Files

            self._files = Files()
        return self._files

    # -- time and identity of the running system
    def boot_id(self) -> str:
        with open(BOOT_ID) as file:
            return file.read().strip()

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(seconds, 0.0))

    # -- commands
    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        ok: Sequence[int] | None = (0,),
        user: str = "",
    ) -> Ran:
        from tanist.host.commands import demand_status
        from tanist.host.processes import run_program

        return demand_status(run_program(argv, stdin=stdin, timeout=timeout, user=user), ok)

    def begin(
        self, argv: Sequence[str], *, timeout: float = 30.0, ok: Sequence[int] | None = (0,)
    ) -> Callable[[], Ran]:
        from tanist.host.commands import demand_status
        from tanist.host.processes import Started

        started = Started(argv, timeout=timeout)
        return lambda: demand_status(started.end(), ok)

    def run_into(self, argv: Sequence[str], into: str, *, limit: int, timeout: float = 30.0, user: str = "") -> Ran:
        from tanist.host.streams import run_into

        return run_into(self.files, argv, into, limit=limit, timeout=timeout, user=user)

    def run_from(self, argv: Sequence[str], source: str, *, timeout: float = 30.0, user: str = "") -> Ran:
        from tanist.host.streams import run_from

        return run_from(self.files, argv, source, timeout=timeout, user=user)

    def pipe(self, first: Sequence[str], second: Sequence[str], *, timeout: float) -> tuple[Ran, Ran]:
        from tanist.host import pipes

        return pipes.pipe(first, second, timeout=timeout)

    def pass_on(self, argv: Sequence[str], *, user: str = "") -> int:
        from tanist.host import pipes

        return pipes.pass_on(argv, user=user)

    def launch(self, argv: Sequence[str]) -> None:
        from tanist.host.apart import launch

        launch(argv)

    # -- block devices
    def claim_device(self, path: str) -> Lock:
        from tanist.host.locks import FileLock

        return FileLock(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))

    # -- mounts
    def mounts(self) -> tuple[Mount, ...]:
        from tanist.host.mountinfo import read_mounts

        return read_mounts()

    def mount_device(self, device: str, target: str, fstype: str, options: Sequence[str], idmap: IdMap | None) -> None:
        from tanist.host import mounting

        mounting.mount_device(device, target, fstype, options, idmap)

    def mount_bind(self, source: str, target: str, *, idmap: IdMap | None = None) -> None:
        from tanist.host import mounting

        mounting.mount_bind(source, target, idmap)

    def unmount(self, target: str) -> None:
        from tanist.host import mounting

        mounting.unmount(target)

    def cut_off(self, target: str) -> None:
        from tanist.host import mounting

        mounting.cut_off(target)

    def abandon_export(self, target: str) -> None:
        from tanist.host import exports

        exports.abandon_export(target)

    def look_at_export(self, export: str, options: Sequence[str], seconds: float) -> ExportSeen:
        from tanist.host import exports

        return exports.look_at_export(export, options, seconds)

    def client_name(self) -> str:
        from tanist.host import exports

        return exports.client_name()

    def hold_record(self, path: str, note: bytes) -> Record | None:
        from tanist.host import exports

        return exports.hold_record(path, note)

    def read_idmap(self, target: str) -> IdMap | None:
        from tanist.host import mounting

        return mounting.read_idmap(target)

    # -- owners
    def begin_reowning(self, tree: str, token: str) -> None:
        from tanist.host import reowning

        reowning.begin(tree, token)

    def reown(self, tree: str, token: str, renumber: Renumber) -> Reowned:
        from tanist.host import reowning

        return reowning.reown(tree, token, renumber)

    def forget_reowning(self, tree: str) -> None:
        from tanist.host import reowning

        reowning.forget(tree)

    # -- host name
    def hostname(self) -> str:
        return os.uname().nodename

    def set_hostname(self, name: str) -> None:
        import socket

        socket.sethostname(name)

    # -- network
    def interfaces(self) -> tuple[Interface, ...]:
        from tanist.host import netlink

        return netlink.read_interfaces()

    def add_address(self, address: Address) -> None:
        from tanist.host import netlink

        netlink.add_address(address)

    def remove_address(self, address: Address) -> None:
        from tanist.host import netlink

        netlink.remove_address(address)

    def probe_addresses(self, addresses: Sequence[Address], seconds: float) -> tuple[Answer, ...]:
        from tanist.host import wire

        begun = self._begun.pop(tuple(addresses), None)
        if begun and begun.was_silent(seconds):
            return ()
        return wire.probe_addresses(addresses, seconds)

    def begin_probe(self, addresses: Sequence[Address], seconds: float) -> None:
        from tanist.host import wire

        self._begun[tuple(addresses)] = wire.HeadStart(addresses, seconds)

    def announce_addresses(self, addresses: Sequence[Address]) -> None:
        from tanist.host import wire

        wire.announce_addresses(addresses)

    def tcp_answers(self, address: str, port: int, timeout: float) -> bool:
        from tanist.host import clients

        return clients.tcp_answers(address, port, timeout)

    def http_status(self, url: str, timeout: float) -> int:
        from tanist.host import clients

        return clients.http_status(url, timeout)

    def ask_datagrams(self, address: str, port: int, messages: Sequence[bytes], seconds: float) -> tuple[bytes, ...]:
        from tanist.host import clients

        return clients.ask_datagrams(address, port, messages, seconds)

    # -- accounts
    def user_id(self, name: str) -> int | None:
        import pwd

        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            return None

    def group_id(self, name: str) -> int | None:
        import grp

        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None

    def user_name(self, uid: int) -> str | None:
        import pwd

        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return None

    def group_name(self, gid: int) -> str | None:
        import grp

        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return None

    # -- the last resort
    def arm_reset(self, seconds: float) -> Lock:
        from tanist.host.reset import ResetTimer

        return ResetTimer(seconds)

    # -- locks
    def lock(self, path: str, note: str) -> Lock | str:
        from tanist.host.locks import take_lock

        return take_lock(path, note)
