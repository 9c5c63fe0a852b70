"""Who answers for the controller's addresses and for the other nodes' own, on the wire (ARP, neighbour discovery).

In: a host, a controller. Out: evidence for each address. An answer for a service address is a sign of life of the
controller; an answer for a management address is one of the node, unless the node gave its word. No answer is silence
only where an interface with carrier listened, before and after.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tanist.model.dataclasses import dataclass
from tanist.model.evidence import Evidence, Says
from tanist.model.host import Address, Answer, Interface
from tanist.model.unread import Unread
from tanist.proof.looks import Looks

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller


GLANCE = 0.2  # seconds of listening where no proof will rest on silence: an address in use answers in a millisecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One address to be looked at. `node`: whose own it is, "" for a service address."""

    address: str
    prefix: int
    node: str
    interface: str  # "" where this machine has none that could ask
    hindrance: str = ""  # why it is not asked
    ours: bool = False  # this node has it itself

    @property
    def probed(self) -> bool:
        return not self.hindrance and not self.ours


@dataclass(frozen=True, slots=True)
class Heard:
    answers: tuple[Answer, ...]
    seconds: float  # how long was listened, where nobody answered
    deaf: str = ""  # why an answer could have been missed


def choose_targets(host: Host, controller: Controller, me: str) -> tuple[Target, ...]:
    try:
        interfaces = host.interfaces()
    except OSError as error:
        return _targets(controller, me, (), f"interfaces of this node: {error.strerror or error}")
    return _targets(controller, me, interfaces, "")


def _targets(controller: Controller, me: str, interfaces: tuple[Interface, ...], hindrance: str) -> tuple[Target, ...]:
    by_name = {interface.name: interface for interface in interfaces}
    ours = {_canonical(item.address) for interface in interfaces for item in interface.addresses}
    targets = []
    for service in controller.identity.addresses:
        name = dict(service.interfaces).get(me, "")
        why = hindrance or _deafness(by_name.get(name), name)
        mine = _canonical(service.address) in ours
        targets.append(
            Target(address=service.address, prefix=service.prefix, node="", interface=name, hindrance=why, ours=mine)
        )
    for node in controller.peers(me):
        for address in node.management:
            found = _facing(interfaces, address)
            why = hindrance or ("no interface of this node is in its subnet" if found is None else "")
            name, prefix = (found[0].name, found[1]) if found else ("", 0)
            why = why or _deafness(by_name.get(name), name)
            mine = _canonical(address) in ours
            targets.append(
                Target(
                    address=address,
                    prefix=prefix,
                    node=node.name,
                    interface=name,
                    hindrance=why or ("this node has that address itself" if mine else ""),
                )
            )
    return tuple(targets)


def _facing(interfaces: tuple[Interface, ...], address: str) -> tuple[Interface, int] | None:
    """The interface whose subnet holds the address, one that can hear first."""
    wanted = ipaddress.ip_address(address)
    found = [
        (interface, item.prefix)
        for interface in interfaces
        for item in interface.addresses
        if wanted in ipaddress.ip_interface(f"{item.address}/{item.prefix}").network
    ]
    return min(found, key=lambda pair: not (pair[0].up and pair[0].carrier), default=None)


def _deafness(interface: Interface | None, name: str) -> str:
    if interface is None:
        return f"this node has no interface {name or 'for it'}"
    if not interface.up:
        return f"{interface.name} is down"
    return "" if interface.carrier else f"{interface.name} has no carrier"


def _canonical(address: str) -> str:
    return str(ipaddress.ip_address(address))


def addresses_by_interface(targets: tuple[Target, ...]) -> dict[str, tuple[Address, ...]]:
    """What is asked for over each interface."""
    return {
        name: tuple(
            Address(interface=name, address=target.address, prefix=target.prefix)
            for target in targets
            if target.probed and target.interface == name
        )
        for name in sorted({target.interface for target in targets if target.probed})
    }


def look_at_wire(host: Host, interface: str, asked: tuple[Address, ...], seconds: float) -> Heard:
    """Ask for all addresses on one interface; afterwards make sure that it could still have heard an answer."""
    answers = host.probe_addresses(asked, seconds)
    deaf = _deafness({item.name: item for item in host.interfaces()}.get(interface), interface)
    return Heard(answers, seconds, f"{deaf} after the probes" if deaf else "")


class Wire:
    """What was heard for every target."""

    def __init__(
        self, targets: tuple[Target, ...], heard: Mapping[str, Heard | Unread], macs: Mapping[str, str]
    ) -> None:
        self._targets = targets
        self._heard = heard
        self._macs = {mac.lower(): whose for mac, whose in macs.items()}

    @classmethod
    def of(cls, targets: tuple[Target, ...], looks: Looks, macs: Mapping[str, str]) -> Wire:
        names = {target.interface for target in targets if target.probed}
        return cls(targets, {name: looks.result(f"wire {name}", Heard) for name in names}, macs)

    def is_silent(self, node: str) -> bool:
        """All management addresses of the node were asked for, and none answered."""
        states = [self._state(target)[0] for target in self._targets if target.node == node]
        return bool(states) and all(says is Says.SILENT for says in states)

    def service_evidence(self) -> tuple[Evidence, ...]:
        return tuple(self._service_item(target) for target in self._targets if not target.node)

    def _service_item(self, target: Target) -> Evidence:
        says, detail, seconds = self._state(target)
        return Evidence(source="service-address", about=target.address, says=says, detail=detail, seconds=seconds)

    def management_evidence(self, inactive: set[str]) -> tuple[Evidence, ...]:
        """`inactive`: the nodes that said so themselves; that their addresses answer adds nothing to it."""
        return tuple(self._management_item(target, inactive) for target in self._targets if target.node)

    def _management_item(self, target: Target, inactive: set[str]) -> Evidence:
        says, detail, seconds = self._state(target)
        if says is Says.ACTIVE:
            said = target.node in inactive
            says = Says.INACTIVE if said else Says.ALIVE
            detail += (
                ", as is right: it says that it is not active" if said else ", and did not say that it is not active"
            )
        detail = f"{target.address} {detail}"
        return Evidence(source="management-address", about=target.node, says=says, detail=detail, seconds=seconds)

    def _state(self, target: Target) -> tuple[Says, str, float]:
        if target.ours:
            return Says.MINE, "this node has it", 0.0
        if target.hindrance:
            return Says.UNKNOWN, f"could not be asked for: {target.hindrance}", 0.0
        heard = self._heard[target.interface]
        if isinstance(heard, Unread):
            return Says.UNKNOWN, f"could not be asked for: {heard.why}", 0.0
        said = [one for one in heard.answers if _canonical(one.address) == _canonical(target.address)]
        if macs := dict.fromkeys(one.mac for one in said if not one.asks):
            return Says.ACTIVE, f"answers: {', '.join(map(self._whose, macs))}", heard.seconds
        if macs := dict.fromkeys(one.mac for one in said):
            whose = ", ".join(map(self._whose, macs))
            return Says.UNKNOWN, f"was asked for at the same moment by {whose}, so that it is not silent", heard.seconds
        if heard.deaf:
            return Says.UNKNOWN, f"could not be heard: {heard.deaf}", heard.seconds
        return Says.SILENT, f"did not answer on {target.interface} for {heard.seconds:.1f} s", heard.seconds

    def _whose(self, mac: str) -> str:
        """The MAC address and its owner: from `macs`, or because a node's own address has it too."""
        whose = self._macs.get(mac.lower(), "")
        for target in self._targets:
            heard = self._heard.get(target.interface)
            if not whose and target.node and isinstance(heard, Heard):
                same = (item for item in heard.answers if item.mac.lower() == mac.lower())
                if any(_canonical(item.address) == _canonical(target.address) for item in same):
                    whose = target.node
        return f"{mac} ({whose})" if whose else mac
