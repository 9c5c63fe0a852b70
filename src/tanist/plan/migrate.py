"""Moving an installed server's tree onto the asset, and back. Pure.

Two parts: the first while the server is at work, the second while it stands still, as short as it can be: only what
changed since is copied and compared once more.
"""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.asset_steps import CompareTrees, CopyTree, MarkCopy, MountBeside, SetAside
from tanist.model.dataclasses import dataclass, replace
from tanist.model.definition import Controller
from tanist.model.host import Mount
from tanist.model.steps import ArmCron, Plan, PlannedStep, StepSpec
from tanist.plan import places
from tanist.plan.acquire import mount_tree
from tanist.plan.assume import starting
from tanist.plan.layers import build_layers
from tanist.plan.release import describe_undo, numbered

Named = tuple[str, StepSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From the old tree to the asset, or back."""

    source: str
    target: str
    asset: str  # one of the two


def forth(controller: Controller) -> Way:
    beside = places.beside(controller.name)
    return Way(source=controller.tree, target=beside, asset=beside)


def back(controller: Controller) -> Way:
    beside = places.beside(controller.name)
    return Way(source=beside, target=places.aside(controller.tree), asset=beside)


def build_copy(controller: Controller, way: Way, uuid: str) -> Plan:
    """While the server is at work. What is written meanwhile is for the second copy, and for the second part.

    `uuid`: of the asset's file system."""
    steps: list[Named] = [*build_layers(controller.asset), _beside(controller)]
    if way.target == way.asset:
        mark = MarkCopy(target=way.target, uuid=uuid, note=places.copied(controller.name))
        steps.append(("see that it is empty, or holds an earlier copy of this tree", mark))
    steps += [_copy(way, last=False), _copy(way, last=False), _compare(controller, way, last=False)]
    return Plan(title="copy: the server is at work meanwhile", steps=numbered("copy", map(_forward, steps)))


def build_move(controller: Controller, run: str, old: Mount | None) -> Plan:
    """`old`: where the tree is a file system of its own."""
    way = forth(controller)
    mount = mount_tree(controller)
    if old is None:
        put = SetAside(tree=controller.tree, aside=places.aside(controller.tree))
        said = f"set the old tree aside, as {put.aside}"
    else:
        put = SetAside(tree=controller.tree, aside="", device=old.source, options=",".join(old.options))
        said = f"unmount the old tree, {old.source}"
    steps = [
        *_still(controller, run, way),
        _backward(_beside(controller)),
        _forward((said, put)),
        _forward((f"mount {mount.device} at {mount.target}", mount)),
        *_at_work(controller, run),
    ]
    return Plan(title="move: the server stands still meanwhile", steps=numbered("move", steps))


def build_move_back(controller: Controller, run: str) -> Plan:
    put = SetAside(tree=controller.tree, aside=places.aside(controller.tree))
    steps = [
        *_still(controller, run, back(controller)),
        _backward((f"mount the asset at {controller.tree}", mount_tree(controller))),
        replace(_backward(("", put)), says=f"put {put.aside} back at {put.tree}"),
        _backward(_beside(controller)),
        *_at_work(controller, run),
    ]
    return Plan(title="move back: the server stands still meanwhile", steps=numbered("move", steps))


def _still(controller: Controller, run: str, way: Way) -> Iterator[PlannedStep]:
    """After a boot in between the asset is there again before anything is copied."""
    yield from map(_forward, build_layers(controller.asset))
    yield _forward(_beside(controller))
    if controller.cron:
        yield _backward(_cron(controller, run))
    yield from map(_backward, reversed([*_services(controller)]))
    yield _forward(_copy(way, last=True))
    yield _forward(_compare(controller, way, last=True))


def _at_work(controller: Controller, run: str) -> Iterator[PlannedStep]:
    yield from map(_forward, _services(controller))
    if controller.cron:
        yield _forward(_cron(controller, run))


def _services(controller: Controller) -> Iterator[Named]:
    for one in controller.services:
        yield starting(one)


def _cron(controller: Controller, run: str) -> Named:
    parked = places.parked_cron(controller.name, run)
    return f"arm cron: {', '.join(controller.cron)}", ArmCron(paths=controller.cron, store="", own="", parked=parked)


def _beside(controller: Controller) -> Named:
    asset, target = controller.asset, places.beside(controller.name)
    spec = MountBeside(device=asset.device, target=target, fstype=asset.fstype, options=asset.mount_options)
    return f"mount {asset.device} at {target}, where only root sees it", spec


def _copy(way: Way, *, last: bool) -> Named:
    spec = CopyTree(source=way.source, target=way.target, asset=way.asset, last=last)
    return f"copy {'the last difference' if last else 'what differs'} from {way.source} to {way.target}", spec


def _compare(controller: Controller, way: Way, *, last: bool) -> Named:
    notes = places.same(controller.name)
    spec = CompareTrees(source=way.source, target=way.target, asset=way.asset, last=last, notes=notes)
    what = "that every byte and attribute is the same" if last else "what is the same by now, byte for byte"
    return f"see {what}", spec


def _forward(named: Named) -> PlannedStep:
    return PlannedStep(id="", says=named[0], direction="apply", spec=named[1])


def _backward(named: Named) -> PlannedStep:
    return PlannedStep(id="", says=describe_undo(named[1]), direction="undo", spec=named[1])
