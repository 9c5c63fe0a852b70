"""The first part of a takeover: the asset comes to this node, and the claim with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tanist.model.claim import Claim
from tanist.model.definition import Controller
from tanist.model.host import IdMap
from tanist.model.standing import Standing
from tanist.model.steps import (
    CheckFileSystem,
    CreateGroup,
    CreateUser,
    FreeMmp,
    HoldClaim,
    MapTree,
    MountHidden,
    MountTree,
    Plan,
    PlannedStep,
    Reboot,
    Reserve,
    StepSpec,
    TakeLease,
)
from tanist.model.storage import MmpMark
from tanist.plan import places
from tanist.plan.idmap import describe_ids
from tanist.plan.layers import build_disks, build_stack
from tanist.plan.ownership import Ownership, choose_ownership
from tanist.plan.release import numbered

Named = tuple[str, StepSpec]


def number_steps(part: str, steps: Iterable[tuple[str, StepSpec]]) -> tuple[PlannedStep, ...]:
    return numbered(part, (PlannedStep(id="", says=says, direction="apply", spec=spec) for says, spec in steps))


def build_acquire(
    controller: Controller,
    standing: Standing,
    claim: Claim,
    *,
    epoch: int = 0,
    run: str = "",
    mmp: MmpMark | None = None,
    stopped: str = "",
    holder: str = "",
    alone: bool = False,
    check: bool = False,
) -> Plan:
    """The accounts that this node lacks, and the tree, ids mapped by name; hidden where it is to be re-owned first.

    `mmp`: what the file system says of its last user; `stopped`: by what strong proof that one is stopped; `holder`:
    who has the lease by the disk; `alone`: this node's copy counts without the other one. `epoch`: what the reservation
    is for, 0: the claim's next. Reserved once the disks are there and before anything is put together: nobody else
    writes then, so that the mount guard need not be waited for. `check`: the whole file system before it is mounted."""
    ownership = choose_ownership(controller, standing, claim)
    keep = claim.state == "held" and claim.node != standing.node
    reserved = [*build_reserve(controller, standing.node, epoch or claim.epoch + 1, keep=keep)]
    guard = _guard(controller, mmp, stopped or ("reserved" if reserved else ""))
    steps = [*build_lease(controller, standing.node, epoch, run, stopped, holder)]
    steps += [*_accounts(standing), *build_disks(controller.asset), *reserved]
    steps += [*build_stack(controller.asset, alone=alone), *guard]
    if check and controller.asset.kind == "filesystem":
        steps.append(_check_file_system(controller))
    steps += _hide_tree(controller) if ownership.walk else _see_tree(controller, ownership)
    return Plan(title="acquire: the asset comes to this node", steps=number_steps("acquire", steps))


def build_claim(controller: Controller, standing: Standing, claim: Claim, run: str, epoch: int) -> Plan:
    """Raise the epoch; the same epoch: this node holds the claim already. Then the re-owning walk, if there is one."""
    node = standing.node
    hold = HoldClaim(
        tree=controller.tree, controller=controller.name, node=node, epoch=epoch, run=run, over=claim.epoch
    )
    verb = "keep" if claim.epoch == epoch else "raise"
    steps: list[Named] = [(f"{verb} the claim: {node} holds {controller.name}, epoch {epoch}", hold)]
    ownership = choose_ownership(controller, standing, claim)
    if ownership.walk:
        steps.append((ownership.says(controller.tree), ownership.build_step(controller.tree, claim, run)))
        steps += _see_tree(controller, ownership)
    return Plan(title="claim: the asset is this node's", steps=number_steps("claim", steps))


def build_lease(
    controller: Controller, node: str, epoch: int, run: str, stopped: str, holder: str = ""
) -> Iterator[Named]:
    lease = controller.proof.lease
    if lease is not None:
        how = "is stopped" if stopped else f"did not give it back: it may take {lease.lapses_after} s to run out"
        take = TakeLease(controller=controller.name, node=node, epoch=epoch, run=run, free=stopped, over=holder)
        yield f"take the lease on {lease.device}, also where its last holder {how}", take


def _guard(controller: Controller, mmp: MmpMark | None, stopped: str) -> Iterator[Named]:
    if mmp is not None and not mmp.clean and stopped:
        says = f"free {controller.asset.device} from its multiple mount protection, as its last user is stopped"
        yield f"{says} (else the mount waits {mmp.longest_wait:.0f} s)", FreeMmp(device=controller.asset.device)


def build_reserve(controller: Controller, node: str, epoch: int, *, keep: bool) -> Iterator[Named]:
    """`keep`: when the run is undone, because another node has not let go."""
    if controller.proof.reservation is None or not controller.disks:
        return
    spec = Reserve(
        controller=controller.name,
        node=node,
        nodes=tuple(one.name for one in controller.nodes),
        epoch=epoch,
        devices=controller.disks,
        timeout=controller.proof.reservation.timeout,
        keep=keep,
    )
    yield f"reserve {', '.join(spec.devices)} for {node} alone and read it back, epoch {epoch}", spec


def _check_file_system(controller: Controller) -> Named:
    asset = controller.asset
    spec = CheckFileSystem(
        device=asset.device, target=places.hidden(controller.name), fstype=asset.fstype, options=asset.mount_options
    )
    return f"check all of {asset.device}, its journal replayed before; nothing is mended", spec


def describe_wait(mmp: MmpMark | None) -> str:
    """For a person who waits: the mount does not come back before, and why."""
    if mmp is None or mmp.clean:
        return ""
    who = mmp.node or "another node"
    return f"the mount now waits up to {mmp.longest_wait:.0f} s, to see that {who} does not write (ext4 mmp)"


def _accounts(standing: Standing) -> Iterator[Named]:
    for group in standing.new_groups:
        yield f"make the group {group.name}, number {group.gid}", CreateGroup(name=group.name, gid=group.gid)
    for user in standing.new_users:
        yield (
            f"make the account {user.name}, number {user.uid}: no shell, no home, password locked",
            CreateUser(name=user.name, uid=user.uid, gid=user.gid),
        )


def _hide_tree(controller: Controller) -> Iterator[Named]:
    asset, place = controller.asset, places.hidden(controller.name)
    if asset.mounted:
        hidden = MountHidden(device=asset.device, target=place, fstype=asset.fstype, options=asset.mount_options)
        yield f"mount {asset.device} at {place}, where only root sees it", hidden


def _see_tree(controller: Controller, ownership: Ownership) -> Iterator[Named]:
    ids = describe_ids(ownership.mapped)
    if controller.asset.mounted:
        mount = mount_tree(controller, ownership.idmap, places.hidden(controller.name) if ownership.walk else "")
        yield f"mount {controller.asset.device} at {controller.tree}{ids}", mount
    elif ownership.idmap is not None:
        tree = controller.tree
        yield f"see {tree} through an id map{ids}", MapTree(target=tree, idmap=ownership.idmap)


def mount_tree(controller: Controller, idmap: IdMap | None = None, hidden: str = "") -> MountTree:
    asset, tree = controller.asset, controller.tree
    return MountTree(
        device=asset.device, target=tree, fstype=asset.fstype, options=asset.mount_options, idmap=idmap, hidden=hidden
    )


def build_reboot(standing: Standing) -> Plan:
    steps = [("restart this machine; the run goes on after the boot", Reboot(boot_id=standing.boot_id))]
    return Plan(title="reboot", steps=number_steps("reboot", steps))
