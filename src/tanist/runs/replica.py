"""A run on a copy that DRBD keeps: whether this node may go on without the other's, and what that may cost.

With a shared disk a node that comes back reads another owner's claim. Here it reads its own copy, in which it holds the
claim for ever; so nothing starts by itself on a copy that does not follow the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.model.errors import NotProved, Refused
from tanist.model.evidence import Evidence, Says
from tanist.model.unread import Unread
from tanist.plan.replica import describe_loss, mend_link, refuse_alone, why_old
from tanist.runs.session import Session

if TYPE_CHECKING:
    from tanist.model.layers import DrbdLayer
    from tanist.model.replica import Replica

BOOT_PATIENCE = 30.0  # seconds that a boot gives two copies to find each other and settle which is newer


def read_own(session: Session) -> tuple[DrbdLayer, Replica] | None:
    """None where the asset is no copy. Refused where DRBD can't be asked: nothing follows from that."""
    layer = session.controller.asset.replicated
    if layer is None:
        return None
    from tanist.facts.drbd import read_replica  # most assets have no layers, and each start would pay for it

    replica = read_replica(session.host, layer)
    if isinstance(replica, Unread):
        raise Refused(f"what DRBD has of {layer.resource} can't be told: {replica.why}")
    return layer, replica


def choose_alone(session: Session, evidence: tuple[Evidence, ...]) -> bool:
    """Whether a takeover may promote this copy without the other one; told with what it may cost. Refused where this
    copy is not whole, or the other one can be asked."""
    found = read_own(session)
    if found is None:
        return False
    _, replica = found
    if replica.linked and replica.peer_role != "Primary":
        return False
    if replica.linked:
        return True  # its owner was proved down a moment ago, and DRBD has yet to notice: it asks before it promotes
    answering = tuple(item.about for item in evidence if item.source == "peer" and item.says is not Says.UNKNOWN)
    if why := refuse_alone(replica, answering):
        raise Refused(f"{why}; nothing was changed on {session.node}", next_step=mend_link(replica))
    from tanist.facts.drbd import read_link_lost

    peer = ", ".join(node.name for node in session.controller.peers(session.node))
    session.note(f"warning: {describe_loss(replica, peer, read_link_lost(session.host, replica.resource))}")
    return True


def wait_for_link(session: Session) -> None:
    """At a boot: the copies need a while to find each other. Returns at the latest after BOOT_PATIENCE."""
    deadline = session.host.monotonic() + BOOT_PATIENCE
    while (found := read_own(session)) and not found[1].linked and session.host.monotonic() < deadline:
        if found[1].connection == "StandAlone":
            return
        session.host.sleep(1.0)


def demand_link(session: Session) -> None:
    """For what starts by itself. NotProved where this node's copy may be old, whatever it says of the owner."""
    found = read_own(session)
    if found is None or found[1].linked:
        return
    name, replica = session.name, found[1]
    others = ", ".join(node.name for node in session.controller.peers(session.node))
    old = why_old(replica) or f"the copy on this node does not follow the other one ({replica.states})"
    raise NotProved(
        f"the claim says that {session.node} is the owner, but {old}: {others} may have taken over since",
        next_step=f"{mend_link(replica)}; once it is UpToDate and Connected: systemctl restart tanist@{name}\n"
        f"or, if you know that {others} is down and has nothing newer: tanist release {name}, "
        f"then tanist takeover {name} --attest TEXT",
    )


def why_cut_off(session: Session) -> str:
    """Why nothing that this node's copy says may be acted upon; "" where it may."""
    found = read_own(session)
    return "" if found is None else why_old(found[1])


def is_linked(session: Session) -> bool:
    """True too where there are no copies. False where it can't be told."""
    try:
        found = read_own(session)
    except Refused:
        return False
    return found is None or found[1].linked


def warn_unlinked(session: Session) -> None:
    """Before a release: what is written last must reach the other copy, or it is missing there."""
    found = read_own(session)
    if found is not None and not found[1].linked:
        session.note(
            f"warning: nothing of this reaches the other copy ({found[1].states}): another node can take it over only "
            f"once the copies follow each other again: {mend_link(found[1])}"
        )


def demand_peer_copy(session: Session) -> None:
    """For a switchover: Refused where the target's copy, that is the other one, would not have everything."""
    found = read_own(session)
    if found is None:
        return
    _, replica = found
    if not replica.linked or replica.peer_disk != "UpToDate":
        raise Refused(
            f"the copies do not follow each other ({replica.states}): a switchover would lose what only one has",
            next_step=mend_link(replica),
        )
