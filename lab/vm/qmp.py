"""A machine's control socket (QMP): one short conversation at a time."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.errors import LabError

TIMEOUT = 30.0


class Qmp:
    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lines = link.makefile("rb")
        self._read()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """The answer's "return"; LabError with QEMU's words when it refuses."""
        self._link.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self._read()
            if "error" in answer:
                raise LabError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def wait_event(self, name: str) -> Mapping[str, Any]:
        while True:
            answer = self._read()
            if answer.get("event") == name:
                return answer

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise LabError("the machine closed its control socket")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._lines.close()


@contextmanager
def open_qmp(path: Path, timeout: float = TIMEOUT) -> Iterator[Qmp]:
    """LabError when nobody answers there within `timeout` seconds (a frozen or dead machine does not)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as link:
        link.settimeout(timeout)
        try:
            link.connect(str(path))
            qmp = Qmp(link)
            try:
                yield qmp
            finally:
                qmp.close()
        except OSError as e:
            raise LabError(f"{path.parent.name}: the machine does not answer on its control socket: {e}") from None


def listens(path: Path) -> bool:
    """Is QEMU there? Its socket exists a little before it listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as link:
        try:
            link.connect(str(path))
        except OSError:
            return False
    return True
