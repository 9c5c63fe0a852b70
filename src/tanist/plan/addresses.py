"""The service addresses as one node has them. Pure."""

from __future__ import annotations

from tanist.model.definition import Controller
from tanist.model.host import Address


def service_addresses(controller: Controller, node: str) -> tuple[Address, ...]:
    return tuple(
        Address(interface=one.interface_on(node), address=one.address, prefix=one.prefix)
        for one in controller.identity.addresses
    )
