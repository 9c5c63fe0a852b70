"""Mount guards as `tanist proofs` tells them: they prove nothing, and cost what they wait. Only looks."""

from __future__ import annotations

from tanist.facts.kinds import Guard, kind_of
from tanist.facts.storage import read_marks
from tanist.host.host import Host
from tanist.model.definition import Controller
from tanist.model.unread import Unread
from tanist.runs.finding import Finding


def find_guards(host: Host, controller: Controller) -> list[Finding]:
    """What keeps two nodes from using the asset at once, layer by layer; none of it stops one that does already."""
    guards = [guard for layer in controller.asset.layers for guard in kind_of(layer).read_guards(host, layer)]
    return [*map(find_guard, guards), *([] if controller.asset.zfs else [find_mmp(host, controller)])]


def find_guard(guard: Guard) -> Finding:
    return Finding(
        engine="mount guard",
        about=guard.about,
        state="ready" if guard.ready else "fails" if guard.fails else "not set up",
        detail=guard.says,
        mend=guard.mend,
        at_most=0.0 if guard.ready else None,
    )


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
