"""Service addresses: asked for on the wire, added, announced; removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.host.host import Host
from tanist.model.errors import Failed
from tanist.model.host import Address, Answer
from tanist.steps.context import Context

if TYPE_CHECKING:
    from tanist.model.steps import AddAddress, Announce

LOOK = 6.0  # seconds: longer than a look at the wire lasts (host/wire.py, FRESH)


def has_address(host: Host, address: Address) -> bool:
    return any(address in interface.addresses for interface in host.interfaces())


def apply_add_address(spec: AddAddress, context: Context) -> None:
    """RFC 5227: probe before use; an answer means that somebody else has it, and then nothing is added."""
    host = context.host
    if not has_address(host, spec.address):
        for answer in find_users(host, spec.address, spec.probe_seconds):
            name = spec.address.interface
            both = "two machines with one address would both be unreachable, so it was not added"
            if answer.asks:
                raise Failed(f"{answer.address} is asked for again and again by {answer.mac} on {name}: {both}")
            raise Failed(f"{answer.address} is in use by {answer.mac} on {name}: {both}")
        host.add_address(spec.address)
    host.announce_addresses([spec.address])


def find_users(host: Host, address: Address, seconds: float) -> tuple[Answer, ...]:
    """Who only asks may be the other node, which has a look while this one takes over: it stops soon. One that means to
    use it would answer for it by then, or goes on."""
    deadline = host.monotonic() + LOOK
    while True:
        found = host.probe_addresses([address], seconds)
        if not found or not all(one.asks for one in found) or host.monotonic() > deadline:
            return found


def undo_add_address(spec: AddAddress, context: Context) -> None:
    context.host.remove_address(spec.address)


def is_add_address_applied(spec: AddAddress, context: Context) -> bool:
    return has_address(context.host, spec.address)


def apply_announce(spec: Announce, context: Context) -> None:
    context.host.announce_addresses(spec.addresses)
