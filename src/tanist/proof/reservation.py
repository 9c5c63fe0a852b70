"""Persistent reservations as a proof: what they say of who may write to the asset's disks. Looks, and judges.

FENCED: read back, nobody but this node is registered, and it holds a reservation in which only who is registered
writes. Its `at` stays 0 for one that was just found: it proves, but lifts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.reservation import read_reservation
from tanist.model.evidence import Evidence, Says
from tanist.model.reservation import GUARDS, Reservation, describe_key, parse_key
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller


def look_at_reservation(host: Host, controller: Controller, me: str, device: str) -> Evidence:
    begun = host.monotonic()
    found = read_reservation(host, device, controller.proof.reservation_timeout)
    says, detail = judge_reservation(found, controller, me)
    seconds = host.monotonic() - begun
    return Evidence(source="reservation", about=device, says=says, detail=detail, seconds=seconds)


def judge_reservation(found: Reservation | Unread, controller: Controller, me: str) -> tuple[Says, str]:
    if isinstance(found, Unread):
        return Says.UNKNOWN, f"cannot tell: {found.why}"
    names = [node.name for node in controller.nodes]
    owners = [parse_key(key, controller.name, names) for key in dict.fromkeys((*found.keys, found.holder)) if key]
    if owners and found.holder and found.kind in GUARDS and all(one and one.node == me for one in owners):
        return Says.FENCED, f"read back: only {describe_reservation(found, controller)}"
    if not found.keys and not found.holder:
        return Says.RELEASED, "nobody has reserved it: every node may write"
    return Says.HELD, describe_reservation(found, controller)


def describe_reservation(found: Reservation, controller: Controller) -> str:
    """For people: whose keys are there, how many paths of each, and who holds it."""
    names = [node.name for node in controller.nodes]
    counts = {key: found.keys.count(key) for key in dict.fromkeys(found.keys)}
    keys = ", ".join(
        describe_key(key, controller.name, names) + (f" ({count} paths)" if count > 1 else "")
        for key, count in counts.items()
    )
    if not found.holder:
        return f"{keys or 'nobody'} registered, nobody holds it"
    if tuple(counts) == (found.holder,):
        return f"{keys}, which holds it: {found.kind}"
    holder = describe_key(found.holder, controller.name, names)
    return f"{keys or 'nobody'} registered; {holder} holds it: {found.kind}"
