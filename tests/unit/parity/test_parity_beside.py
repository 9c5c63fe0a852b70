"""One difference beside processor, system and version: one finding, of a living owner and of a dead one's capture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist.model.beside import Beside
from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.parity.beside import check_beside
from tests.unit.parity.besides import DIFFERENCES, DROP_IN, OPSCENTER, SAME
from tests.unit.parity.pairs import PAIR

ON_DISK = replace(
    OPSCENTER, asset=replace(OPSCENTER.asset, kind="filesystem", device="/dev/asset1", fstype="ext4", layers=())
)


def pair(theirs: Beside | None = SAME, mine: Beside | None = SAME, **more: object) -> Pair:
    owner = PAIR.owner
    assert owner is not None
    return replace(
        PAIR,
        controller=ON_DISK,
        owner=replace(owner, facts=replace(owner.facts, beside=theirs)),
        taker=replace(PAIR.taker, facts=replace(PAIR.taker.facts, beside=mine)),
        **more,  # type: ignore[arg-type]
    )


def bad(found: Pair) -> list[Found]:
    return [one for one in check_beside(found) if one.grade != "good"]


def test_two_nodes_alike_have_five_good_findings() -> None:
    assert [one.kind for one in check_beside(pair())] == [
        *("unit files", "account entries", "exports", "mounts", "file system"),
    ]
    assert bad(pair()) == []


def test_of_a_capture_that_an_older_tanist_made_nothing_is_said() -> None:
    assert list(check_beside(pair(theirs=None))) == list(check_beside(pair(mine=None))) == []


@pytest.mark.requirement("A29")
@pytest.mark.parametrize("name", DIFFERENCES)
def test_one_difference_is_one_finding(name: str) -> None:
    change, kind, says = DIFFERENCES[name]
    mine = SAME if kind == "file system" else change(SAME)
    theirs = change(SAME) if kind == "file system" else SAME
    (found,) = bad(pair(theirs=theirs, mine=mine))
    assert (found.kind, found.grade) == (kind, "warning")
    assert says in found.says
    assert found.mend


@pytest.mark.requirement("A29")
def test_with_the_owner_dead_the_capture_is_compared() -> None:
    owner = pair().owner
    assert owner is not None
    change, kind, says = DIFFERENCES["a group less"]
    dead = replace(pair(mine=change(SAME)), owner=None, captured=owner.facts)
    (found,) = bad(dead)
    assert (found.kind, says in found.says) == (kind, True)


def test_what_moves_by_itself_is_no_difference() -> None:
    change, _, _ = DIFFERENCES["a drop-in less"]
    moving = replace(ON_DISK, outside=replace(ON_DISK.outside, files=(*ON_DISK.outside.files, DROP_IN)))
    assert bad(replace(pair(mine=change(SAME)), controller=moving)) == []


def test_a_feature_that_came_after_the_takers_kernel_is_named() -> None:
    new = replace(SAME, features=("bigtime", "nrext64"))
    (found,) = bad(old_kernel(new))
    assert found.says == "/dev/asset1 has nrext64 (from Linux 5.19); ec-b runs 5.10.0-8-amd64"


def old_kernel(theirs: Beside) -> Pair:
    made = pair(theirs=theirs)
    return replace(made, taker=replace(made.taker, facts=replace(made.taker.facts, kernel="5.10.0-8-amd64")))


def test_a_feature_without_a_name_is_lacking_in_a_kernel_whose_features_are_all_named() -> None:
    (found,) = bad(pair(theirs=replace(SAME, features=("incompatible:0x40000000",))))
    assert found.says == "/dev/asset1 has incompatible:0x40000000 (of a newer Linux); ec-b runs 6.1.0-18-amd64"


def test_a_feature_without_a_name_cannot_be_told_of_a_kernel_that_is_newer_than_the_names() -> None:
    made = pair(theirs=replace(SAME, features=("incompatible:0x40000000",)))
    newer = replace(made, taker=replace(made.taker, facts=replace(made.taker.facts, kernel="9.1.0")))
    found = next(one for one in bad(newer) if one.kind == "file system")
    assert found.says.startswith("cannot tell: ec-b: features that tanist does not know: incompatible:0x40000000")
