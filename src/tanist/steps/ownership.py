"""The re-owning walk and the claim around it: docs/design/ownership.md has the order, and why it may be cut anywhere.

The numbers in the claim are those of the disk, before and after; in between the claim names the record that tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed
from tanist.model.host import Renumber
from tanist.model.unread import Unread
from tanist.steps.claim import load_own, settle_in_place, write_claim
from tanist.steps.storage import mounted_at, refuse_running_services, tree_place

if TYPE_CHECKING:
    from tanist.model.steps import Reown
    from tanist.steps.context import Context

Numbers = tuple[tuple[str, int], ...]
Table = tuple[Numbers, Numbers]
NOTHING = Renumber(users=(), groups=())


def apply_reown(spec: Reown, context: Context) -> None:
    bring_to(spec, context, after(spec), spec.run)


def undo_reown(spec: Reown, context: Context) -> None:
    bring_to(spec, context, before(spec), f"{spec.run}-undo")


def is_reown_applied(spec: Reown, context: Context) -> bool:
    claim = load_own(context)
    return not isinstance(claim, Unread) and not claim.reowning and table(claim) == after(spec)


def bring_to(spec: Reown, context: Context, wanted: Table, token: str) -> None:
    """The disk's numbers as wanted, and the claim telling so. From wherever a walk before was cut off, on any node."""
    host = context.host
    tree = tree_place(host, context.controller)
    claim = load_own(context)
    if isinstance(claim, Unread):
        raise Failed(f"the claim at {tree} can't be read: {claim.why}")
    if claim.reowning or table(claim) != wanted:
        refuse_map(tree, context)
        refuse_running_services(tree, context)
        claim = begin(context, tree, claim, token)
        host.reown(tree, claim.reowning, choose_renumber(spec, table(claim), wanted))
        write_claim(context, replace(claim, users=wanted[0], groups=wanted[1], reowning=""))
    host.forget_reowning(tree)


def begin(context: Context, tree: str, claim: Claim, token: str) -> Claim:
    """The record first, then the claim that names it: where another node finds it without mounting."""
    if claim.reowning:
        return claim
    context.host.begin_reowning(tree, token)
    named = replace(claim, reowning=token)
    write_claim(context, named)
    settle_in_place(context, named)
    return named


def choose_renumber(spec: Reown, found: Table, wanted: Table) -> Renumber:
    """From the claim's numbers to those that are wanted: forward, back, or nowhere but what was recorded."""
    if found == wanted:
        return NOTHING
    if (found, wanted) == (before(spec), after(spec)):
        return spec.renumber
    if (found, wanted) == (after(spec), before(spec)):
        return spec.renumber.inverse
    raise Failed("the numbers in the claim are not those that this run was planned with; tanist undo, and begin again")


def refuse_map(tree: str, context: Context) -> None:
    """Through an id map the walk would see other numbers than those that it records."""
    mount = mounted_at(context.host, tree)
    if mount is not None and "idmapped" in mount.options:
        raise Failed(f"{tree} is mounted through an id map: the disk's own numbers can't be changed there")


def table(claim: Claim) -> Table:
    return claim.users, claim.groups


def before(spec: Reown) -> Table:
    return spec.users_before, spec.groups_before


def after(spec: Reown) -> Table:
    return spec.users_after, spec.groups_after
