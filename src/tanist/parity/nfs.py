"""NFS: is there a server, is it the controller's alone, and how long do its clients wait? Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.readout import Readout
from tanist.model.unread import Unread
from tanist.parity.finding import few, good, untold, wrong

NFS_UNITS = ("nfs-server.service", "nfs-kernel-server.service")
LONG_GRACE = 90  # seconds: the kernel's own
FEW = 5


def check_nfs(pair: Pair) -> Iterator[Found]:
    if not pair.controller.exports:
        return
    yield _check_server(pair)
    for one in (pair.owner, pair.taker):
        if one is not None and one.nfs is not None:
            yield from _check_node(one)


def _check_server(pair: Pair) -> Found:
    units = () if isinstance(pair.taker.units, Unread) else pair.taker.units
    there = [name for name in NFS_UNITS if any(one.name == name and one.loaded == "loaded" for one in units)]
    if there:
        return good("nfs server", f"{there[0]} is on {pair.taker.node}")
    return wrong("nfs server", f"{pair.taker.node} has no NFS server")


def _check_node(one: Readout) -> Iterator[Found]:
    found = one.nfs
    if found is None or isinstance(found, Unread):
        why = found.why if found else "not told"
        yield untold("other exports", [(one.node, why)], subject=one.node)
        return
    if found.others:
        says = f"{one.node} exports {few(found.others, FEW, ', ')} besides the controller's directories"
        yield wrong("other exports", says, subject=one.node)
    else:
        yield good("other exports", f"{one.node} exports nothing else", subject=one.node)
    known = [f"{n} s (NFSv{v})" for n, v in ((found.grace, "4"), (found.lockd_grace, "3")) if n]
    says = f"on {one.node} clients that hold locks are waited for up to {' and '.join(known)}"
    if max(found.grace, found.lockd_grace) > LONG_GRACE:
        yield wrong("nfs grace", says, subject=one.node)
    elif known:
        yield good("nfs grace", says, subject=one.node)
