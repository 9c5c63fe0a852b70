"""The claim that is remembered is the one that counts: of a pool, what lies beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tanist.model.claim import Claim
from tanist.model.host import Mount
from tanist.model.steps import HoldClaim, InitAsset
from tanist.plan import places
from tanist.runs.guard import find_tree, read_claim_now
from tanist.runs.seen import note_claim, read_epoch_seen
from tanist.runs.session import Session
from tanist.steps.claim import apply_hold_claim, apply_init_asset
from tests.unit.facts.zfs.pools import LEDGER, owner_of_a_pool
from tests.vm.definitions import TREE


@pytest.fixture
def slept(tmp_path: Path) -> Session:
    """An owner of a pool that slept while the other node took over: the tree shows it its own memory."""
    host = owner_of_a_pool(tmp_path)
    host.files.make_directory(f"{places.STATE}/ledger")
    session = Session(host=host, controller=LEDGER, node="ec-a", who="root", report=lambda _: None)
    init = InitAsset(tree=TREE, controller="ledger", node="ec-a", run="r0", users=(), groups=())
    mine = HoldClaim(tree=TREE, controller="ledger", node="ec-a", epoch=1, run="r1", over=0)
    apply_init_asset(init, session.context)
    apply_hold_claim(mine, session.context)
    memory = host.files.read(f"{TREE}/.tanist/claim")
    other = HoldClaim(tree=TREE, controller="ledger", node="ec-b", epoch=2, run="r2", over=1)
    apply_hold_claim(other, session.context)
    host.files.write(f"{TREE}/.tanist/claim", memory)
    return session


def test_a_pools_owner_that_slept_finds_the_other_ones_claim(slept: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Mount(target=TREE, source="ledger/tree", fstype="zfs", root="/", options=(), device="0:77")
    monkeypatch.setattr(slept.host, "mounts", lambda: (tree,))
    assert find_tree(slept) == TREE
    found = read_claim_now(slept)
    assert isinstance(found, Claim) and (found.node, found.epoch) == ("ec-b", 2)


def test_a_pools_owner_that_slept_does_not_remember_its_own_claim_as_the_last(slept: Session) -> None:
    assert read_epoch_seen(slept) == 0
    note_claim(slept)
    assert read_epoch_seen(slept) == 2
    assert json.loads(slept.host.files.read(places.claim_seen("ledger")))["node"] == "ec-b"
