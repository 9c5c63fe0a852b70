"""Interfaces below their addresses: MTU, speed, VLAN (ip-link(8), sysfs class/net)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tanist.facts.tool import read_text
from tanist.model.readout import Link
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host


def read_links(host: Host) -> tuple[Link, ...] | Unread:
    said = read_text(host, ("ip", "-j", "-d", "link", "show"))
    if isinstance(said, Unread):
        return said
    try:
        links = parse_links(said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Unread(f"ip link: its answer can't be read: {error!r}")
    return tuple(Link(name=one.name, mtu=one.mtu, vlan=one.vlan, speed=_read_speed(host, one.name)) for one in links)


def parse_links(text: str) -> tuple[Link, ...]:
    """ValueError, KeyError, TypeError or AttributeError for what `ip -j -d link show` does not print."""
    links = json.loads(text)
    if not isinstance(links, list):
        raise ValueError("no list")
    return tuple(
        Link(name=str(one["ifname"]), mtu=int(one["mtu"]), vlan=_vlan(one.get("linkinfo") or {}))
        for one in links
        if one  # ip prints an empty object for an interface that went away meanwhile
    )


def _vlan(info: dict[str, Any]) -> int:
    return int(info["info_data"]["id"]) if info.get("info_kind") == "vlan" else 0


def _read_speed(host: Host, name: str) -> int:
    """Mbit/s; the kernel says -1, or EINVAL, where the driver does not know or the link is down."""
    try:
        return max(int(host.files.read(f"/sys/class/net/{name}/speed", 64)), 0)
    except (OSError, ValueError):
        return 0
