"""Every reachable state of the protocol, and what is found when a rule is left out. The shortest way is printed."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sim.protocol import RULES, Model, Node, Rules, State, explore, without
from tests.sim.ways_out import explore_ways

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


EVERY = bool(os.environ.get("TANIST_EVERY_POINT"))
NOTE = (Path(__file__).parents[2] / "docs/design/exhaustion.md").read_text()
OF_POWER = ("a_word_is_noted", "free_needs_a_word")
OF_THE_LEASE = ("lease_before_each_mount", "lease_is_not_overwritten")
NEEDED = (
    "intent_before_commit",
    "intents_are_heeded",
    "epoch_is_read_again",
    "resume_asks_again",
    "let_go_is_final",
    "off_is_read_back",
    *OF_POWER,
)
GUARDED_TWICE = (  # left out alone, another rule still holds in this model
    "signs_of_life_veto",  # by power, a word that is noted; a guest's lease alone is not enough in any case
    "silence_must_be_heard",
    "free_needs_clean_disk",
    "claim_before_use",
    "boot_asks_the_claim",
    "open_run_stays_inert",
    "unmount_before_free",
    "lease_is_read_back",  # a clock that jumped sees a lease run out, and sanlock does not give it all the same
)
METAL = Model(proof="lease", clock_stops=False)
STRONG = {
    "power": Model(proof="power"),
    "reservation": Model(proof="reservation"),
    "lease": METAL,
}
ROWS = {  # of the table in the note
    "power": "power, read back as off",
    "reservation": "reservation, preempted and read back",
    "lease": "a lease, metal with a watchdog",
    "power, storage lost": "power, and a node loses the asset and sees it again",
    "reservation, storage lost": "reservation, and a node loses the asset and sees it again",
    "lease, storage lost": "a lease of metal, and a node loses the asset and sees it again",
}
LOSSES = {  # the asset gone from one node and back, at any moment
    "power": Model(proof="power", storage=True),
    "reservation": Model(proof="reservation", storage=True),
    "lease": replace(METAL, storage=True),
}


def explore_all(kind: str, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    """Never two; from each state a way leads out; and the note says how many there are."""
    found, stuck = explore_ways(model)
    with capsys.disabled():
        print(f"\n{kind}: {found.states} states")
    assert found.bad == () and stuck == ()
    assert found.states == stated(ROWS[kind])


def stated(row: str) -> int:
    (number,) = re.findall(rf"(?m)^\| {re.escape(row)} \| ([0-9 ]+) \| none", NOTE)
    return int(number.replace(" ", ""))


@pytest.mark.requirement("A05", "A61")
@pytest.mark.parametrize("kind", STRONG)
def test_with_a_strong_proof_no_state_has_two_and_each_has_a_way_out(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explore_all(kind, STRONG[kind], capsys)


@pytest.mark.skipif(not EVERY, reason="a minute: with TANIST_EVERY_POINT=1, as make test has it")
@pytest.mark.requirement("A05", "A61")
@pytest.mark.parametrize("kind", LOSSES)
def test_a_node_that_loses_the_asset_and_sees_it_again_makes_no_two_and_is_never_stuck(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explore_all(f"{kind}, storage lost", LOSSES[kind], capsys)


class NoWayBack(Model):
    """A run that was killed behind its mount can be neither resumed nor undone."""

    @override
    def _resume(self, s: State, i: int, n: Node) -> State:
        return s if n.mounted else super()._resume(s, i, n)

    @override
    def _undo(self, s: State, i: int, n: Node) -> State | None:
        return None if n.mounted else super()._undo(s, i, n)


def test_a_state_that_neither_resume_nor_undo_leads_out_of_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    found, stuck = explore_ways(NoWayBack(proof="power"))
    with capsys.disabled():
        print("\nno way back:\n  " + "\n  ".join(stuck))
    assert found.bad == () and stuck[-1].endswith(" is killed")


@pytest.mark.parametrize("rule", NEEDED)
def test_without_this_rule_two_have_the_asset(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_bad(f"without {rule}", Model(proof="power", rules=without(rule)), capsys)


@pytest.mark.parametrize("rule", OF_THE_LEASE)
def test_without_this_rule_of_the_lease_two_have_the_asset(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_bad(f"without {rule}", replace(METAL, rules=without(rule)), capsys)


def show_bad(what: str, model: Model, capsys: pytest.CaptureFixture[str]) -> tuple[str, ...]:
    found = explore(model)
    assert found.bad, f"{what}: nothing bad"
    with capsys.disabled():
        print(f"\n{what}:\n  " + "\n  ".join(found.bad[0]))
    return found.bad[0]


@pytest.mark.parametrize("rule", OF_POWER)
def test_what_a_rule_of_power_is_there_for(rule: str) -> None:
    """Two at one moment on both sides of a network that is cut between the look and the raised claim; a reservation
    and a lease, taken before each mount, need neither rule."""
    way = explore(Model(proof="power", rules=without(rule))).bad[0]
    cut = way.index("the network is cut")
    assert "ec-b has its proof" in way and way[-1] in LAST[rule]
    assert not any(move.endswith("raises the claim") for move in way[:cut])


LAST = {
    "a_word_is_noted": ("resume on ec-a", "resume on ec-b"),  # of a node that had said: I run nothing
    "free_needs_a_word": ("ec-a mounts", "ec-b mounts"),
}


def test_a_clock_that_jumps_makes_two_only_where_sanlock_is_overruled_as_well() -> None:
    """The wall clock is in no rule at all; the steady one is in the lease's only."""
    jumps = replace(Rules(), lease_is_read_back=False)
    assert not EVERY or not explore(replace(METAL, rules=jumps)).bad
    way = explore(replace(METAL, rules=replace(jumps, lease_is_not_overwritten=False))).bad[0]
    assert any(move.startswith("the clock of ec-b jumps") for move in way)


def test_every_rule_is_accounted_for() -> None:
    assert sorted(RULES) == sorted((*NEEDED, *OF_THE_LEASE, *GUARDED_TWICE))


def test_a_lease_does_not_hold_a_guest_whose_clock_was_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    """With a true word beside it, too: the guest that took over is frozen, and goes on."""
    for lies in (False, True):
        way = show_bad("a guest's lease", Model(proof="lease", lies=lies), capsys)
        assert any(move.endswith(" goes on") for move in way)


def test_by_a_persons_word_alone_two_are_found_without_a_lie_and_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Without one only between a mount and the raised claim, behind a network that is cut meanwhile."""
    way = show_bad("a person's word", Model(), capsys)
    assert "the network is cut" in way
    way = show_bad("a person's lie", Model(lies=True), capsys)
    assert any("“it is off” (it" in move for move in way)
