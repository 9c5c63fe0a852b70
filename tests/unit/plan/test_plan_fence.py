"""What a fence would do, what it costs, and what is left of the mount guard afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

from tanist.model.definition import Controller, Lease, PowerDevice, Proof, Reserving
from tanist.model.steps import FreeMmp, PowerOff, Reserve, TakeLease, WaitLease
from tanist.model.storage import MmpMark
from tanist.plan.acquire import build_acquire, describe_wait
from tanist.plan.fence import build_fence, describe_kept, describe_offer, fences, longest
from tests.unit.plan.machines import load_profile, make_claim, make_standing


class Run(TypedDict):
    node: str
    epoch: int


RUN: Run = {"node": "ec-b", "epoch": 2}
DEVICE = PowerDevice(node="ec-a", agent="fence_outlet", options=(("ip", "10.99.0.21"), ("plug", "7")), timeout=10.0)
HELD = MmpMark(sequence=5, node="ec-a", time=1, interval=10)


def with_proof(**proof: object) -> Controller:
    return replace(load_profile("postgresql", "host", "ext4"), proof=Proof(**proof))  # type: ignore[arg-type]


def test_a_set_can_be_acted_on_where_each_suspect_has_a_device_and_the_word_was_given() -> None:
    assert fences(with_proof(), ("ec-a",), attested=True) == ()
    assert fences(with_proof(power=(DEVICE,)), ("ec-a",), attested=False) == (("power",),)
    assert fences(with_proof(power=(DEVICE,)), ("ec-a", "ec-c"), attested=False) == ()
    assert fences(with_proof(power=(DEVICE,)), (), attested=False) == ()
    both = with_proof(power=(DEVICE,), policy=(("power", "attestation"), ("attestation",)))
    assert fences(both, ("ec-a",), attested=False) == ()
    assert fences(both, ("ec-a",), attested=True) == (("power", "attestation"),)


def test_the_plan_and_the_offer_name_what_is_done_and_its_seconds() -> None:
    controller = with_proof(power=(DEVICE, replace(DEVICE, options=(), delay=2.0)))
    plan = build_fence(controller, "fence-1", ("power",), ("ec-a",), **RUN)
    assert [step.id for step in plan.steps] == ["fence-1.1"]
    assert plan.steps[0].spec == PowerOff(node="ec-a", devices=controller.proof.power)
    assert "fence_outlet 10.99.0.21 7, fence_outlet" in plan.steps[0].says
    assert longest(plan) == 61 + 63
    assert "--fence" in (offer := describe_offer(controller, ("power",), ("ec-a",), **RUN)) and "at most 124 s" in offer
    assert "ec-a was told to switch off" in describe_kept(plan.steps)
    assert build_fence(controller, "fence-1", ("attestation",), ("ec-a",), **RUN).steps == ()


def test_a_reservation_is_taken_before_power_is_cut_and_its_seconds_count() -> None:
    controller = with_proof(reservation=Reserving(timeout=3.0), power=(DEVICE,), policy=(("reservation", "power"),))
    assert fences(controller, ("ec-a",), attested=False) == (("reservation", "power"),)
    plan = build_fence(controller, "fence-1", ("reservation", "power"), ("ec-a",), **RUN)
    reserve = Reserve(
        controller="postgresql",
        node="ec-b",
        nodes=("ec-a", "ec-b"),
        epoch=2,
        devices=("/dev/asset0",),
        timeout=3.0,
        keep=True,
    )
    assert [step.spec for step in plan.steps] == [reserve, PowerOff(node="ec-a", devices=(DEVICE,))]
    assert plan.title == "fence: reservation and power"
    assert plan.steps[0].says == "reserve /dev/asset0 for ec-b alone and read it back, epoch 2"
    assert longest(plan) == 20 * 3 + 61
    assert describe_kept(plan.steps) == (
        "; ec-a was told to switch off and is not switched on again; the old owner stays shut out of /dev/asset0 "
        "until, on ec-b: tanist proofs postgresql --clear"
    )
    given_up = replace(plan.steps[0], spec=replace(reserve, keep=False))
    assert describe_kept((given_up,)) == "", "what is undone with the run shuts nobody out"


def test_without_a_disk_that_is_named_there_is_nothing_to_reserve() -> None:
    proof = Proof(reservation=Reserving())
    on_nothing = replace(load_profile("postgresql", "host", "directory"), proof=proof)
    assert fences(on_nothing, ("ec-a",), attested=False) == ()
    assert build_fence(on_nothing, "fence-1", ("reservation",), ("ec-a",), **RUN).steps == ()
    parts = (make_standing(on_nothing), make_claim(on_nothing))
    assert not any(isinstance(step.spec, Reserve) for step in build_acquire(on_nothing, *parts).steps)


def test_the_lease_of_each_suspect_is_waited_for_at_most_until_it_has_run_out() -> None:
    lease = Lease(device="/dev/lease0", io_timeout=5)
    alone = with_proof(lease=lease)
    assert fences(alone, ("ec-a",), attested=False) == (("lease",),)
    assert fences(alone, (), attested=False) == (), "nobody's lease is to be waited for"
    assert fences(with_proof(policy=(("lease",),)), ("ec-a",), attested=False) == ()
    plan = build_fence(alone, "fence-1", ("lease",), ("ec-a", "ec-c"), **RUN)
    assert [step.spec for step in plan.steps] == [
        WaitLease(node="ec-a", seconds=110.0, alone=True),
        WaitLease(node="ec-c", seconds=110.0, alone=True),
    ]
    assert [step.says for step in plan.steps] == [
        "wait until the lease of ec-a has run out",
        "wait until the lease of ec-c has run out",
    ]
    assert longest(plan) == 220.0
    beside = build_fence(alone, "fence-1", ("lease", "attestation"), ("ec-a",), **RUN)
    assert [step.spec for step in beside.steps] == [WaitLease(node="ec-a", seconds=110.0, alone=False)]
    assert build_fence(with_proof(), "fence-1", ("lease",), ("ec-a",), **RUN).steps == ()


def test_what_is_no_fence_costs_nothing_and_leaves_nothing_off() -> None:
    controller = with_proof()
    plan = build_acquire(controller, make_standing(controller), make_claim(controller))
    assert (longest(plan), describe_kept(plan.steps)) == (0.0, "")


def test_only_after_a_strong_proof_the_wait_is_skipped_and_else_it_is_announced() -> None:
    controller = with_proof()
    parts = (make_standing(controller), make_claim(controller))
    freed = build_acquire(controller, *parts, mmp=HELD, stopped="ec-a has no power")
    assert [type(step.spec).__name__ for step in freed.steps][-2:] == ["FreeMmp", "MountTree"]
    assert "else the mount waits 42 s" in freed.steps[-2].says
    clean = replace(HELD, sequence=0xFF4D4D50)
    for mmp, stopped in ((HELD, ""), (clean, "ec-a has no power"), (None, "ec-a has no power")):
        plan = build_acquire(controller, *parts, mmp=mmp, stopped=stopped)
        assert not any(isinstance(step.spec, FreeMmp) for step in plan.steps)
    assert "waits up to 42 s, to see that ec-a does not write" in describe_wait(HELD)
    assert "to see that nobody does not" not in describe_wait(replace(HELD, node=""))
    assert describe_wait(clean) == describe_wait(None) == ""


def test_a_check_comes_after_the_mount_guard_and_before_the_mount() -> None:
    controller = with_proof()
    parts = (make_standing(controller), make_claim(controller))
    plan = build_acquire(controller, *parts, mmp=HELD, stopped="ec-a has no power", check=True)
    assert [type(step.spec).__name__ for step in plan.steps][-3:] == ["FreeMmp", "CheckFileSystem", "MountTree"]


def test_a_takeover_reserves_before_it_mounts_and_needs_no_word_of_the_mount_guard_then() -> None:
    controller = with_proof(reservation=Reserving())
    standing, claim = make_standing(controller), make_claim(controller)
    plan = build_acquire(controller, standing, claim, mmp=HELD)
    assert [type(step.spec).__name__ for step in plan.steps] == ["Reserve", "FreeMmp", "MountTree"]
    reserve = plan.steps[0].spec
    assert isinstance(reserve, Reserve)
    assert (reserve.epoch, reserve.keep) == (claim.epoch + 1, True), "its owner has not let go: it stays shut out"
    assert plan.steps[0].says == "reserve /dev/asset0 for ec-b alone and read it back, epoch 8"
    for mine in (replace(claim, state="released"), replace(claim, node="ec-b")):
        first = build_acquire(controller, standing, mine, epoch=9).steps[0].spec
        assert isinstance(first, Reserve)
        assert (first.epoch, first.keep) == (9, False), "nobody is shut out who let go"


def test_a_takeover_takes_the_lease_first_and_says_how_long_that_may_take() -> None:
    controller = with_proof(lease=Lease(device="/dev/lease0"), reservation=Reserving())
    parts = (make_standing(controller), make_claim(controller))
    plan = build_acquire(controller, *parts, epoch=8, run="R", holder="ec-a")
    assert [type(step.spec).__name__ for step in plan.steps] == ["TakeLease", "Reserve", "MountTree"]
    take = TakeLease(controller="postgresql", node="ec-b", epoch=8, run="R", free="", over="ec-a")
    assert plan.steps[0].spec == take
    assert plan.steps[0].says == (
        "take the lease on /dev/lease0, also where its last holder did not give it back: it may take 140 s to run out"
    )
    stopped = build_acquire(controller, *parts, epoch=8, run="R", holder="ec-a", stopped="ec-a has no power")
    assert stopped.steps[0].spec == replace(take, free="ec-a has no power")
    assert stopped.steps[0].says == "take the lease on /dev/lease0, also where its last holder is stopped"
