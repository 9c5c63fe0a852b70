"""Who listens on this node, and for which unit (ss(8), cgroups(7))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.readout import Listener
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

EVERY = ("0.0.0.0", "::", "*")  # noqa: S104 - what ss prints, nothing is bound
_PROCESS = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d+)')


def read_listeners(host: Host) -> tuple[Listener, ...] | Unread:
    said = read_text(host, ("ss", "-H", "-l", "-n", "-t", "-u", "-p"))
    if isinstance(said, Unread):
        return said
    units: dict[str, str] = {}
    found = []
    for protocol, address, port, process, pid in parse_ss(said):
        if pid and pid not in units:
            units[pid] = _read_unit(host, pid)
        found.append(Listener(protocol=protocol, address=address, port=port, process=process, unit=units.get(pid, "")))
    return tuple(dict.fromkeys(found))


def parse_ss(text: str) -> tuple[tuple[str, str, int, str, str], ...]:
    """(protocol, address, port, process, its number) of each line; "" where ss does not tell the process."""
    found = []
    for line in text.splitlines():
        fields = line.split(None, 6)
        if len(fields) < 6 or fields[0] not in ("tcp", "udp"):
            continue
        address, _, port = fields[4].rpartition(":")
        match = _PROCESS.search(fields[6]) if len(fields) > 6 else None
        if port.isdigit():
            name, pid = (match[1], match[2]) if match else ("", "")
            found.append((fields[0], _plain(address), int(port), name, pid))
    return tuple(found)


def _plain(address: str) -> str:
    bare = address.partition("%")[0].strip("[]")
    return "*" if bare in EVERY else bare.removeprefix("::ffff:")


def _read_unit(host: Host, pid: str) -> str:
    """The innermost service of its control group; "" for a process that is gone or belongs to none."""
    try:
        text = host.files.read(f"/proc/{pid}/cgroup", 65536).decode("utf-8", "replace")
    except OSError:
        return ""
    return parse_cgroup(text)


def parse_cgroup(text: str) -> str:
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" or controllers == "name=systemd":
            units = [part for part in path.split("/") if part.endswith((".service", ".socket"))]
            if units:
                return units[-1]
    return ""
