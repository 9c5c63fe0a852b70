"""Two controllers that may come to one node: what would be in each other's way? Pure.

One standby for many primaries is fine as long as all of them can be active on it at once: each needs its own addresses,
units, trees, devices and files, and only one of them may take the node's name (identity mode host).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tanist.model.definition import Asset, Controller, LvmLayer, MdLayer
from tanist.model.paths import is_inside
from tanist.model.wants import Wants
from tanist.parity.network import url_port

T = TypeVar("T")


def read_wants(controller: Controller) -> Wants:
    asset = controller.asset
    return Wants(
        name=controller.name,
        mode=controller.identity.mode,
        hostname=controller.identity.hostname,
        nodes=tuple(one.name for one in controller.nodes),
        tree=controller.tree,
        devices=tuple(_devices(asset)),
        addresses=tuple(one.address for one in controller.identity.addresses),
        ports=tuple(sorted(set(_ports(controller)))),
        units=tuple(one.unit for one in controller.services),
        paths=controller.captured_paths,
        makes=(*controller.accounts.users, *controller.accounts.groups) if controller.accounts.create else (),
    )


def _devices(asset: Asset) -> Iterator[str]:
    """What a takeover takes, down to the disks."""
    if asset.device:
        yield asset.device
    for layer in asset.layers:
        match layer:
            case MdLayer():
                yield from layer.members
            case LvmLayer():
                yield f"volume group {layer.group}"


def _ports(controller: Controller) -> Iterator[tuple[str, int]]:
    for one in controller.health:
        if one.kind == "tcp":
            yield one.address, one.port
        elif one.kind == "http" and (port := url_port(one.url)):
            yield one.url.partition("://")[2].partition("/")[0].rpartition(":")[0].strip("[]"), port


def find_clashes(mine: Wants, theirs: Wants) -> tuple[str, ...]:
    """A sentence for each; none when both can be active on one node."""
    return tuple(_find(mine, theirs))


def _find(mine: Wants, theirs: Wants) -> Iterator[str]:
    if mine.mode == theirs.mode == "host":
        yield 'both are in mode "host": a node has one name and one set of ssh keys, so it can be only one of them'
    for what, ours, others in (
        ("the address", mine.addresses, theirs.addresses),
        ("the unit", mine.units, theirs.units),
        ("the device", mine.devices, theirs.devices),
        ("the host name", (mine.hostname,), (theirs.hostname,)),
    ):
        for one in _both(ours, others):
            yield f"both have {what} {one}"
    for port in _both(mine.ports, theirs.ports):
        yield f"both listen on port {port[1]} of {port[0] or 'every address'}"
    yield from _same_places(mine, theirs)
    for name in _both(mine.makes, theirs.makes):
        yield f"each would make the account {name}, and take it away again while the other one uses it"


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
