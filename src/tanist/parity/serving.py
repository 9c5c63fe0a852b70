"""Does the owner do what clients ask of it now? Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.unread import Unread
from tanist.parity.finding import good, untold, wrong


def check_serving(pair: Pair) -> Iterator[Found]:
    """Of an owner that was asked now. One that is down is told by other findings."""
    owner = pair.owner
    if owner is None or pair.remembered or not owner.active or owner.faults is None:
        return
    if isinstance(owner.faults, Unread):
        yield untold("services", [(owner.node, owner.faults.why)])
        return
    for one in owner.faults:
        says, mend = f"on {owner.node}: {one.says}", f"on {owner.node}: {one.mend}"
        yield wrong("services", says, subject=one.subject, mend=mend)
    if not owner.faults:
        controller = pair.controller
        counts = (len(controller.services), len(controller.identity.addresses), len(controller.health))
        says = "{} services run on {}, {} addresses are there, {} health checks pass"
        yield good("services", says.format(counts[0], owner.node, *counts[1:]))
