"""At a boot: disks that a log-in shows, and the maps of their paths, come a while after the log-in; a filer, after the
network."""

from __future__ import annotations

from tanist.facts.device import Place
from tanist.facts.kinds import kind_of
from tanist.model.unread import Unread
from tanist.runs.session import Session

PATIENCE = 60.0  # seconds
NOWHERE = Place(device="", offset=0, size=0)


def wait_for_disks(session: Session) -> None:
    """Returns at the latest after PATIENCE. What only the owner sees is not waited for: no boot brings it."""
    host = session.host
    layers = [layer for layer in session.controller.asset.layers if layer.whole and not layer.exclusive]
    deadline = host.monotonic() + PATIENCE
    while any(isinstance(kind_of(one).find_place(host, one, NOWHERE), Unread) for one in layers) or is_away(session):
        if host.monotonic() >= deadline:
            return
        host.sleep(1.0)


def is_away(session: Session) -> bool:
    if session.controller.asset.kind != "nfs":
        return False
    from tanist.facts.exports import look  # most assets are not

    return isinstance(look(session.host, session.controller.asset), Unread)
