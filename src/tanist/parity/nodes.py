"""Could the controller run here as it ran there (A09-A13, A26, A28)? NodeFacts x NodeFacts -> Findings.

Pure: never looks at a machine. A fact that could not be read is a finding that is not ok and says so.
"""

from __future__ import annotations

from tanist.definition.addresses import render_subnet, share_subnet
from tanist.model.definition import Controller, ServiceAddress
from tanist.model.facts import Finding, NodeFacts
from tanist.model.host import Interface

_SAME_ARCHITECTURE = {"amd64": "x86_64", "arm64": "aarch64", "i386": "x86", "i486": "x86", "i586": "x86", "i686": "x86"}


def compare(theirs: NodeFacts, mine: NodeFacts, controller: Controller) -> tuple[Finding, ...]:
    """Every comparison, the good ones too. `theirs` may be what a capture recorded of a node that is dead now."""
    return (
        _compare_architecture(theirs, mine),
        _compare_system(theirs, mine),
        _compare_version(theirs, mine, controller),
        *(_compare_network(theirs, mine, controller, address) for address in controller.identity.addresses),
    )


def _compare_architecture(theirs: NodeFacts, mine: NodeFacts) -> Finding:
    unread = _unread("architecture", theirs, mine, theirs.architecture_unread, mine.architecture_unread)
    if unread:
        return unread
    seen = f"{theirs.node} is {theirs.architecture}, {mine.node} is {mine.architecture}"
    if _class(theirs.architecture) == _class(mine.architecture):
        return _good("architecture", theirs.architecture, mine.architecture, seen)
    return Finding(
        name="architecture",
        ok=False,
        theirs=theirs.architecture,
        mine=mine.architecture,
        says=f"{seen}: programs and data files of one processor class may not work on the other",
        mend=f"use a machine with a {theirs.architecture} processor in place of {mine.node}",
    )


def _compare_system(theirs: NodeFacts, mine: NodeFacts) -> Finding:
    unread = _unread("operating system", theirs, mine, theirs.os_unread, mine.os_unread)
    if unread:
        return unread
    there, here = f"{theirs.os_id} {theirs.os_version}".strip(), f"{mine.os_id} {mine.os_version}".strip()
    seen = f"{theirs.node} runs {there}, {mine.node} runs {here}"
    if there == here:
        return _good("operating system", there, here, seen)
    return Finding(
        name="operating system",
        ok=False,
        theirs=there,
        mine=here,
        says=f"{seen}: configuration and data of one release may not work, or not go back, on the other",
        mend=f"bring {_older(theirs, mine)} to the same operating system release as the other node",
    )


def _compare_version(theirs: NodeFacts, mine: NodeFacts, controller: Controller) -> Finding:
    if controller.version.kind == "none":
        return _good("version", "", "", "the definition names no product version to compare ([version] is not in it)")
    unread = _unread("version", theirs, mine, theirs.version_unread, mine.version_unread)
    if unread:
        return unread
    seen = f"{controller.name} is {theirs.version} on {theirs.node} and {mine.version} on {mine.node}"
    if theirs.version == mine.version and mine.version:
        return _good("version", theirs.version, mine.version, seen)
    return Finding(
        name="version",
        ok=False,
        theirs=theirs.version,
        mine=mine.version,
        says=f"{seen}: another version may refuse the data, or convert it so that there is no way back",
        mend=f"install {theirs.version or 'the same version'} on {mine.node}, updates included",
    )


def _compare_network(theirs: NodeFacts, mine: NodeFacts, controller: Controller, address: ServiceAddress) -> Finding:
    name = f"interface {address.address}"
    unread = _unread(name, theirs, mine, theirs.interfaces_unread, mine.interfaces_unread)
    if unread:
        return unread
    there, here = (_read_side(facts, controller, address) for facts in (theirs, mine))
    wrong, mend = _wrong_with(there, here, address)
    if not wrong:
        says = f"{address.address} fits {here.title}, in {here.subnet} as on {theirs.node}"
        return _good(name, there.subnet, here.subnet, says)
    says = f"{wrong}: clients would not reach {address.address}"
    return Finding(name=name, ok=False, theirs=there.shown, mine=here.shown, says=says, mend=mend)


class _Side:
    """The interface that is to carry one service address, on one node."""

    def __init__(self, node: str, name: str, found: Interface | None, subnets: tuple[str, ...], subnet: str) -> None:
        self.node, self.name, self.found, self.subnets, self.subnet = node, name, found, subnets, subnet

    @property
    def title(self) -> str:
        return f"{self.name} on {self.node}"

    @property
    def shown(self) -> str:
        return f"{self.name}: {', '.join(self.subnets) or 'no address'}" if self.found else f"no {self.name}"


def _read_side(facts: NodeFacts, controller: Controller, address: ServiceAddress) -> _Side:
    name = dict(address.interfaces).get(facts.node, "")
    found = next((interface for interface in facts.interfaces if interface.name == name), None)
    service = {item.address for item in controller.identity.addresses}
    own = [item for item in found.addresses if item.address not in service] if found else []
    subnets = tuple(dict.fromkeys(render_subnet(item.address, item.prefix) for item in own))
    fitting = [item for item in own if share_subnet(address.address, item.address, item.prefix)]
    narrow = max(fitting, key=lambda item: item.prefix, default=None)
    subnet = render_subnet(narrow.address, narrow.prefix) if narrow else ""
    return _Side(facts.node, name, found, subnets, subnet)


def _wrong_with(there: _Side, here: _Side, address: ServiceAddress) -> tuple[str, str]:
    """What is wrong, and what to do; both empty when nothing is."""
    for side in (here, there):
        if side.found is None:
            mend = f"give {side.node} that interface, or name the right one for {side.node} in identity.address"
            return f'{side.node} has no interface "{side.name}"', mend
    assert here.found is not None
    if not here.found.up:
        return f"{here.title} is down", f"ip link set {here.name} up    (on {here.node})"
    if not here.found.carrier:
        return f"{here.title} has no carrier", f"check the cable and switch port of {here.title}"
    for side in (here, there):
        if not side.subnet:
            has = ", ".join(side.subnets) or "no subnet at all"
            mend = f"cable and address {side.title} for the subnet of {address.cidr}, or mend identity.address"
            return f"{side.title} is in {has}, and {address.address} is not in it", mend
    if here.subnet != there.subnet:
        mend = f"give both interfaces the same subnet: {there.subnet}, or {here.subnet}"
        return f"{there.title} is in {there.subnet}, {here.title} in {here.subnet}", mend
    return "", ""


def _good(name: str, theirs: str, mine: str, says: str) -> Finding:
    return Finding(name=name, ok=True, theirs=theirs, mine=mine, says=says)


def _unread(name: str, theirs: NodeFacts, mine: NodeFacts, why_theirs: str, why_mine: str) -> Finding | None:
    gaps = [f"{facts.node}: {why}" for facts, why in ((theirs, why_theirs), (mine, why_mine)) if why]
    if not gaps:
        return None
    return Finding(
        name=name,
        ok=False,
        theirs="not read" if why_theirs else "read",
        mine="not read" if why_mine else "read",
        says=f"cannot tell whether both nodes have the same {name.split()[0]}: {'; '.join(gaps)}",
        mend="mend what is named above, then check again",
    )


def _class(architecture: str) -> str:
    return _SAME_ARCHITECTURE.get(architecture, architecture)


def _older(theirs: NodeFacts, mine: NodeFacts) -> str:
    """The node to change: this one, unless the other system is only an older release of the same."""
    same = theirs.os_id == mine.os_id
    older = same and _numbers(theirs.os_version) < _numbers(mine.os_version)
    return theirs.node if older else mine.node


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
