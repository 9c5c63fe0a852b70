"""The acquire part of the very first run: a new asset gets its claim. Pure."""

from __future__ import annotations

from tanist.model.definition import Controller
from tanist.model.standing import Standing
from tanist.model.steps import HoldClaim, InitAsset, Plan, StepSpec
from tanist.plan.acquire import build_lease, build_reserve, mount_tree, number_steps
from tanist.plan.layers import build_disks, build_stack


def build_first_acquire(
    controller: Controller, standing: Standing, run: str, *, epoch: int = 1, undone: str = ""
) -> Plan:
    """The numbers that this node has for the accounts are those of the disk, for good. `undone`: the `init` whose
    claim, of the epoch before, is taken up."""
    steps: list[tuple[str, StepSpec]] = [*build_lease(controller, standing.node, epoch, run, stopped="")]
    steps += build_disks(controller.asset)
    steps += build_reserve(controller, standing.node, epoch, keep=False)
    steps += build_stack(controller.asset)
    if controller.asset.mounted:
        steps.append((f"mount {controller.asset.device} at {controller.tree}", mount_tree(controller)))
    made = InitAsset(
        tree=controller.tree,
        controller=controller.name,
        node=standing.node,
        run=run,
        users=standing.users,
        groups=standing.groups,
        undone=undone,
    )
    steps.append((f"write the first claim into {controller.tree}/.tanist", made))
    hold = HoldClaim(
        tree=controller.tree, controller=controller.name, node=standing.node, epoch=epoch, run=run, over=epoch - 1
    )
    steps.append((f"hold the claim: {standing.node}, epoch {epoch}", hold))
    return Plan(title="acquire: the asset gets its claim", steps=number_steps("acquire", steps))
