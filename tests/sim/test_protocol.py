"""Every reachable state of the protocol, and what is found when a rule is left out. The shortest way is printed."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.sim.protocol import RULES, Model, Rules, explore, without

ASSUMED = ("a_word_is_kept", "one_at_a_time_when_cut")
NEEDED = (
    "signs_of_life_veto",
    "intent_before_commit",
    "intents_are_heeded",
    "epoch_is_read_again",
    "resume_asks_again",
    "let_go_is_final",
    "off_is_read_back",
    *ASSUMED,
)
GUARDED_TWICE = (  # left out alone, another rule still holds in this model
    "silence_must_be_heard",
    "free_needs_clean_disk",
    "claim_before_use",
    "boot_asks_the_claim",
    "open_run_stays_inert",
    "unmount_before_free",
)
BARE = replace(Rules(), a_word_is_kept=False, one_at_a_time_when_cut=False)


@pytest.mark.requirement("A05", "A61")
def test_with_power_read_back_no_state_has_two(capsys: pytest.CaptureFixture[str]) -> None:
    found = explore(Model(proof="power"))
    with capsys.disabled():
        print(f"\npower: {found.states} states")
    assert found.bad == () and found.states > 10_000


@pytest.mark.requirement("A05", "A61")
def test_with_a_reservation_no_state_has_two_whatever_is_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    rules = BARE if os.environ.get("TANIST_EVERY_POINT") else Rules()
    found = explore(Model(proof="reservation", rules=rules))
    with capsys.disabled():
        print(f"\nreservation: {found.states} states")
    assert found.bad == () and found.states > 10_000


@pytest.mark.parametrize("rule", NEEDED)
def test_without_this_rule_two_have_the_asset(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = explore(Model(proof="power", rules=without(rule)))
    assert found.bad, f"{rule} is not needed?"
    with capsys.disabled():
        print(f"\nwithout {rule}:\n  " + "\n  ".join(found.bad[0]))


def test_every_rule_is_accounted_for() -> None:
    assert sorted(RULES) == sorted((*NEEDED, *GUARDED_TWICE))


def test_a_lease_does_not_hold_a_guest_whose_clock_was_stopped() -> None:
    found = explore(Model(proof="lease"))
    assert found.bad
