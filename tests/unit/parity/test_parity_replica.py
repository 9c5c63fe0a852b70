"""Readiness of a pair without a shared disk: what two real kernels said of their copies, a pair of states at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist.model.codec import decode, encode
from tanist.model.definition import Asset, Mode
from tanist.model.layers import DrbdLayer
from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.replica import ReplicaReadout
from tanist.model.unread import Unread
from tanist.parity.readiness import assess
from tests.unit.facts.drbd.test_facts_drbd import case, generations
from tests.unit.parity.besides import OPSCENTER
from tests.unit.parity.hardwares import GOOD as STORAGE
from tests.unit.parity.pairs import OWNER, PAIR, TAKER

LAYER = DrbdLayer(resource="r0", device="/dev/drbd0")
ASSET = Asset(kind="filesystem", device="/dev/drbd0", fstype="ext4", layers=(LAYER,))


def copy(name: str, numbers: str = "", *, lost: str = "", by_name: bool = False) -> ReplicaReadout:
    found = generations(numbers) if numbers else None
    return ReplicaReadout(replica=case(name), generations=found, lost=lost, by_name=by_name)


def pair(owner: ReplicaReadout | Unread, taker: ReplicaReadout | Unread, mode: Mode = "alias") -> Pair:
    identity = replace(OPSCENTER.identity, mode=mode)
    controller = replace(OPSCENTER, asset=ASSET, identity=identity)
    told = replace(OWNER, replica=owner, storage=STORAGE), replace(TAKER, replica=taker, storage=STORAGE)
    return replace(PAIR, controller=controller, owner=told[0], taker=told[1])


def found(it: Pair, *kinds: str) -> list[Found]:
    kinds = kinds or ("replica", "split brain", "replication")
    return [one for one in assess(it).found if one.kind in kinds and one.grade != "good"]


GOOD = pair(copy("owner", "owner"), copy("standby", "standby"))


def test_copies_that_follow_each_other_have_nothing_to_mend() -> None:
    assert found(GOOD, "replica", "split brain", "replication", "redundancy") == []
    says = {one.kind: one.says for one in assess(GOOD).found}
    assert says["redundancy"] == "each node has a whole copy on a disk of its own"


def test_a_cable_that_is_out_is_told_on_both_sides_with_what_would_be_lost() -> None:
    alone = pair(
        copy("owner-alone", "owner-alone", lost="2026-11-23T07:22:10+0000"), copy("standby-alone", "standby-alone")
    )
    says = [one.says for one in found(alone)]
    assert says[0] == "r0: ec-a has what ec-b lacks, since the copies follow each other no more"
    assert "not replicated since 2026-11-23T07:22:10+0000, and a takeover would lose it" in says[1]
    assert "this copy has followed nobody" in says[2]
    assert found(alone, "redundancy")[0].says.startswith("only one copy is whole and of now")


def test_a_split_brain_is_told_apart_from_a_cable_and_explained_with_each_choice() -> None:
    (one,) = found(pair(copy("apart-a", "apart-a"), copy("apart-b", "apart-b")))
    assert (one.kind, one.grade) == ("split brain", "blocks")
    assert one.says == "r0: the copies of ec-a and ec-b were both written to without each other"
    throw = "drbdadm disconnect r0; drbdadm secondary r0; drbdadm connect --discard-my-data r0"
    assert f"to keep ec-a's and throw ec-b's away: on ec-b: {throw}   then on ec-a: drbdadm connect r0" in one.mend
    assert f"to keep ec-b's and throw ec-a's away: on ec-a: {throw}   then on ec-b: drbdadm connect r0" in one.mend
    assert "2D575B2742237386:C887DFA7DEC136EE" in one.seen[0].what


def test_standing_alone_without_the_other_s_word_is_no_split_brain_yet() -> None:
    kinds = {one.kind for one in found(pair(copy("apart-a", "apart-a"), Unread("drbdadm: not found")))}
    assert kinds == {"replica"}


@pytest.mark.parametrize(("name", "says"), [("target", "can't be taken over"), ("outdated", "can't be taken over")])
def test_a_copy_that_is_not_whole_is_named(name: str, says: str) -> None:
    assert any(says in one.says for one in found(pair(copy("owner"), copy(name))))


def test_a_sync_under_way_is_told_with_what_is_left() -> None:
    (one,) = found(pair(copy("owner"), copy("target")))
    assert "508.5 MiB differ" in one.says and one.mend == "wait until it is UpToDate: drbdadm wait-sync r0"


def test_host_names_in_the_resource_do_not_go_with_a_host_name_that_moves() -> None:
    named = copy("owner", by_name=True), copy("standby", by_name=True)
    assert [one.kind for one in found(pair(*named, mode="host"))] == ["replication", "replication"]
    assert found(pair(*named, mode="alias")) == []


def test_what_a_node_tells_of_its_copy_crosses_the_wire() -> None:
    told = copy("owner", "owner", by_name=True)
    assert decode(ReplicaReadout, encode(told)) == told
