"""At a boot: disks come when their adapter has found them, those of a log-in and the maps of their paths a while after
that, a filer after the network."""

from __future__ import annotations

from tanist.facts.device import Place, resolve
from tanist.facts.kinds import kind_of
from tanist.model.unread import Unread
from tanist.runs.session import Session

PATIENCE = 60.0  # seconds
OTHERS = 10.0  # seconds, where some are there: a mirror comes up with one
NOWHERE = Place(device="", offset=0, size=0)


def wait_for_disks(session: Session) -> None:
    """Returns at the latest after PATIENCE. What only the owner sees is not waited for: no boot brings it."""
    host, asset = session.host, session.controller.asset
    layers = [layer for layer in asset.layers if layer.whole and not layer.exclusive]
    disks = () if asset.exclusive else asset.disks
    begun = host.monotonic()
    while True:
        lacking = [disk for disk in disks if resolve(host, disk) is None]
        late = any(isinstance(kind_of(one).find_place(host, one, NOWHERE), Unread) for one in layers)
        if not lacking and not late and not is_away(session):
            return
        some = bool(lacking) and len(lacking) < len(disks) and not late
        if host.monotonic() - begun >= (OTHERS if some else PATIENCE):
            return
        host.sleep(1.0)


def is_away(session: Session) -> bool:
    if session.controller.asset.kind != "nfs":
        return False
    from tanist.facts.exports import look  # most assets are not

    return isinstance(look(session.host, session.controller.asset), Unread)
