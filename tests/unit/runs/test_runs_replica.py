"""Whole runs of a pair without a shared disk: what one's own copy says is believed only while it follows the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tanist.model.errors import Failed, NotProved, Refused
from tanist.model.evidence import Outcome, Says
from tanist.runs.boot import boot, gate
from tanist.runs.first import init
from tanist.runs.observe import observe
from tanist.runs.peers import find_activity
from tanist.runs.release import release
from tanist.runs.replica import demand_peer_copy
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tanist.runs.watch import Watcher
from tests.unit.runs.replicas import ReplicaWorld
from tests.unit.runs.test_runs_takeover import ATTEST, is_active
from tests.unit.runs.world import UNITS


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReplicaWorld]:
    made = ReplicaWorld(tmp_path / "world")
    made.drbd.copies["ec-a"].primary = True
    made.drbd.settle()
    init(made.session("ec-a"))
    yield made
    assert made.violations == ()


def start_boot(world: ReplicaWorld, name: str) -> str:
    world.nodes[name].boot()
    gate(world.session(name))
    return boot(world.session(name))


def says_of(world: ReplicaWorld, name: str, source: str) -> tuple[Says, str]:
    (item,) = [one for one in observe(world.session(name), "").evidence if one.source == source]
    return item.says, item.about


def test_a_release_and_a_takeover_move_it_and_the_copies_go_on_following(world: ReplicaWorld) -> None:
    release(world.session("ec-a"))
    assert not any(copy.primary for copy in world.drbd.copies.values()) and world.drbd.linked
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b") and world.drbd.copies["ec-b"].primary
    assert "has not followed" not in world.said("ec-b"), "nothing can be missing, and nothing is said to be"


def test_an_owner_that_boots_with_the_other_node_there_comes_up_again(world: ReplicaWorld) -> None:
    world.a.power_off()
    assert start_boot(world, "ec-a") == "active"


@pytest.mark.requirement("A62", "A64")
def test_an_ex_owner_that_boots_cut_off_is_inert_whatever_its_own_copy_says(world: ReplicaWorld) -> None:
    """The other one has taken over. By its own claim it is the owner still, and nobody answers."""
    world.a.power_off()
    takeover(world.session("ec-b"), ATTEST)
    world.cut_cable()
    world.ssh_works = False
    world.b.silent = True
    with pytest.raises(NotProved, match="ec-b may have taken over since") as caught:
        start_boot(world, "ec-a")
    assert "tanist release oc" in (caught.value.next_step or "")
    assert not world.drbd.copies["ec-a"].primary and not is_active(world, "ec-a")
    assert "is inert" in world.said("ec-a")


def test_it_is_inert_too_where_the_other_node_says_that_it_is_inactive(world: ReplicaWorld) -> None:
    """It took over, wrote and let go: its word is no word about what its copy has."""
    world.a.power_off()
    takeover(world.session("ec-b"), ATTEST)
    world.cut_cable()
    release(world.session("ec-b"))
    with pytest.raises(NotProved, match="may have taken over since"):
        start_boot(world, "ec-a")


@pytest.mark.requirement("A62")
def test_an_ex_owner_that_boots_connected_reads_the_new_owner_s_claim_and_stands_back(world: ReplicaWorld) -> None:
    world.a.power_off()
    takeover(world.session("ec-b"), ATTEST)
    assert start_boot(world, "ec-a") == "inert"
    assert "inert: oc is held by ec-b, epoch 2" in world.said("ec-a")


def test_an_old_copy_proves_neither_that_the_claim_is_this_node_s_nor_that_it_is_free(world: ReplicaWorld) -> None:
    world.a.power_off()
    world.a.boot()
    assert says_of(world, "ec-a", "claim") == (Says.MINE, "ec-a")
    world.cut_cable()
    assert says_of(world, "ec-a", "claim") == (Says.HELD, "ec-b")
    assert says_of(world, "ec-a", "storage")[0] is Says.UNKNOWN
    world.join()
    assert start_boot(world, "ec-a") == "active"
    release(world.session("ec-a"))
    assert says_of(world, "ec-b", "claim") == (Says.RELEASED, "ec-a")
    assert says_of(world, "ec-b", "storage")[0] is Says.RELEASED
    world.cut_cable()
    world.ssh_works = False
    assert says_of(world, "ec-b", "storage")[0] is Says.UNKNOWN
    assert says_of(world, "ec-b", "claim") == (Says.HELD, "ec-a")
    assert observe(world.session("ec-b"), "").verdict.outcome is not Outcome.PROVED


def test_a_takeover_by_one_copy_alone_says_what_it_may_cost(world: ReplicaWorld) -> None:
    world.a.power_off()
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), TakeoverOptions())
    takeover(world.session("ec-b"), ATTEST)
    lost = "has not followed that of ec-a since 2026-11-23T07:22:10+0000: whatever ec-a acknowledged later is not here"
    assert lost in world.said("ec-b")
    assert is_active(world, "ec-b")


def test_the_dry_run_says_it_as_well(world: ReplicaWorld) -> None:
    world.a.power_off()
    _, text = dry_run(world.session("ec-b"), ATTEST)
    assert "promote this node's copy of r0, without the other copy" in text
    assert "is not here" in world.said("ec-b")


@pytest.mark.requirement("A05", "A61")
def test_a_zombie_whose_own_copy_calls_it_the_owner_gives_up_and_demotes_it(world: ReplicaWorld) -> None:
    """ec-a was frozen while ec-b took over; thawed, its claim is still its own, and another machine has its address."""
    world.a.silent = True
    world.cut_cable()
    takeover(world.session("ec-b"), ATTEST)
    world.a.silent = False
    opinion = Watcher(world.session("ec-a")).round()
    assert opinion is not None and opinion.says == "lost" and "ec-b says that it is active, epoch 2" in opinion.why
    assert find_activity(world.session("ec-a")) == () and not world.drbd.copies["ec-a"].primary
    assert is_active(world, "ec-b")
    world.both_ran.clear()  # that they both ran is what a person's wrong word did
    world.wire.violations.clear()


@pytest.mark.parametrize("state", ["Outdated", "Inconsistent"])
def test_a_copy_that_is_not_whole_is_not_taken_over_with_any_word(world: ReplicaWorld, state: str) -> None:
    world.a.power_off()
    world.drbd.copies["ec-b"].state = state
    world.drbd.settle()
    with pytest.raises(Refused, match=f"the copy on this node is {state}"):
        takeover(world.session("ec-b"), ATTEST)
    assert not world.drbd.copies["ec-b"].primary and world.b.files.exists("/etc/cron.d/oc-report")


def test_a_copy_that_stands_alone_is_not_taken_over(world: ReplicaWorld) -> None:
    world.drbd.copies["ec-b"].stands_alone = True
    world.drbd.settle()
    world.a.power_off()
    world.drbd.copies["ec-b"].stands_alone = True
    world.drbd.settle()
    with pytest.raises(Refused, match="split brain"):
        takeover(world.session("ec-b"), ATTEST)


def test_where_the_other_node_answers_the_copies_are_to_be_connected_first(world: ReplicaWorld) -> None:
    """ec-a let go, and its last words are not on this copy: its own word that it is inactive proves the rest."""
    world.cut_cable()
    release(world.session("ec-a"))
    assert "nothing of this reaches the other copy" in world.said("ec-a")
    assert observe(world.session("ec-b"), "").verdict.outcome is Outcome.PROVED
    with pytest.raises(Refused, match="ec-a answers, but the copies do not follow each other"):
        takeover(world.session("ec-b"), TakeoverOptions())
    world.join()
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b")


def test_the_kernel_s_refusal_is_the_last_word_where_a_person_was_wrong(world: ReplicaWorld) -> None:
    """The owner's addresses are silent, the way between the copies is not: nothing is changed."""
    world.ssh_works = False
    world.a.silent = True
    with pytest.raises(Failed, match="Multiple primaries not allowed by config"):
        takeover(world.session("ec-b"), ATTEST)
    assert all(world.a.units[unit].state == "active" for unit in UNITS)


def test_an_owner_whose_other_node_is_dead_for_good_is_brought_up_by_a_person(world: ReplicaWorld) -> None:
    world.a.power_off()
    world.b.power_off()
    with pytest.raises(NotProved):
        start_boot(world, "ec-a")
    before = (Path(world.drbd.copies["ec-a"].disk.path) / ".tanist/claim").read_bytes()
    release(world.session("ec-a"))
    assert (Path(world.drbd.copies["ec-a"].disk.path) / ".tanist/claim").read_bytes() == before, (
        "its copy is not touched"
    )
    assert not world.drbd.copies["ec-a"].primary
    with pytest.raises(NotProved):
        takeover(world.session("ec-a"), TakeoverOptions())
    takeover(world.session("ec-a"), ATTEST)
    assert is_active(world, "ec-a")


def test_a_switchover_is_refused_before_anything_stops_where_the_copies_are_apart(world: ReplicaWorld) -> None:
    demand_peer_copy(world.session("ec-a"))
    world.cut_cable()
    with pytest.raises(Refused, match="a switchover would lose what only one has"):
        demand_peer_copy(world.session("ec-a"))
    assert is_active(world, "ec-a")
