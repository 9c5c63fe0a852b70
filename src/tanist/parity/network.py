"""Would clients find the controller at the other node: links, the wire, the packet filter? Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.dataclasses import replace
from tanist.model.definition import ServiceAddress
from tanist.model.pair import Pair, Wire
from tanist.model.readiness import Found, Seen
from tanist.model.readout import Firewall, Link, Listener, Readout
from tanist.model.unread import Unread
from tanist.parity.finding import gaps_of, good, untold, wrong


def check_network(pair: Pair) -> Iterator[Found]:
    for address in pair.controller.identity.addresses:
        yield from _check_duplicate(pair, address)
        yield from _check_wire(pair, address)
        if pair.owner is not None:
            yield _check_link(pair, pair.owner, address)
    yield from _check_gateway(pair)
    yield _check_firewall(pair)


def _macs(readout: Readout | None) -> dict[str, str]:
    return {one.mac: one.name for one in readout.facts.interfaces} if readout is not None else {}


def _check_duplicate(pair: Pair, address: ServiceAddress) -> Iterator[Found]:
    """Whoever answers for a service address must be its owner (A12)."""
    subject = address.address
    if isinstance(pair.wire, Unread):
        yield untold("duplicate address", [(pair.checker, pair.wire.why)], subject=subject)
        return
    if not any(one.address == address.address for one in pair.wire.asked):
        return
    owner = _macs(pair.owner)
    strangers = [mac for mac in pair.wire.macs(address.address) if mac not in owner]
    if strangers:
        taker = _macs(pair.taker)
        whose = [f"{mac}" + (f" ({taker[mac]} of {pair.taker.node})" if mac in taker else "") for mac in strangers]
        yield wrong("duplicate address", f"{subject} is answered for by {', '.join(whose)}", subject=subject)
    else:
        yield good("duplicate address", f"nobody but its owner answers for {subject}", subject=subject)


def _check_wire(pair: Pair, address: ServiceAddress) -> Iterator[Found]:
    """An answer of the other node on that interface proves one wire; so does one of the owner for its address."""
    subject = f"{address.interface_on(pair.taker.node)} of {pair.taker.node}"
    if isinstance(pair.wire, Unread):
        yield untold("wire", [(pair.checker, pair.wire.why)], subject=subject)
        return
    other = pair.owner_name if pair.checker == pair.taker.node else pair.taker.node
    interface = address.interface_on(pair.checker)
    theirs = _macs(pair.owner if other == pair.owner_name else pair.taker)
    asked = [one for one in pair.wire.asked if one.interface == interface and one.whose in (other, "service")]
    heard = [one.address for one in asked if set(pair.wire.macs(one.address)) & set(theirs)]
    if heard:
        yield good("wire", f"{other} answered on {interface} of {pair.checker} for {heard[0]}", subject=subject)
    elif pair.owner_why and other == pair.owner_name:
        yield from _neighbour(pair, pair.wire, interface, subject)
    elif asked:
        said = f"{other} does not answer on {interface} of {pair.checker} ({', '.join(one.address for one in asked)})"
        yield wrong("wire", said, subject=subject)
    else:
        says = f"nothing to ask for on {interface}: {other} has no address there"
        yield untold("wire", [(pair.checker, says)], subject=subject)


def _neighbour(pair: Pair, wire: Wire, interface: str, subject: str) -> Iterator[Found]:
    """The owner is silent: any other neighbour shows at least that the wire is alive."""
    others = [one for one in wire.asked if one.interface == interface and one.whose in ("gateway", "neighbour")]
    heard = [one for one in others if wire.macs(one.address)]
    if heard:
        says = f"the {heard[0].whose} {heard[0].address} answers on {interface} of {pair.checker}"
        yield good("wire", says, subject=subject)
    else:
        says = f"{pair.owner_name} is silent, and no other neighbour of {interface} answers"
        yield replace(untold("wire", [(pair.checker, says)], subject=subject), grade="warning")


def _check_link(pair: Pair, owner: Readout, address: ServiceAddress) -> Found:
    names = [address.interface_on(one.node) for one in pair.known]
    subject = address.address
    if gaps := gaps_of(pair.known, lambda one: one.links):
        return untold("link", gaps, subject=subject)
    links = [_find(one.links, name) for one, name in zip((owner, pair.taker), names, strict=True)]
    gone = [
        (one.node, f"{name} is not there") for one, name, link in zip(pair.known, names, links, strict=True) if not link
    ]
    if gone:
        return untold("link", gone, subject=subject)
    seen = [
        Seen(node=one.node, what=f"{link.name}: {_describe(link)}")
        for one, link in zip(pair.known, links, strict=True)
        if link
    ]
    there, here = links
    assert there and here
    differs = [
        what
        for what, a, b in (
            ("MTU", there.mtu, here.mtu),
            ("VLAN", there.vlan, here.vlan),
            ("speed", there.speed, here.speed),
        )
        if a != b and not (what == "speed" and 0 in (a, b))
    ]
    if differs:
        told = ", ".join(f"{one.what} on {one.node}" for one in seen)
        return wrong("link", f"another {' and '.join(differs)}: {told}", subject=subject, seen=seen)
    return good("link", f"{_describe(here)} on both nodes", subject=subject, seen=seen)


def _find(links: tuple[Link, ...] | Unread, name: str) -> Link | None:
    return None if isinstance(links, Unread) else next((one for one in links if one.name == name), None)


def _describe(link: Link) -> str:
    speed = f", {link.speed} Mbit/s" if link.speed else ""
    return f"MTU {link.mtu}{speed}" + (f", VLAN {link.vlan}" if link.vlan else "")


def _check_gateway(pair: Pair) -> Iterator[Found]:
    if isinstance(pair.wire, Unread):
        return
    for one in pair.wire.asked:
        if one.whose == "gateway":
            subject = f"{one.address} on {pair.wire.node}"
            if pair.wire.macs(one.address):
                yield good("gateway", f"{one.address} answers on {one.interface}", subject=subject)
            else:
                yield wrong("gateway", f"{one.address} does not answer on {one.interface}", subject=subject)


def service_ports(pair: Pair) -> tuple[tuple[str, int], ...]:
    """What the services listen on where they run, and what the health checks ask for, as (protocol, port)."""
    ports = {("tcp", one.port) for one in pair.controller.health if one.kind == "tcp"}
    ports |= {("tcp", port) for one in pair.controller.health if one.kind == "http" and (port := url_port(one.url))}
    if pair.owner is not None and pair.owner.active and not isinstance(pair.owner.listeners, Unread):
        ports |= {(one.protocol, one.port) for one in _own(pair, pair.owner.listeners) if not _is_local(one)}
    return tuple(sorted(ports))


def service_sockets(pair: Pair) -> frozenset[tuple[str, str, int]]:
    """(protocol, address, port) that the services listen on where they run, its own loopback address included."""
    if pair.owner is None or not pair.owner.active or isinstance(pair.owner.listeners, Unread):
        return frozenset()
    return frozenset((one.protocol, one.address, one.port) for one in _own(pair, pair.owner.listeners))


def url_port(url: str) -> int:
    """0 where the URL names no port that could be understood."""
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    _, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return int(port)
    return {"http": 80, "https": 443}.get(scheme, 0) if not colon or host.endswith("]") else 0


def _own(pair: Pair, listeners: tuple[Listener, ...]) -> list[Listener]:
    units = {one.unit for one in pair.controller.services}
    return [one for one in listeners if one.unit in units]


def _is_local(listener: Listener) -> bool:
    return listener.address.startswith("127.") or listener.address == "::1"


def _check_firewall(pair: Pair) -> Found:
    """Only what a rule says of ports is understood; rules by address or interface are taken to fit."""
    filter_ = pair.taker.firewall
    if isinstance(filter_, Unread):
        return untold("firewall", [(pair.taker.node, filter_.why)])
    if filter_ is None or not filter_.drops:
        return good("firewall", f"no packet filter of {pair.taker.node} drops what comes in")
    closed = [f"{protocol} {port}" for protocol, port in service_ports(pair) if not lets_in(filter_, protocol, port)]
    if closed:
        return wrong("firewall", f"no rule of {pair.taker.node} lets in {', '.join(closed)}")
    return good("firewall", f"the packet filter of {pair.taker.node} lets the services' ports in")


def lets_in(firewall: Firewall, protocol: str, port: int) -> bool:
    for one in firewall.accepts:
        name, _, ports = one.partition(" ")
        low, _, high = ports.partition("-")
        if one == "any" or (name in (protocol, "th") and int(low) <= port <= int(high or low)):
            return True
    return False
