"""A machine that only answers: files in a directory, prepared commands and interfaces. Anything else is an error."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from tanist.host.commands import CommandFailed
from tanist.host.files import Files
from tanist.host.host import Host
from tanist.model.host import Address, Interface, Mount, Ran


class Machine:
    def __init__(
        self,
        root: Path,
        *,
        files: Mapping[str, str | bytes] | None = None,
        commands: Mapping[str, str | int] | None = None,
        interfaces: Sequence[Interface] | None = (),
    ) -> None:
        """`commands`: the command line -> its output, or its exit status. `interfaces` None: they cannot be read."""
        self.files = Files(str(root))
        self._commands, self._interfaces = dict(commands or {}), interfaces
        self.ran: list[tuple[str, ...]] = []
        for path, content in (files or {}).items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)

    @property
    def host(self) -> Host:
        return cast(Host, self)

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0, ok: Sequence[int] | None = (0,)
    ) -> Ran:
        self.ran.append(tuple(argv))
        answer = self._commands.get(" ".join(argv), 127)
        status, stdout = (answer, "") if isinstance(answer, int) else (0, answer)
        if status < 0:
            raise OSError(errno.ETIMEDOUT, "timed out")
        ran = Ran(argv=tuple(argv), status=status, stdout=stdout.encode(), stderr=b"it complained" if status else b"")
        if ok is not None and status not in ok:
            raise CommandFailed(ran)
        return ran

    def begin(
        self, argv: Sequence[str], *, timeout: float = 30.0, ok: Sequence[int] | None = (0,)
    ) -> Callable[[], Ran]:
        return lambda: self.run(argv, timeout=timeout, ok=ok)

    def mounts(self) -> tuple[Mount, ...]:
        return ()

    def interfaces(self) -> tuple[Interface, ...]:
        if self._interfaces is None:
            raise OSError(errno.EPERM, "Operation not permitted")
        return tuple(self._interfaces)


def interface(name: str, *cidrs: str, up: bool = True, carrier: bool = True) -> Interface:
    pairs = (cidr.split("/") for cidr in cidrs)
    addresses = tuple(Address(interface=name, address=address, prefix=int(prefix)) for address, prefix in pairs)
    return Interface(name=name, mac="02:88:00:00:00:0b", up=up, carrier=carrier, addresses=addresses)
