"""Readiness of a tree on a filer. One thing wrong with a good pair, and just that is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tanist.model.definition import Asset, StoragePolicy
from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.readout import Disk, ExportReadout
from tanist.model.unread import Unread
from tanist.parity.readiness import assess
from tests.unit.parity.besides import OPSCENTER
from tests.unit.parity.pairs import OWNER, PAIR, TAKER

EXPORT = "filer:/srv/oc"
CONTROLLER = replace(
    OPSCENTER,
    asset=Asset(kind="nfs", device=EXPORT, fstype="nfs4"),
    storage=StoragePolicy(redundant_by="two heads"),
    exports=(),
)
DISK = Disk(device=EXPORT, fstype="nfs4")
MINE = ExportReadout(client="tanist-b")
THEIRS = ExportReadout(client="tanist-a", mounted_at=(CONTROLLER.tree,), locked="by ec-a, by its own note")


def pair(taker: Any = MINE, owner: Any = THEIRS, disk: Disk = DISK) -> Pair:
    return replace(
        PAIR,
        controller=CONTROLLER,
        owner=replace(OWNER, export=owner, disk=DISK),
        taker=replace(TAKER, export=taker, disk=disk),
    )


def of_exports(it: Pair) -> list[Found]:
    kinds = ("asset", "export mounts", "export options", "nfs client")
    return [one for one in assess(it).found if one.kind in kinds]


def test_a_good_pair_has_nothing_to_mend() -> None:
    found = of_exports(pair())
    assert [one.name for one in found if one.grade != "good"] == []
    assert {one.name for one in found} == {
        *("asset ec-a", "asset ec-b", "export mounts ec-a", "export mounts ec-b", "nfs client")
    }
    assert "its owner's lock is held by ec-a" in next(one.says for one in found if one.name == "asset ec-a")


BAD: dict[str, tuple[Pair, str, str]] = {
    "no helper": (pair(replace(MINE, helper=False)), "asset ec-b", "no mount.nfs4"),
    "an old kernel": (pair(disk=replace(DISK, supported=False)), "asset ec-b", "does not know NFSv4"),
    "away": (pair(replace(MINE, unread="no answer")), "asset ec-b", "cannot tell: ec-b: no answer"),
    "squashed": (pair(replace(MINE, squashed=True)), "asset ec-b", "is not root's there"),
    "not told": (pair(None), "asset ec-b", "not told"),
    "unread": (pair(Unread("mounts: no")), "asset ec-b", "mounts: no"),
    "both mounted": (
        pair(replace(MINE, mounted_at=("/mnt",))),
        "export mounts ec-b",
        f"ec-b has {EXPORT} mounted at /mnt, and is not the owner",
    ),
    "mounted at the tree of a standby": (
        pair(replace(MINE, mounted_at=(CONTROLLER.tree,))),
        "export mounts ec-b",
        "is not the owner",
    ),
    "mounted twice": (
        pair(owner=replace(THEIRS, mounted_at=("/mnt", CONTROLLER.tree))),
        "export mounts ec-a",
        "mounted at /mnt",
    ),
    "soft": (pair(owner=replace(THEIRS, wrong=("soft: bad",))), "export options ec-a", "soft: bad"),
    "clones": (pair(replace(MINE, client="tanist-a")), "nfs client", "both nodes are tanist-a"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_thing_wrong_is_found_by_name_and_blocks(case: str) -> None:
    it, name, says = BAD[case]
    (found,) = [one for one in of_exports(it) if one.grade != "good"]
    assert (found.name, found.grade) == (name, "blocks")
    assert says in found.says
    assert found.mend


def test_another_kind_of_asset_has_no_such_findings() -> None:
    assert [one.kind for one in of_exports(PAIR)] == ["asset"]
