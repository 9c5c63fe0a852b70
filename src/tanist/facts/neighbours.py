"""Who else is on the wire: routers (ip-route(8)) and machines that were heard of lately (ip-neighbour(8))."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

FEW = 4  # neighbours that are asked


def read_gateways(host: Host) -> tuple[tuple[str, str], ...]:
    """(interface, address) of each; none where the routes can't be read, which other looks tell."""
    found: list[tuple[str, str]] = []
    for family in ("-4", "-6"):
        said = read_text(host, ("ip", family, "-j", "route", "show", "default"))
        if not isinstance(said, Unread):
            found += parse_routes(said)
    return tuple(found)


def parse_routes(text: str) -> list[tuple[str, str]]:
    try:
        routes = json.loads(text or "[]")
        return [(str(one["dev"]), str(one["gateway"])) for one in routes if "gateway" in one and "dev" in one]
    except (ValueError, TypeError):
        return []


def read_neighbours(host: Host, interface: str) -> tuple[str, ...]:
    """Addresses that had a MAC on that interface; a few, and none where the table can't be read."""
    said = read_text(host, ("ip", "-j", "neigh", "show", "dev", interface))
    return () if isinstance(said, Unread) else parse_neighbours(said)[:FEW]


def parse_neighbours(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(one["dst"]) for one in json.loads(text or "[]") if "lladdr" in one)
    except (ValueError, TypeError, KeyError):
        return ()
