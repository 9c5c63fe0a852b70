"""The claim on the asset: raised before anything else uses the tree, released as the last thing before letting go."""

from __future__ import annotations

from tanist.facts.storage import check_claim_in_place, load_claim_here
from tanist.host.clock import timestamp
from tanist.journal.claimfile import create_claim, load_claim, save_claim, settle
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed
from tanist.model.steps import HoldClaim, InitAsset
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.storage import tree_place


def apply_init_asset(spec: InitAsset, context: Context) -> None:
    """Refuses an asset that has a claim already: an existing controller is taken over, not begun again. One that an
    undone `init` left is taken up, with its epoch."""
    host = context.host
    found = load_claim(host, spec.tree)
    if isinstance(found, Claim):
        if found.run == spec.run:
            save_beside(context, found)
            return
        if not (found.unused and found.run == spec.undone):
            raise Failed(f"the asset at {spec.tree} is in use already: {found.controller}, {found.describe()}")
        mine = replace(found, node=spec.node, since=timestamp(host), run=spec.run, users=spec.users, groups=spec.groups)
        save_claim(host, spec.tree, mine)
        save_beside(context, mine)
        return
    if host.files.exists(f"{spec.tree}/.tanist/claim"):
        raise Failed(f"{spec.tree}/.tanist/claim is there and can't be read: {found.why}")
    host.files.make_directory(f"{spec.tree}/.tanist", 0o700)
    claim = Claim(
        controller=spec.controller,
        node=spec.node,
        epoch=0,
        state="released",
        since=timestamp(host),
        run=spec.run,
        users=spec.users,
        groups=spec.groups,
    )
    create_claim(host, spec.tree, claim)
    save_beside(context, claim)


def apply_hold_claim(spec: HoldClaim, context: Context) -> None:
    claim = read_or_fail(spec, context)
    if not claim.reowning:  # a record that no claim names is a finished walk's
        context.host.forget_reowning(tree_place(context.host, context.controller))
    if claim.epoch == spec.epoch and claim.node == spec.node:
        if claim.state == "held":
            write_both(context, claim)
            return
    elif claim.epoch != spec.over or claim.epoch >= spec.epoch:
        raise Failed(
            f"the claim moved on: it is {claim.describe()}, and this run was made over epoch {spec.over}",
            next_step=f"tanist undo {spec.controller}, then look: tanist status {spec.controller}",
        )
    held = replace(claim, node=spec.node, epoch=spec.epoch, state="held", since=timestamp(context.host), run=spec.run)
    write_claim(context, held)
    settle_in_place(context, held)


def settle_in_place(context: Context, held: Claim) -> None:
    """A standby must find this claim on the raw device, whatever the journal holds (facts/storage.py says when not)."""
    asset = context.controller.asset
    if check_claim_in_place(context.host, asset, held):
        settle(context.host, tree_place(context.host, context.controller))
    if problem := check_claim_in_place(context.host, asset, held):
        raise Failed(f"the claim was written, but another node would not find it on the disk: {problem}")


def write_claim(context: Context, claim: Claim) -> None:
    """What counts first; where that lies beside the file system, the tree has a copy of it."""
    tree = tree_place(context.host, context.controller)
    if context.controller.asset.zfs is None:
        save_claim(context.host, tree, claim)
        return
    save_beside(context, claim)
    if load_claim(context.host, tree) != claim:
        save_claim(context.host, tree, claim)


def write_both(context: Context, claim: Claim) -> None:
    """A run that was cut off may have written one of two."""
    if context.controller.asset.zfs is not None:
        write_claim(context, claim)


def save_beside(context: Context, claim: Claim) -> None:
    """ZFS: the claim beside the pool (facts/zfs/copies.py)."""
    layer = context.controller.asset.zfs
    if layer is not None:
        from tanist.steps.zfs import check_copies, save_copies  # most assets are not

        if check_copies(context.host, layer, claim):
            save_copies(context.host, layer, claim)


def undo_hold_claim(spec: HoldClaim, context: Context) -> None:
    claim = load_own(context)
    if isinstance(claim, Unread) or claim.node != spec.node or claim.epoch != spec.epoch:
        return
    if claim.state == "held":
        write_claim(context, replace(claim, state="released", since=timestamp(context.host), run=spec.run))
    else:
        write_both(context, claim)


def is_hold_claim_applied(spec: HoldClaim, context: Context) -> bool:
    claim = load_own(context)
    return not isinstance(claim, Unread) and claim.is_held_by(spec.node) and claim.epoch == spec.epoch


def read_or_fail(spec: HoldClaim, context: Context) -> Claim:
    claim = load_own(context)
    if isinstance(claim, Unread):
        tree = tree_place(context.host, context.controller)
        raise Failed(f"the claim at {tree} can't be read: {claim.why}")
    if claim.controller != spec.controller:
        raise Failed(f"the asset belongs to the controller {claim.controller!r}, not to {spec.controller!r}")
    return claim


def load_own(context: Context) -> Claim | Unread:
    host, controller = context.host, context.controller
    return load_claim_here(host, controller.asset, tree_place(host, controller))
