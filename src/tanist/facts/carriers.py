"""What carries the packets of an interface: a card, the slaves of a bond, or something virtual (sysfs class/net).

Source: the kernel's Documentation/networking/bonding.rst and Documentation/ABI/testing/sysfs-class-net.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tanist.facts.blockdevices import read_adapter
from tanist.facts.sysfs import read_word
from tanist.model.hardware import Carrier, Port
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

NET = "/sys/class/net"


def read_carriers(host: Host, interfaces: Iterable[str]) -> tuple[Carrier, ...] | Unread:
    """Of those interfaces that are there."""
    try:
        there = set(host.files.list(NET))
        return tuple(_read_carrier(host, name, there) for name in dict.fromkeys(interfaces) if name in there)
    except OSError as error:
        return Unread(f"{NET}: {error.strerror or error}")


def _read_carrier(host: Host, name: str, there: set[str]) -> Carrier:
    """A VLAN or a bridge is carried by what lies below it."""
    bond = _find_bond(host, name, there)
    if bond:
        slaves = read_word(host, f"{NET}/{bond}/bonding/slaves").split()
        return Carrier(interface=name, kind="bond", ports=tuple(_read_port(host, one) for one in slaves))
    ports = tuple(_read_port(host, one) for one in _lowest(host, name, there))
    real = tuple(one for one in ports if one.adapter)
    return Carrier(interface=name, kind="nic" if real else "virtual", ports=real or ports)


def _find_bond(host: Host, name: str, there: set[str]) -> str:
    if host.files.exists(f"{NET}/{name}/bonding"):
        return name
    return next((found for one in _lower(host, name, there) if (found := _find_bond(host, one, there))), "")


def _lowest(host: Host, name: str, there: set[str]) -> tuple[str, ...]:
    lower = _lower(host, name, there)
    return tuple(found for one in lower for found in _lowest(host, one, there)) if lower else (name,)


def _lower(host: Host, name: str, there: set[str]) -> list[str]:
    """The links lower_NAME; one end of a veth pair has its other end below it, perhaps in another namespace."""
    links = [one.removeprefix("lower_") for one in host.files.list(f"{NET}/{name}") if one.startswith("lower_")]
    return [one for one in links if one in there and f"lower_{name}" not in host.files.list(f"{NET}/{one}")]


def _read_port(host: Host, name: str) -> Port:
    return Port(
        name=name, adapter=read_adapter(host, f"{NET}/{name}"), up=read_word(host, f"{NET}/{name}/carrier") == "1"
    )
