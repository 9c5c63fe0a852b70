"""Two copies of a device: whether what lies on one is believed, whether it may count alone, and what a person is told.

The states are those that two real kernels told (tests/unit/facts/drbd).
"""

from __future__ import annotations

import pytest

from tanist.model.dataclasses import replace
from tanist.model.replica import Replica
from tanist.plan.replica import describe_loss, explain_apart, mend_link, refuse_alone, why_old
from tests.unit.facts.drbd.test_facts_drbd import case

ALONE = case("standby-alone")


@pytest.mark.parametrize("state", ["owner", "standby", "verifying", "owner-alone", "source"])
def test_what_is_written_here_or_follows_the_other_copy_is_believed(state: str) -> None:
    assert why_old(case(state)) == ""


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("not-up", "the DRBD resource r0 is not up on this node, so that its copy follows nobody and may be old"),
        (
            "target",
            "the copy on this node is Inconsistent (r0: SyncTarget, Secondary/Primary, Inconsistent/UpToDate)",
        ),
        (
            "returned",
            "the copy on this node does not follow the other one (r0: WFConnection, Secondary/Unknown, "
            "UpToDate/DUnknown), and may be old",
        ),
    ],
)
def test_a_copy_that_may_be_old_says_why(state: str, says: str) -> None:
    assert why_old(case(state)) == says


@pytest.mark.parametrize(
    ("replica", "mend"),
    [
        (case("not-up"), "drbdadm up r0, on both nodes"),
        (case("apart-a"), "drbdadm connect r0, on both nodes; where the kernel's log has Split-Brain, decide first"),
        (case("outdated"), "drbdadm connect r0, on both nodes"),
        (case("target"), "wait until it is UpToDate: drbdadm wait-sync r0"),
        (replace(ALONE, disk="Outdated"), "the other node up, its r0 up, and the network between them"),
        (ALONE, "the other node up, its r0 up, and the network between them"),
    ],
)
def test_each_state_has_what_mends_it(replica: Replica, mend: str) -> None:
    assert mend_link(replica).startswith(mend)


@pytest.mark.parametrize("state", ["owner", "standby", "owner-alone", "standby-alone", "returned", "source"])
def test_a_whole_copy_may_count_alone_where_nobody_answers_for_the_other(state: str) -> None:
    assert refuse_alone(case(state), ()) == ""


@pytest.mark.parametrize(
    ("replica", "says"),
    [
        (case("target"), "the copy on this node is Inconsistent"),
        (case("fresh"), "the copy on this node is Inconsistent"),
        (case("outdated"), "the copy on this node is Outdated"),
        (replace(ALONE, disk=""), "the copy on this node is not attached"),
        (case("apart-a"), "r0 is StandAlone: somebody disconnected it, or the kernel found that both copies"),
    ],
)
def test_a_copy_that_is_not_whole_or_was_cut_off_never_counts_alone(replica: Replica, says: str) -> None:
    assert refuse_alone(replica, ()).startswith(says)


def test_a_copy_does_not_count_alone_while_the_other_node_can_be_asked() -> None:
    assert refuse_alone(ALONE, ("ec-a", "ec-c")) == (
        "ec-a, ec-c answers, but the copies do not follow each other (r0: WFConnection, Secondary/Unknown, "
        "UpToDate/DUnknown): what was written there since may be missing here"
    )


def test_a_copy_of_one_moment_may_count_alone_however_old_it_is() -> None:
    assert refuse_alone(replace(ALONE, disk="Consistent"), ()) == ""


@pytest.mark.parametrize(
    ("protocol", "more"),
    [
        ("A", ", and with protocol A the last writes before, either"),
        ("B", ", and with protocol B the last writes before, either"),
        ("C", ""),
        ("", ""),
    ],
)
def test_what_a_takeover_by_one_copy_may_lose_is_told_with_what_its_protocol_never_waited_for(
    protocol: str, more: str
) -> None:
    told = describe_loss(replace(ALONE, protocol=protocol), "ec-a", "2026-11-23T07:22:10+0000")
    assert told == (
        "the copy on this node has not followed that of ec-a since 2026-11-23T07:22:10+0000: whatever ec-a "
        f"acknowledged later is not here{more}"
    )


def test_a_loss_since_nobody_knows_when_does_not_name_a_moment() -> None:
    assert "of ec-a since a moment that the kernel's log does not tell: " in describe_loss(ALONE, "ec-a", "")


def test_both_ways_out_of_a_split_brain_are_told_and_each_throws_away_on_the_node_that_loses() -> None:
    told = explain_apart("r0", ("ec-a", "ec-b"))
    assert told.startswith("decide whose data stays, save the other's first (dd of its disk, r0 down): ")
    throw = "drbdadm disconnect r0; drbdadm secondary r0; drbdadm connect --discard-my-data r0"
    for kept, lost in (("ec-a", "ec-b"), ("ec-b", "ec-a")):
        keeping = f"to keep {kept}'s and throw {lost}'s away: on {lost}: {throw}   then on {kept}: drbdadm connect r0"
        assert told.count(keeping) == 1
