"""The first part of a takeover: the asset comes to this node, and the claim with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tanist.model.claim import Claim
from tanist.model.definition import Controller
from tanist.model.standing import Standing
from tanist.model.steps import HoldClaim, MapTree, MountTree, Plan, PlannedStep, Reboot, StepSpec
from tanist.plan.idmap import Moved, build_idmap


def number_steps(part: str, steps: Iterable[tuple[str, StepSpec]]) -> tuple[PlannedStep, ...]:
    return tuple(
        PlannedStep(id=f"{part}.{n}", says=says, direction="apply", spec=spec)
        for n, (says, spec) in enumerate(steps, start=1)
    )


def build_acquire(controller: Controller, standing: Standing, claim: Claim) -> Plan:
    """Mount the tree, ids mapped by name."""
    steps: list[tuple[str, StepSpec]] = []
    idmap, moved = build_idmap(claim.users, standing.users, claim.groups, standing.groups)
    ids = describe_ids(moved)
    if controller.asset.kind == "filesystem":
        mount = MountTree(
            device=controller.asset.device,
            target=controller.tree,
            fstype=controller.asset.fstype,
            options=controller.asset.options,
            idmap=idmap,
        )
        steps.append((f"mount {controller.asset.device} at {controller.tree}{ids}", mount))
    elif idmap is not None:
        steps.append((f"see {controller.tree} through an id map{ids}", MapTree(target=controller.tree, idmap=idmap)))
    return Plan(title="acquire: the asset comes to this node", steps=number_steps("acquire", steps))


def build_claim(controller: Controller, node: str, claim: Claim, run: str, epoch: int) -> Plan:
    """Raise the epoch; the same epoch: this node holds the claim already."""
    hold = HoldClaim(
        tree=controller.tree, controller=controller.name, node=node, epoch=epoch, run=run, over=claim.epoch
    )
    verb = "keep" if claim.epoch == epoch else "raise"
    says = f"{verb} the claim: {node} holds {controller.name}, epoch {epoch}"
    return Plan(title="claim: the asset is this node's", steps=number_steps("claim", [(says, hold)]))


def build_reboot(standing: Standing) -> Plan:
    steps = [("restart this machine; the run goes on after the boot", Reboot(boot_id=standing.boot_id))]
    return Plan(title="reboot", steps=number_steps("reboot", steps))


def describe_ids(moved: tuple[Moved, ...]) -> str:
    if not moved:
        return ""
    named = sorted({f"{one.name} {one.on_disk}->{one.here}" for one in moved if one.name})
    closing = sorted({f"{one.on_disk}->{one.here}" for one in moved if not one.name})
    also = f"; to keep the map whole also {', '.join(closing)}" if closing else ""
    return f", ids by name ({', '.join(named)}{also})"
