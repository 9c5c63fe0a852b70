"""What stands around the machine, where a tool is there that tells it: switches (lldpctl(8)), power supplies
(ipmitool(1)), ZFS data sets that share themselves (zfs-get(8)).

Only asks. None: no such tool, or nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.measured import Share, Switch
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

IPMI = ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")


def read_switches(host: Host) -> tuple[Switch, ...] | Unread | None:
    said = _ask(host, ("lldpctl", "-f", "keyvalue"))
    return parse_lldp(said) if isinstance(said, str) else said


def parse_lldp(text: str) -> tuple[Switch, ...]:
    """Lines "lldp.eth0.chassis.name=switch-a"; a neighbour without a name is known by its MAC address."""
    names: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        parts = key.split(".")
        if len(parts) < 4 or parts[0] != "lldp" or parts[-2:] not in (["chassis", "name"], ["chassis", "mac"]):
            continue
        port = ".".join(parts[1:-2])
        if parts[-1] == "name" or port not in names:
            names[port] = value
    return tuple(Switch(port=port, name=name) for port, name in names.items())


def read_supplies(host: Host) -> tuple[str, ...] | Unread | None:
    if not any(host.files.exists(path) for path in IPMI):
        return None
    said = _ask(host, ("ipmitool", "sdr", "type", "Power Supply"), timeout=30.0)
    return parse_supplies(said) or None if isinstance(said, str) else said


def parse_supplies(text: str) -> tuple[str, ...]:
    """Lines "PS1 Status       | C8h | ok  | 10.1 | Presence detected"; "ns": there is no reading."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    return tuple(f"{row[0]}: {row[4]}" for row in rows if len(row) >= 5 and row[2] != "ns" and row[4])


def read_shares(host: Host) -> tuple[Share, ...] | Unread | None:
    said = _ask(host, ("zfs", "get", "-H", "-t", "filesystem", "-o", "name,property,value", "mountpoint,sharenfs"))
    return parse_zfs(said) if isinstance(said, str) else said


def parse_zfs(text: str) -> tuple[Share, ...]:
    """zfs-get(8), -H: fields by one tab. Only those that share themselves, and are mounted by ZFS."""
    values: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) == 3:
            values.setdefault(cells[0], {})[cells[1]] = cells[2]
    return tuple(
        Share(dataset=name, mountpoint=found.get("mountpoint", ""), sharenfs=found["sharenfs"])
        for name, found in values.items()
        if found.get("sharenfs", "off") not in ("off", "-")
    )


def _ask(host: Host, argv: Sequence[str], timeout: float = 10.0) -> str | Unread | None:
    """None: there is no such tool."""
    said = read_text(host, argv, timeout=timeout)
    return None if isinstance(said, Unread) and "not found" in said.why else said
