"""The claim of a pool, in the tree and beside it: whatever a run is cut off at, a standby and a resume see one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.facts.storage import read_claim_offline
from tanist.host.fake import FakeHost
from tanist.host.fake_world import Crash
from tanist.journal.claimfile import load_claim
from tanist.model.claim import Claim
from tanist.model.errors import Failed
from tanist.model.steps import HoldClaim, InitAsset
from tanist.steps.claim import (
    apply_hold_claim,
    apply_init_asset,
    is_hold_claim_applied,
    undo_hold_claim,
)
from tanist.steps.context import Context
from tests.unit.facts.zfs.pools import LEDGER, PATHS, owner_of_a_pool
from tests.vm.definitions import TREE

INIT = InitAsset(tree=TREE, controller="ledger", node="ec-a", run="r0", users=(), groups=())
HOLD = HoldClaim(tree=TREE, controller="ledger", node="ec-a", epoch=1, run="r1", over=0)
Place = tuple[str, str, int]  # node, state, epoch


@pytest.fixture
def context(tmp_path: Path) -> Context:
    host = owner_of_a_pool(tmp_path)
    made = Context(host=host, controller=LEDGER, node="ec-a")
    apply_init_asset(INIT, made)
    return made


def both(context: Context) -> tuple[Place | str, Place | str]:
    """What a standby finds beside the pool, and what the tree says."""
    found = read_claim_offline(context.host, LEDGER.asset), load_claim(context.host, TREE)
    beside, tree = ((one.node, one.state, one.epoch) if isinstance(one, Claim) else one.why for one in found)
    return beside, tree


def test_a_first_claim_is_in_both_places(context: Context) -> None:
    assert both(context) == (("ec-a", "released", 0),) * 2


@pytest.mark.parametrize("changes", range(8))
def test_an_init_that_is_cut_off_is_finished_by_a_second_one(context: Context, changes: int) -> None:
    for name in "ab":  # as before the first claim
        path = context.host.files.real(f"/dev/{name}")
        with open(path, "r+b") as file:
            file.seek(262144)
            file.write(bytes(8192))
    context.host.files.remove(f"{TREE}/.tanist/claim")
    cut_off(context, changes, lambda _, made: apply_init_asset(INIT, made))
    apply_init_asset(INIT, context)
    assert both(context) == (("ec-a", "released", 0),) * 2


def test_held_and_released_in_both_places(context: Context) -> None:
    apply_hold_claim(HOLD, context)
    assert both(context) == (("ec-a", "held", 1),) * 2
    assert is_hold_claim_applied(HOLD, context)
    undo_hold_claim(HOLD, context)
    assert both(context) == (("ec-a", "released", 1),) * 2
    assert not is_hold_claim_applied(HOLD, context)


@pytest.mark.parametrize("changes", range(12))
def test_a_hold_that_is_cut_off_is_finished_by_a_second_one(context: Context, changes: int) -> None:
    cut_off(context, changes, apply_hold_claim)
    beside, tree = both(context)
    assert beside in (("ec-a", "released", 0), ("ec-a", "held", 1))
    assert tree in (("ec-a", "released", 0), beside), "the tree never says more than what counts"
    apply_hold_claim(HOLD, context)
    assert both(context) == (("ec-a", "held", 1),) * 2


@pytest.mark.parametrize("changes", range(12))
def test_a_release_that_is_cut_off_is_finished_by_a_second_one(context: Context, changes: int) -> None:
    apply_hold_claim(HOLD, context)
    cut_off(context, changes, undo_hold_claim)
    undo_hold_claim(HOLD, context)
    assert both(context) == (("ec-a", "released", 1),) * 2


def test_a_node_that_slept_finds_the_other_ones_claim_and_writes_nothing(context: Context) -> None:
    """The tree shows it its own memory; beside the pool lies what the disk has."""
    apply_hold_claim(HOLD, context)
    memory = context.host.files.read(f"{TREE}/.tanist/claim")
    other = HoldClaim(tree=TREE, controller="ledger", node="ec-b", epoch=2, run="r2", over=1)
    apply_hold_claim(other, context)
    context.host.files.write(f"{TREE}/.tanist/claim", memory)
    assert both(context) == (("ec-b", "held", 2), ("ec-a", "held", 1))
    assert not is_hold_claim_applied(HOLD, context)
    undo_hold_claim(HOLD, context)
    with pytest.raises(Failed, match="the claim moved on: it is held by ec-b, epoch 2"):
        apply_hold_claim(HOLD, context)
    assert both(context) == (("ec-b", "held", 2), ("ec-a", "held", 1))


def test_a_node_without_the_pool_writes_no_claim(context: Context) -> None:
    context.host.files.remove("/proc/spl/kstat/zfs/ledger/state")
    with pytest.raises(Failed, match="not imported on this node"):
        apply_hold_claim(HOLD, context)
    assert both(context)[0] == ("ec-a", "released", 0)
    assert LEDGER.asset.disks == PATHS


def cut_off(context: Context, changes: int, act) -> None:  # type: ignore[no-untyped-def]
    host = context.host
    assert isinstance(host, FakeHost)
    host.crash_after(changes)
    try:
        act(HOLD, context)
    except Crash:
        host.revive()
    else:
        host.crash_after(10**6)
