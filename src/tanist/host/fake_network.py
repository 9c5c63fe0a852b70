"""The interfaces and addresses of a fake host, on a wire that it shares with others."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from tanist.host.fake_world import FakeWire
from tanist.host.wire import usable_macs
from tanist.model.dataclasses import dataclass, field
from tanist.model.host import Address, Answer, Interface


@dataclass(slots=True)
class FakePort:
    """An interface. Its own addresses come back at every boot, those added later do not."""

    mac: str
    own: tuple[Address, ...] = ()
    up: bool = True
    carrier: bool = True
    added: list[Address] = field(default_factory=list)

    @property
    def addresses(self) -> tuple[Address, ...]:
        return (*self.own, *self.added)


class FakeNetwork:
    def __init__(self, name: str, wire: FakeWire, number: int) -> None:
        self.name = name
        self.wire = wire
        self.ports = {"eth0": FakePort(mac=f"02:00:00:00:{number:02x}:01")}

    def interfaces(self) -> tuple[Interface, ...]:
        return tuple(
            Interface(name=name, mac=port.mac, up=port.up, carrier=port.carrier, addresses=port.addresses)
            for name, port in self.ports.items()
        )

    def mac_of(self, address: str) -> str | None:
        for port in self.ports.values():
            if port.up and port.carrier and any(item.address == address for item in port.addresses):
                return port.mac
        return None

    def has(self, address: Address) -> bool:
        port = self.ports.get(address.interface)
        return port is not None and address in port.addresses

    def add(self, address: Address) -> None:
        port = self.ports.get(address.interface)
        if port is None:
            text = f"{address.address}/{address.prefix} on {address.interface}: no such interface"
            raise OSError(errno.ENODEV, text)
        port.added.append(address)
        self.wire.note_owner(address.address, self.name)

    def remove(self, address: Address) -> None:
        port = self.ports[address.interface]
        port.own = tuple(item for item in port.own if item != address)
        port.added = [item for item in port.added if item != address]

    def forget_added(self) -> None:
        for port in self.ports.values():
            port.added.clear()

    def check_usable(self, addresses: Sequence[Address]) -> None:
        """The same refusals as on a real wire."""
        usable_macs(addresses, self.interfaces())

    def ask(self, addresses: Sequence[Address]) -> tuple[Answer, ...]:
        found: dict[Answer, None] = {}
        for address in addresses:
            for owner in self.wire.owners(address.address, but=self.name):
                mac = owner.mac_of(address.address)
                if mac is not None:
                    found[Answer(address=address.address, mac=mac)] = None
        return tuple(found)
