"""What a fence would do, what it costs, and what is left of the mount guard afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

from tanist.model.definition import Controller, PowerDevice, Proof
from tanist.model.steps import FreeMmp, PowerOff
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
