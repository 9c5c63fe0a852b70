"""Two controllers that may come to one node: what would be in each other's way? Pure.

One standby for many primaries is fine as long as all of them can be active on it at once: each needs its own addresses,
ports, units, trees, devices and files, and only one of them may take the node's name (identity mode host).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tanist.model.definition import Asset, Controller
from tanist.model.paths import is_inside
from tanist.model.readout import Listener, Readout
from tanist.model.unread import Unread
from tanist.model.wants import Wants
from tanist.parity.network import url_port

T = TypeVar("T")
Port = tuple[str, str, int]  # (protocol, address, number)


def read_wants(controller: Controller, heard: Iterable[Readout] = ()) -> Wants:
    """`heard`: what its nodes told of themselves; where it was active, the ports that its services listen on."""
    asset = controller.asset
    units = {one.unit for one in controller.services}
    listening = (one for readout in heard if readout.active for one in _listeners(readout) if one.unit in units)
    return Wants(
        name=controller.name,
        mode=controller.identity.mode,
        hostname=controller.identity.hostname,
        nodes=tuple(one.name for one in controller.nodes),
        tree=controller.tree,
        devices=tuple(_devices(asset)),
        addresses=tuple(one.address for one in controller.identity.addresses),
        ports=tuple(sorted({*_ports(controller), *((one.protocol, one.address, one.port) for one in listening)})),
        units=tuple(one.unit for one in controller.services),
        paths=(*controller.captured_paths, *(bind.target for bind in controller.binds)),
        exports=tuple(one.path for one in controller.exports),
        makes=(*controller.accounts.users, *controller.accounts.groups) if controller.accounts.create else (),
    )


def _devices(asset: Asset) -> Iterator[str]:
    """What a takeover takes, down to the disks."""
    if asset.device:
        yield asset.device
    for layer in asset.layers:
        yield from layer.takes


def _ports(controller: Controller) -> Iterator[Port]:
    """What the health checks ask for."""
    for one in controller.health:
        if one.kind == "tcp":
            yield "tcp", one.address or "*", one.port
        elif one.kind == "http" and (port := url_port(one.url)):
            host = one.url.partition("://")[2].partition("/")[0]
            name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
            yield "tcp", name.strip("[]") or "*", port


def _listeners(readout: Readout) -> tuple[Listener, ...]:
    return () if isinstance(readout.listeners, Unread) else readout.listeners


def find_clashes(mine: Wants, theirs: Wants) -> tuple[str, ...]:
    """A sentence for each; none when both can be active on one node."""
    return tuple(_find(mine, theirs))


def _find(mine: Wants, theirs: Wants) -> Iterator[str]:
    if mine.mode == theirs.mode == "host":
        yield 'both are in mode "host": a node has one name and one set of ssh keys, so it can be only one of them'
    if mine.exports and theirs.exports:
        yield "both export directories: a node has one record of NFS clients, so only one of them can be active on it"
    for what, ours, others in (
        ("the address", mine.addresses, theirs.addresses),
        ("the unit", mine.units, theirs.units),
        ("the device", mine.devices, theirs.devices),
        ("the host name", (mine.hostname,), (theirs.hostname,)),
    ):
        for one in _both(ours, others):
            yield f"both have {what} {one}"
    for protocol, address, number in _same_ports(mine.ports, theirs.ports):
        yield f"both listen on port {number} ({protocol}) of {'every address' if address == '*' else address}"
    yield from _same_places(mine, theirs)
    for name in _both(mine.makes, theirs.makes):
        yield f"each would make the account {name}, and take it away again while the other one uses it"


def _same_ports(ours: Iterable[Port], others: Iterable[Port]) -> list[Port]:
    """Who listens on every address leaves none to the other one (bind(2), EADDRINUSE)."""
    theirs = list(others)
    found = []
    for protocol, address, number in ours:
        there = {at for how, at, port in theirs if (how, port) == (protocol, number)}
        if address in there or "*" in there or (address == "*" and there):
            found.append((protocol, "*" if "*" in there else address, number))
    return list(dict.fromkeys(found))


def _same_places(mine: Wants, theirs: Wants) -> Iterator[str]:
    for ours, others, what in (
        ((mine.tree,), (theirs.tree,), "the trees {} and {} lie in each other"),
        ((mine.tree,), theirs.paths, "{} is this one's tree, and {} is restored by the other"),
        (mine.paths, (theirs.tree,), "{} is restored by this one, and {} is the other's tree"),
        (mine.paths, theirs.paths, "{} is restored by this one, {} by the other"),
    ):
        for a in ours:
            for b in others:
                if is_inside(a, b) or is_inside(b, a):
                    yield what.format(a, b)


def _both(ours: Iterable[T], others: Iterable[T]) -> list[T]:
    known = set(others)
    return [one for one in dict.fromkeys(ours) if one in known]
