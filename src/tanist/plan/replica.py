"""What a replica's states allow, and what to say of them to a person. Pure.

Two questions that a shared disk does not have. Is what this copy says what the controller says now (`why_old`)? And may
this copy be the one that counts, without the other having been asked (`refuse_alone`)? Nothing here decides between
two copies: that is a person's.
"""

from __future__ import annotations

from tanist.model.replica import Replica

USABLE = ("UpToDate", "Consistent")  # of one moment, and whole; nothing tells how long ago that was


def why_old(replica: Replica) -> str:
    """Why nothing may be concluded from what lies on this node's copy; "" where it may."""
    if replica.current:
        return ""
    if not replica.role:
        return f"the DRBD resource {replica.states}, so that its copy follows nobody and may be old"
    if replica.disk != "UpToDate":
        return f"the copy on this node is {replica.disk} ({replica.states})"
    return f"the copy on this node does not follow the other one ({replica.states}), and may be old"


def mend_link(replica: Replica) -> str:
    """What makes the copies follow each other again where nothing is wrong but that."""
    name = replica.resource
    if not replica.role:
        return f"drbdadm up {name}, on both nodes"
    if replica.connection == "StandAlone":
        return (
            f"drbdadm connect {name}, on both nodes; where the kernel's log has Split-Brain, decide first: tanist check"
        )
    if replica.disk in ("Inconsistent", "Outdated") and replica.connection != "WFConnection":
        return f"wait until it is UpToDate: drbdadm wait-sync {name}"
    return f"the other node up, its {name} up, and the network between them"


def refuse_alone(replica: Replica, answering: tuple[str, ...]) -> str:
    """Why this copy must not be made the one that counts without the other; "" where a verdict alone decides.
    `answering`: other nodes that gave their word."""
    name = replica.resource
    if replica.role and replica.disk not in USABLE:
        return (
            f"the copy on this node is {replica.disk or 'not attached'} ({replica.states}): what the controller wrote "
            "is not all here, and may not even be of one moment"
        )
    if replica.connection == "StandAlone":
        return (
            f"{name} is StandAlone: somebody disconnected it, or the kernel found that both copies were written to "
            "without each other (split brain), and this copy may be the one to throw away"
        )
    if answering:
        return (
            f"{', '.join(answering)} answers, but the copies do not follow each other ({replica.states}): what was "
            "written there since may be missing here"
        )
    return ""


def describe_loss(replica: Replica, peer: str, since: str) -> str:
    """What a takeover by this copy alone may cost."""
    when = f"since {since}" if since else "since a moment that the kernel's log does not tell"
    text = (
        f"the copy on this node has not followed that of {peer} {when}: whatever {peer} acknowledged later is not here"
    )
    if replica.protocol in ("A", "B"):
        return f"{text}, and with protocol {replica.protocol} the last writes before, either"
    return text


def explain_apart(resource: str, nodes: tuple[str, str]) -> str:
    """Split brain: every choice with what to type for it. Taking one of them is a person's."""
    keep = "; ".join(_keep(resource, kept, lost) for kept, lost in (nodes, nodes[::-1]))
    return f"decide whose data stays, save the other's first (dd of its disk, {resource} down): {keep}"


def _keep(resource: str, kept: str, lost: str) -> str:
    throw = f"drbdadm disconnect {resource}; drbdadm secondary {resource}; drbdadm connect --discard-my-data {resource}"
    return f"to keep {kept}'s and throw {lost}'s away: on {lost}: {throw}   then on {kept}: drbdadm connect {resource}"
