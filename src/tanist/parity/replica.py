"""Two copies of one device (DRBD): do they follow each other, and which of them is the newer one. Pair -> Found.

Each node tells its own kernel's view. Only both views together tell a split brain from a cable that is out.
"""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.pair import Pair
from tanist.model.readiness import Found, Seen
from tanist.model.readout import Readout
from tanist.model.replica import Generations, ReplicaReadout
from tanist.model.unread import Unread
from tanist.parity.finding import good, untold, wrong
from tanist.plan.replica import USABLE, explain_apart, mend_link

MIB = 1 << 20
Told = list[tuple[Readout, ReplicaReadout]]


def check_replica(pair: Pair) -> Iterator[Found]:
    told: Told = []
    for one in pair.known:
        if isinstance(one.replica, Unread):
            yield untold("replica", [(one.node, one.replica.why)], subject=one.node)
        elif one.replica is not None:
            told.append((one, one.replica))
    apart = False
    if len(told) == 2:
        for found in _check_generations(told):
            apart = apart or found.kind == "split brain"
            yield found
    for one, its in told:
        if not apart:
            yield _check_copy(one, its)
        if its.by_name and pair.controller.identity.mode == "host":
            yield _check_names(one, its)


def _check_copy(one: Readout, its: ReplicaReadout) -> Found:
    """How far this copy can be relied on, and what the other node would lack."""
    replica, subject = its.replica, one.node
    says = f"{one.node}: {replica.states}"
    if replica.behind:
        says += f", {max(replica.behind / MIB, 0.1):.1f} MiB differ"
    if replica.linked and replica.peer_disk == "UpToDate":
        return good("replica", says, subject=subject)
    if replica.linked:
        return wrong("replica", f"{says}: the other copy is not whole yet", subject=subject, mend=mend_link(replica))
    if replica.role == "Primary":
        lost = f"not replicated since {its.lost}" if its.lost else "not replicated"
        says = f"{says}: what is written there is {lost}, and a takeover would lose it"
    elif replica.role and replica.disk not in USABLE:
        says = f"{says}: this copy can't be taken over"
    else:
        since = f" since {its.lost}" if its.lost else ""
        says = f"{says}: this copy has followed nobody{since}"
    return wrong("replica", says, subject=subject, mend=mend_link(replica))


def _check_generations(told: Told) -> Iterator[Found]:
    """By what both have in their meta data; nothing to tell while they are connected."""
    (one, mine), (two, theirs) = told
    if mine.replica.linked or theirs.replica.linked:
        return
    if not isinstance(mine.generations, Generations) or not isinstance(theirs.generations, Generations):
        return
    seen = [Seen(node=node.node, what=_describe(its)) for node, its in told]
    name, nodes = mine.replica.resource, (one.node, two.node)
    match mine.generations.compare(theirs.generations):
        case "apart":
            says = f"{name}: the copies of {one.node} and {two.node} were both written to without each other"
            yield wrong("split brain", says, subject=name, seen=seen, mend=explain_apart(name, nodes))
        case "strangers":
            says = f"{name}: the copies of {one.node} and {two.node} have nothing in common"
            mend = f"{explain_apart(name, nodes)}; a copy that was never one: drbdadm create-md {name} there"
            yield wrong("split brain", says, subject=name, seen=seen, mend=mend)
        case "newer":
            yield _newer(name, one.node, two.node, mine, seen)
        case "older":
            yield _newer(name, two.node, one.node, theirs, seen)
        case "same":
            return


def _newer(name: str, newer: str, older: str, its: ReplicaReadout, seen: list[Seen]) -> Found:
    says = f"{name}: {newer} has what {older} lacks, since the copies follow each other no more"
    return wrong("replica", says, subject=name, seen=seen, mend=mend_link(its.replica))


def _describe(its: ReplicaReadout) -> str:
    numbers = ":".join(f"{one:016X}" for one in its.generations.numbers) if its.generations else "no generations"
    return f"{its.replica.states}, {numbers}"


def _check_names(one: Readout, its: ReplicaReadout) -> Found:
    name = its.replica.resource
    says = (
        f"{one.node}: {name} tells its nodes by host name, and the active node has the controller's: DRBD's own "
        "commands and handlers would not find the resource there"
    )
    mend = "in /etc/drbd.d, on both nodes: floating ADDRESS:PORT in the place of on NODE { address ADDRESS:PORT; }"
    return wrong("replication", says, subject=f"{name} names on {one.node}", mend=mend)
