"""The lease as `tanist proofs` tells it. Only looks."""

from __future__ import annotations

from tanist.facts.lease import lockspace_name, read_daemon
from tanist.model.definition import Lease, Node
from tanist.model.unread import Unread
from tanist.proof.lease import read_lease
from tanist.runs.finding import Finding, State, sets_with
from tanist.runs.session import Session


def find_leases(session: Session) -> list[Finding]:
    lease = session.controller.proof.lease
    if lease is not None:
        return [find_lease(session, lease, node) for node in session.controller.nodes]
    mend = f"4 MiB that all nodes see; [proof.lease] device = ...; on each: tanist lease init {session.name}"
    return [Finding(engine="lease", about="sanlock", state="not set up", detail="no lease is defined", mend=mend)]


def find_lease(session: Session, lease: Lease, node: Node) -> Finding:
    """As this node sees it: of the others what their lease says now, of itself whether it could take it."""
    controller, host = session.controller, session.host
    alone = True
    begun = host.monotonic()
    if node.name == session.node:
        state, detail, mend = _own_lease(session, lease)
    else:
        sight = read_lease(host, controller, node.name)
        alone = not sight.weakness
        weak = f"; alone it proves nothing: {sight.weakness}" if sight.weakness else ""
        state, detail = ("fails" if sight.state == "unknown" else "ready"), f"{sight.detail}{weak}"
        mend = f"tanist lease status {session.name}, there and here" if sight.state == "unknown" else ""
    return Finding(
        engine="lease",
        about=node.name,
        state=state,
        detail=detail,
        seconds=round(host.monotonic() - begun, 3),
        at_most=lease.longest_wait,
        suffices=sets_with(controller, "lease"),
        mend=mend,
        alone=alone,
    )


def _own_lease(session: Session, lease: Lease) -> tuple[State, str, str]:
    daemon = read_daemon(session.host)
    again = f"tanist lease init {session.name}"
    if isinstance(daemon, Unread):
        return "fails", daemon.why, again
    if not daemon.is_in(lockspace_name(session.name)):
        return "fails", f"sanlock runs, but has not joined the lockspace on {lease.device}", again
    dog = "with a watchdog" if daemon.watchdog else "without a watchdog, so that its lease proves nothing alone"
    return "ready", f"in the lockspace, {dog}", ""
