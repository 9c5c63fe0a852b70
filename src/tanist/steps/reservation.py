"""The asset's disks are this node's alone: registered, reserved, everybody else's key preempted, and read back.

Nothing counts but what is read back. A foreign key is refused by name. A key of a later epoch, or of the same one that
holds the reservation already, is another node's newer right: a stale node always loses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.reservation import Ways, find_ways, read_reservation
from tanist.model.errors import Failed
from tanist.model.reservation import GUARDS, Reservation, build_key, describe_key, parse_key
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.registering import Disk

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.steps import Reserve

ROUNDS = 6  # looks at one disk; each that does not find it done changes one thing
SETTLE = 0.2  # seconds between two that found no change


def apply_reserve(spec: Reserve, context: Context) -> None:
    for device in spec.devices:
        take(context.host, spec, device)


def undo_reserve(spec: Reserve, context: Context) -> None:
    """`keep`: an owner that did not let go stays shut out, whatever comes of this run; a person ends that."""
    if not spec.keep:
        for device in spec.devices:
            leave(context.host, spec, device)


def is_reserve_applied(spec: Reserve, context: Context) -> bool | None:
    found = [read_reservation(context.host, device, spec.timeout) for device in spec.devices]
    if any(isinstance(one, Unread) for one in found):
        return None
    return all(is_alone(one, own_key(spec)) for one in found if isinstance(one, Reservation))


def own_key(spec: Reserve) -> int:
    return build_key(spec.controller, spec.node, spec.epoch)


def is_alone(found: Reservation, key: int) -> bool:
    """On each path that works, and nobody else on any. NVMe has one registration for all paths."""
    enough = len(found.keys) >= len(found.paths)
    return enough and set(found.keys) == {key} == {found.holder} and found.kind in GUARDS


def take(host: Host, spec: Reserve, device: str) -> None:
    """Until it is read back as this node's alone. Failed with what stands in the way."""
    disk, key, last = open_disk(host, device, spec.timeout), own_key(spec), ""
    for number in range(ROUNDS):
        found = demand(host, device, spec.timeout)
        refuse_rivals(found, spec)
        if is_alone(found, key):
            return
        if number and last == "":
            host.sleep(SETTLE)
        last = change_one(disk, found, key)
    found = demand(host, device, spec.timeout)
    refuse_rivals(found, spec)
    if not is_alone(found, key):
        raise Failed(f"{device} could not be reserved for {spec.node} alone: {last or tell(found, spec)}")


def change_one(disk: Disk, found: Reservation, key: int) -> str:
    """The next thing that is lacking. What went wrong, in words: what came of it is read back."""
    if found.keys.count(key) < len(found.paths):
        sent = disk.register(key)
    elif not found.holder:
        sent = disk.reserve(key)
    elif found.holder != key:
        sent = disk.preempt(key, found.holder)
    elif found.kind not in GUARDS:
        return f"it is reserved in a way that does not shut others out: {found.kind}"
    else:
        sent = disk.preempt(key, next(one for one in found.keys if one != key))
    return "" if sent.outcome == "done" else sent.words


def refuse_rivals(found: Reservation, spec: Reserve) -> None:
    for key in dict.fromkeys((*found.keys, found.holder)):
        owner = parse_key(key, spec.controller, spec.nodes)
        if key and owner is None:
            raise Failed(
                f"{found.device} is reserved or used by somebody else: {key:#x} is no key of {spec.controller}. "
                f"Whose it is: sg_persist --in --read-full-status {found.device}; "
                f"it goes, if you know that nobody needs it, by: tanist proofs {spec.controller} --clear {key:#x}"
            )
        if owner is None or owner.node == spec.node or owner.epoch < spec.epoch:
            continue
        if owner.epoch > spec.epoch or found.holder == key:
            raise Failed(
                f"{found.device} has {owner.node}'s key of epoch {owner.epoch}, and this run is for epoch "
                f"{spec.epoch}: {owner.node} took {spec.controller} over since, or began to and took it back. "
                f"Where it is not active, on {owner.node}: tanist proofs {spec.controller} --clear"
            )


def leave(host: Host, spec: Reserve, device: str) -> None:
    """No key of this node is there any more; where there was none, nothing is done."""
    disk, why = open_disk(host, device, spec.timeout), ""
    for _ in range(ROUNDS):
        found = demand(host, device, spec.timeout)
        own = find_own(found, spec)
        if not own:
            return
        why = disk.unregister(own).words or tell(found, spec)
    raise Failed(f"{device} keeps {spec.node}'s key: {why}")


def find_own(found: Reservation, spec: Reserve) -> int:
    owners = ((key, parse_key(key, spec.controller, spec.nodes)) for key in found.keys)
    return next((key for key, owner in owners if owner and owner.node == spec.node), 0)


def open_disk(host: Host, device: str, timeout: float) -> Disk:
    ways = find_ways(host, device)
    if not isinstance(ways, Ways):
        raise Failed(ways.why)
    return Disk(host=host, ways=ways, timeout=timeout)


def demand(host: Host, device: str, timeout: float) -> Reservation:
    found = read_reservation(host, device, timeout)
    if isinstance(found, Unread):
        raise Failed(f"who may write can't be read: {found.why}")
    return found


def tell(found: Reservation, spec: Reserve) -> str:
    keys = ", ".join(describe_key(key, spec.controller, spec.nodes) for key in dict.fromkeys(found.keys))
    return f"read back: {keys or 'nobody'} registered"
