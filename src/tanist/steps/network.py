"""Service addresses: asked for on the wire, added, announced; removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.host.host import Host
from tanist.model.errors import Failed
from tanist.model.host import Address
from tanist.steps.context import Context

if TYPE_CHECKING:
    from tanist.model.steps import AddAddress, Announce


def has_address(host: Host, address: Address) -> bool:
    return any(address in interface.addresses for interface in host.interfaces())


def apply_add_address(spec: AddAddress, context: Context) -> None:
    """RFC 5227: probe before use; an answer means that somebody else has it, and then nothing is added."""
    host = context.host
    if not has_address(host, spec.address):
        for answer in host.probe_addresses([spec.address], spec.probe_seconds):
            raise Failed(
                f"{answer.address} is in use by {answer.mac} on {spec.address.interface}: "
                "two machines with one address would both be unreachable, so it was not added"
            )
        host.add_address(spec.address)
    host.announce_addresses([spec.address])


def undo_add_address(spec: AddAddress, context: Context) -> None:
    context.host.remove_address(spec.address)


def is_add_address_applied(spec: AddAddress, context: Context) -> bool:
    return has_address(context.host, spec.address)


def apply_announce(spec: Announce, context: Context) -> None:
    context.host.announce_addresses(spec.addresses)


def undo_announce(spec: Announce, context: Context) -> None:
    """Nothing to take back: a removed address is not announced."""
