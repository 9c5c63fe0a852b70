"""What of a definition only the machine can tell: Controller + Host -> what is wrong here. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.definition.addresses import render_subnet, share_subnet
from tanist.definition.load import NODE_FILE, read_node_name
from tanist.model.definition import Controller, ServiceAddress
from tanist.model.errors import Refused

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.host import Address, Interface


def check_on_host(controller: Controller, host: Host, node: str) -> tuple[str, ...]:
    """Each mistake of the definition as seen from this machine, which acts as `node`; empty when it fits."""
    names = [known.name for known in controller.nodes]
    if node not in names:
        return (f'node "{node}" is not in the definition; it has: {", ".join(names)}',)
    return (*_check_node_file(controller, host, node), *_check_interfaces(controller, host, node))


def own_addresses(controller: Controller, interface: Interface) -> tuple[Address, ...]:
    """The interface's addresses without the controller's, which come and go."""
    service = {address.address for address in controller.identity.addresses}
    return tuple(address for address in interface.addresses if address.address not in service)


def _check_node_file(controller: Controller, host: Host, node: str) -> tuple[str, ...]:
    try:
        name = read_node_name(host.files)
    except Refused as error:
        return (f"{error.message}; to mend it: {error.next_step}",)
    if name == node:
        return ()
    names = ", ".join(known.name for known in controller.nodes)
    return (f'{NODE_FILE} says "{name}", but this machine was taken for "{node}"; the definition has: {names}',)


def _check_interfaces(controller: Controller, host: Host, node: str) -> tuple[str, ...]:
    try:
        interfaces = host.interfaces()
    except OSError as error:
        return (f"the network interfaces of {node} cannot be read: {error}",)
    wrong = (_check_address(controller, address, interfaces, node) for address in controller.identity.addresses)
    return tuple(problem for problem in wrong if problem)


def _check_address(controller: Controller, address: ServiceAddress, interfaces: Sequence[Interface], node: str) -> str:
    name = address.interface_on(node)
    interface = next((item for item in interfaces if item.name == name), None)
    if interface is None:
        there = ", ".join(item.name for item in interfaces if item.name != "lo") or "none"
        return f'{address.cidr} belongs on interface "{name}", which {node} does not have; it has: {there}'
    own = own_addresses(controller, interface)
    if any(share_subnet(address.address, item.address, item.prefix) for item in own):
        return ""
    has = ", ".join(f"{item.address}/{item.prefix} ({render_subnet(item.address, item.prefix)})" for item in own)
    return (
        f"{address.cidr} lies in no subnet of {name} on {node}: clients would not reach it there; "
        f"{name} has of its own: {has or 'no address'}"
    )
