"""Mount guards as `tanist proofs` tells them: they prove nothing, and cost what they wait. Only looks."""

from __future__ import annotations

from tanist.facts.device import Place
from tanist.facts.lvm import read_group
from tanist.facts.storage import read_marks
from tanist.host.host import Host
from tanist.model.definition import Controller, LvmLayer
from tanist.model.unread import Unread
from tanist.runs.finding import Finding


def find_guards(host: Host, controller: Controller) -> list[Finding]:
    """What keeps two nodes from using the asset at once, layer by layer; none of it stops one that does already."""
    volumes = [layer for layer in controller.asset.layers if isinstance(layer, LvmLayer)]
    return [*(find_system_id(host, layer) for layer in volumes), find_mmp(host, controller)]


def find_system_id(host: Host, layer: LvmLayer) -> Finding:
    """Whose group it is by LVM's own metadata, read from the disk (lvmsystemid(7))."""
    if not layer.disk:
        what = "lies on another layer: its system id is read once that is put together"
        return Finding(engine="mount guard", about=layer.group, state="not set up", detail=what)
    group = read_group(host, Place(device=layer.disk, offset=0, size=0))
    if isinstance(group, Unread):
        return Finding(engine="mount guard", about=layer.group, state="fails", detail=group.why)
    if not group.system_id:
        what, mend = "has no system id: any machine may activate it", f"vgchange --systemid NODE {layer.group}"
        return Finding(engine="mount guard", about=layer.group, state="not set up", detail=what, mend=mend)
    detail = f"LVM system id {group.system_id}: no other machine activates it; a takeover makes it its own, at once"
    return Finding(engine="mount guard", about=layer.group, state="ready", detail=detail, at_most=0.0)


def find_mmp(host: Host, controller: Controller) -> Finding:
    """ext4's multiple mount protection, as the super block has it."""
    about = controller.asset.device or controller.tree
    if controller.asset.fstype != "ext4":
        what = f"{controller.asset.fstype or 'a directory'} has none"
        return Finding(engine="mount guard", about=about, state="not set up", detail=what)
    marks = read_marks(host, controller.asset, watch_seconds=0.0)
    if isinstance(marks, Unread):
        return Finding(engine="mount guard", about=about, state="fails", detail=marks.why)
    if marks.mmp is None:
        return Finding(
            engine="mount guard",
            about=about,
            state="not set up",
            detail="ext4 without mmp",
            mend=f"released on all nodes: tune2fs -O mmp -E mmp_update_interval=1 {about}",
        )
    return Finding(
        engine="mount guard",
        about=about,
        state="ready",
        detail=f"ext4 mmp, written every {marks.mmp.interval} s; last by {marks.mmp.node or 'nobody'}",
        at_most=marks.mmp.longest_wait,
    )
