"""The tree on a filer: can it be reached, is it mounted where and how it should be, are its clients told apart?
Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.pair import Pair
from tanist.model.readiness import Found, Seen
from tanist.model.readout import Disk, ExportReadout, Readout
from tanist.model.unread import Unread
from tanist.parity.finding import good, untold, wrong


def check_exports(pair: Pair) -> Iterator[Found]:
    if pair.controller.asset.kind != "nfs":
        return
    told = [(one, one.export) for one in pair.known if isinstance(one.export, ExportReadout)]
    for one in pair.known:
        if not isinstance(one.export, ExportReadout):
            why = one.export.why if isinstance(one.export, Unread) else "not told"
            yield untold("asset", [(one.node, why)], subject=one.node)
    for one, export in told:
        yield _check_reach(pair, one, export)
        yield _check_mounts(pair, one, export)
        if export.wrong:
            says = f"on {one.node} {pair.controller.asset.device} is mounted with {'; '.join(export.wrong)}"
            yield wrong("export options", says, subject=one.node)
    if len(told) > 1:
        yield _check_clients(told)


def _check_reach(pair: Pair, one: Readout, export: ExportReadout) -> Found:
    name = pair.controller.asset.device
    if not export.helper:
        says = f"{one.node} has no mount.nfs4, without which {name} can't be mounted"
        return wrong("asset", says, subject=one.node, mend="apt install nfs-common (nfs-utils)")
    if isinstance(one.disk, Disk) and not one.disk.supported:
        return wrong("asset", f"the kernel of {one.node} does not know NFSv4", subject=one.node)
    if export.unread:
        return untold("asset", [(one.node, export.unread)], subject=one.node)
    if export.squashed:
        says = f"what root of {one.node} writes to {name} is not root's there: owners can't be kept or moved"
        mend = "on the filer, for both nodes: no_root_squash"
        return wrong("asset", says, subject=one.node, mend=mend)
    lock = f"; its owner's lock is held {export.locked}" if export.locked else ""
    return good("asset", f"{one.node} reads {name}{lock}", subject=one.node)


def _check_mounts(pair: Pair, one: Readout, export: ExportReadout) -> Found:
    """A standby mounts it for the moment of a look only; the owner at the tree."""
    name, tree = pair.controller.asset.device, pair.controller.tree
    more = [place for place in export.mounted_at if not one.active or place != tree]
    if not more:
        return good("export mounts", f"{one.node} has {name} nowhere but where it belongs", subject=one.node)
    says = f"{one.node} has {name} mounted at {', '.join(more)}"
    why = "" if one.active else ", and is not the owner: whoever writes there writes under it"
    return wrong("export mounts", f"{says}{why}", subject=one.node, mend=f"there: umount {more[0]}")


def _check_clients(told: list[tuple[Readout, ExportReadout]]) -> Found:
    names = [export.client for _, export in told]
    seen = [Seen(node=one.node, what=export.client) for one, export in told]
    if len(set(names)) == len(names):
        return good("nfs client", "the filer tells the nodes apart", seen=seen)
    says = f"to the filer both nodes are {names[0]}: a look of one ends the locks of the other"
    return wrong("nfs client", says, seen=seen)
