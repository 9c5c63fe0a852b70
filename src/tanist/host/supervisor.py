"""What a service tells systemd: that it is ready, that it is alive (sd_notify(3)), and lines with fields for
the journal (systemd.journal-fields(7), the native protocol). Without systemd nothing happens but a line on stdout."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

JOURNAL = "/run/systemd/journal/socket"


def notify(state: str) -> bool:
    """`READY=1`, `WATCHDOG=1`, `STATUS=...`; several, a line each. False where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.sendto(state.encode(), address)
    except OSError:
        return False
    return True


def log(message: str, fields: Mapping[str, str], *, priority: int = 6) -> None:
    """`priority` as in syslog(3): 3 error, 4 warning, 6 information."""
    text = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "tanist-agent", **fields}
    body = b"".join(_field(name, value) for name, value in text.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.sendto(body, JOURNAL)
    except OSError:
        print(message, flush=True)


def _field(name: str, value: str) -> bytes:
    data = value.encode()
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
