"""The verdict: single rules, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist.model.evidence import Evidence, Outcome, Says
from tanist.proof.decide import Policy, decide, strong_proof
from tests.unit.proof.evidence import ATTESTED, HELD, ME, SILENT_A, SILENT_C, SILENT_SERVICE, item


def outcome(*evidence: Evidence) -> Outcome:
    return decide(evidence, ME).outcome


@pytest.mark.requirement("A42", "A43")
def test_a_dead_owner_needs_silence_everywhere_and_a_person() -> None:
    assert outcome(HELD, SILENT_A, SILENT_SERVICE) is Outcome.NOT_PROVED
    assert outcome(HELD, SILENT_A, SILENT_SERVICE, ATTESTED) is Outcome.PROVED


def test_an_attestation_does_not_beat_a_sign_of_life() -> None:
    answering = item("service-address", "10.88.0.51", Says.ACTIVE)
    assert outcome(HELD, SILENT_A, SILENT_SERVICE, ATTESTED, answering) is Outcome.ALIVE


def test_one_address_of_the_owner_that_could_not_be_looked_at_is_not_silence() -> None:
    unseen = item("management-address", "ec-a", Says.UNKNOWN)
    verdict = decide((HELD, SILENT_A, unseen, SILENT_SERVICE, ATTESTED), ME)
    assert verdict.outcome is Outcome.NOT_PROVED
    assert any("silence counts only where one listened" in way for way in verdict.would_suffice)


def test_where_the_owner_is_not_known_every_node_must_be_quiet() -> None:
    unreadable = item("claim", "/dev/asset", Says.UNKNOWN)
    assert outcome(unreadable, SILENT_A, SILENT_SERVICE, ATTESTED) is Outcome.PROVED
    assert outcome(unreadable, SILENT_A, item("peer", "ec-c", Says.UNKNOWN), ATTESTED) is Outcome.NOT_PROVED
    assert outcome(unreadable, SILENT_A, SILENT_C, ATTESTED) is Outcome.PROVED
    assert outcome(unreadable, SILENT_SERVICE, ATTESTED) is Outcome.NOT_PROVED, "nobody was looked at"
    assert outcome(HELD, SILENT_A, item("peer", "ec-c", Says.UNKNOWN), ATTESTED) is Outcome.PROVED


def test_after_a_release_that_was_not_finished_any_node_may_be_the_next_owner() -> None:
    """The last owner let go and its disk is not clean: somebody else may have it by now."""
    released = item("claim", "ec-a", Says.RELEASED)
    unasked = item("peer", "ec-c", Says.UNKNOWN)
    assert outcome(released, SILENT_A, SILENT_SERVICE, ATTESTED) is Outcome.PROVED
    assert outcome(released, SILENT_A, SILENT_SERVICE, ATTESTED, unasked) is Outcome.NOT_PROVED


def test_what_this_node_released_may_have_been_taken_by_one_that_was_cut_off_before_it_raised_the_claim() -> None:
    """Found by a fault schedule: the other one had mounted it, and was frozen before it wrote the claim."""
    mine = item("claim", ME, Says.RELEASED)
    dirty, silent = item("storage", "/dev/asset", Says.UNKNOWN), item("peer", "ec-a", Says.UNKNOWN)
    assert outcome(mine, dirty, silent) is Outcome.NOT_PROVED
    assert outcome(mine, item("storage", "/dev/asset", Says.RELEASED), silent) is Outcome.PROVED
    assert outcome(mine, dirty, item("peer", "ec-a", Says.INACTIVE)) is Outcome.PROVED
    off = item("power", "ec-a", Says.OFF)
    assert strict(mine, dirty, silent, off) is Outcome.PROVED


def test_everybody_saying_no_does_not_replace_a_claim_that_cannot_be_read() -> None:
    assert outcome(item("claim", "/dev/asset", Says.UNKNOWN), item("peer", "ec-a", Says.INACTIVE)) is Outcome.NOT_PROVED


def test_two_claims_are_no_claim() -> None:
    assert outcome(item("claim", ME, Says.MINE), HELD) is Outcome.NOT_PROVED


@pytest.mark.requirement("A63")
def test_a_released_claim_on_a_disk_that_is_not_clean_is_not_enough() -> None:
    released = item("claim", "ec-a", Says.RELEASED)
    assert outcome(released, item("storage", "/dev/asset", Says.UNKNOWN)) is Outcome.NOT_PROVED
    assert outcome(released) is Outcome.NOT_PROVED
    assert outcome(released, item("storage", "/dev/asset", Says.RELEASED)) is Outcome.PROVED


def test_a_refusal_says_what_to_type() -> None:
    ways = " ".join(decide((HELD, SILENT_A, SILENT_SERVICE), ME).would_suffice)
    assert "tanist release, on ec-a" in ways and "--attest" in ways


@pytest.mark.parametrize(
    ("sign", "answer"),
    [
        (item("peer", "ec-a", Says.ACTIVE), "tanist switchover"),
        (item("management-address", "ec-a", Says.ALIVE), "ssh to it must work"),
        (item("service-address", "10.88.0.50", Says.ACTIVE), "who answers for 10.88.0.50"),
        (item("storage", "/dev/asset", Says.ACTIVE), "end the use of /dev/asset"),
    ],
)
def test_a_veto_says_what_would_end_it(sign: Evidence, answer: str) -> None:
    assert answer in decide((sign,), ME).would_suffice[0]


# -- fences, in words
OFF_A = item("power", "ec-a", Says.OFF, 20.0)
ANSWERS = item("service-address", "10.88.0.50", Says.ACTIVE)
BEATS = item("management-address", "ec-a", Says.ALIVE)
FENCED = item("reservation", "/dev/asset", Says.FENCED, 20.0)
STRONG: Policy = (("power",), ("reservation",))


def strict(*evidence: Evidence) -> Outcome:
    return decide(evidence, ME, STRONG).outcome


def test_power_that_was_cut_after_the_last_sign_of_life_proves_it() -> None:
    assert strict(HELD, SILENT_A, SILENT_SERVICE, ANSWERS, BEATS) is Outcome.ALIVE
    assert strict(HELD, SILENT_A, SILENT_SERVICE, ANSWERS, BEATS, OFF_A) is Outcome.PROVED


def test_an_answer_after_the_power_was_cut_is_somebody_elses_plug() -> None:
    late = replace(ANSWERS, at=21.0)
    assert strict(HELD, SILENT_A, SILENT_SERVICE, late, OFF_A) is Outcome.ALIVE
    assert strict(HELD, SILENT_A, SILENT_SERVICE, replace(BEATS, at=21.0), OFF_A) is Outcome.ALIVE


def test_a_node_that_was_found_without_power_is_proved_down_but_answers_no_sign_of_life() -> None:
    found = replace(OFF_A, at=0.0)
    assert strict(HELD, SILENT_A, SILENT_SERVICE, found) is Outcome.PROVED
    assert strict(HELD, SILENT_A, ANSWERS, found) is Outcome.ALIVE


def test_unknown_fence_answer_is_not_proof_of_death() -> None:
    for says in (Says.UNKNOWN, Says.ON, Says.SILENT):
        assert strict(HELD, SILENT_A, SILENT_SERVICE, replace(OFF_A, says=says)) is Outcome.NOT_PROVED


def test_the_power_of_one_node_says_nothing_of_another() -> None:
    assert strict(HELD, SILENT_A, SILENT_SERVICE, replace(OFF_A, about="ec-c")) is Outcome.NOT_PROVED
    stranger = item("claim", "ec-z", Says.HELD)
    assert strict(stranger, SILENT_A, SILENT_SERVICE, OFF_A) is Outcome.NOT_PROVED


def test_a_reservation_answers_that_the_machine_is_up_but_no_use_of_the_address() -> None:
    assert strict(HELD, SILENT_A, SILENT_SERVICE, BEATS, FENCED) is Outcome.PROVED
    assert strict(HELD, SILENT_A, ANSWERS, FENCED) is Outcome.ALIVE
    assert strict(HELD, item("peer", "ec-a", Says.ACTIVE), SILENT_SERVICE, FENCED) is Outcome.ALIVE
    assert strict(HELD, SILENT_A, item("service-address", "10.88.0.50", Says.UNKNOWN), FENCED) is Outcome.NOT_PROVED


def test_where_a_strong_proof_is_asked_for_a_persons_word_is_not_enough() -> None:
    seen = (HELD, SILENT_A, SILENT_SERVICE, ATTESTED)
    verdict = decide(seen, ME, STRONG)
    assert (decide(seen, ME).outcome, verdict.outcome) == (Outcome.PROVED, Outcome.NOT_PROVED)
    assert "power or reservation, as the definition asks" in verdict.would_suffice[-1]


def test_a_strong_proof_is_told_from_a_word_and_from_one_that_something_contradicts() -> None:
    assert "no power" in strong_proof((HELD, SILENT_A, SILENT_SERVICE, ANSWERS, OFF_A), ME)
    assert "only this node can write" in strong_proof((HELD, SILENT_A, SILENT_SERVICE, FENCED), ME)
    assert strong_proof((HELD, SILENT_A, SILENT_SERVICE, ATTESTED), ME) == ""
    assert strong_proof((HELD, item("peer", "ec-a", Says.INACTIVE)), ME) == ""
    assert strong_proof((HELD, SILENT_A, SILENT_SERVICE, OFF_A, replace(ANSWERS, at=30.0)), ME) == ""


def test_a_fence_at_the_very_moment_of_a_sign_of_life_is_not_later() -> None:
    for sign in (ANSWERS, BEATS, item("storage", "/dev/asset", Says.ACTIVE)):
        assert strict(HELD, SILENT_A, SILENT_SERVICE, replace(sign, at=20.0), OFF_A) is Outcome.ALIVE
        assert strict(HELD, SILENT_A, SILENT_SERVICE, replace(sign, at=20.0), FENCED) is Outcome.ALIVE


def test_two_words_about_one_power_that_do_not_agree_are_none() -> None:
    other = replace(OFF_A, says=Says.ON)
    assert strict(HELD, SILENT_A, SILENT_SERVICE, OFF_A, other) is Outcome.NOT_PROVED
    assert strict(HELD, SILENT_A, SILENT_SERVICE, BEATS, OFF_A, other) is Outcome.ALIVE


def test_all_of_a_set_is_asked_for_and_what_was_answered_since_does_not_stand_in_its_way() -> None:
    both: Policy = (("power", "attestation"),)
    assert decide((HELD, SILENT_A, SILENT_SERVICE, OFF_A), ME, both).outcome is Outcome.NOT_PROVED
    assert decide((HELD, SILENT_A, SILENT_SERVICE, ATTESTED), ME, both).outcome is Outcome.NOT_PROVED
    assert decide((HELD, SILENT_A, SILENT_SERVICE, BEATS, ATTESTED, OFF_A), ME, both).outcome is Outcome.PROVED


# -- where power alone suffices
def by_power(*evidence: Evidence) -> Outcome:
    return decide(evidence, ME, (("power",),), free_suffices=False).outcome


@pytest.mark.requirement("A05", "A63")
def test_by_power_a_free_claim_needs_the_others_word_or_its_power_read_as_off() -> None:
    clean = item("storage", "/dev/asset", Says.RELEASED)
    heard, silent = item("peer", "ec-a", Says.INACTIVE), item("peer", "ec-a", Says.UNKNOWN)
    for free in (item("claim", "ec-a", Says.RELEASED), item("claim", ME, Says.RELEASED)):
        assert by_power(free, clean, SILENT_A, silent) is Outcome.NOT_PROVED
        assert by_power(free, clean, ATTESTED, SILENT_A, SILENT_SERVICE, silent) is Outcome.NOT_PROVED
        assert by_power(free, clean, SILENT_A, heard) is Outcome.PROVED
        assert by_power(free, clean, silent, item("power", "ec-a", Says.OFF, 0.0)) is Outcome.PROVED
        assert by_power(free, clean, silent, item("power", "ec-a", Says.ON)) is Outcome.NOT_PROVED
        assert by_power(free, clean) is Outcome.NOT_PROVED, "nobody was looked at"


def test_by_power_what_this_node_holds_it_holds() -> None:
    """Nobody takes it from there without this node's word, which is noted, or its power."""
    assert by_power(item("claim", ME, Says.MINE), SILENT_A) is Outcome.PROVED


@pytest.mark.requirement("A05")
def test_a_node_that_gave_its_word_mounts_not_even_what_it_holds_before_it_has_an_answer() -> None:
    mine, promise = item("claim", ME, Says.MINE), item("promise", "ec-a", Says.PROMISED)
    silent = item("peer", "ec-a", Says.UNKNOWN)
    verdict = decide((mine, promise, silent, SILENT_A), ME, (("power",),), free_suffices=False)
    assert verdict.outcome is Outcome.NOT_PROVED
    assert verdict.reasons[0] == "ec-b gave ec-a its word, and has not heard ec-a since"
    assert "ec-a answers over ssh that it is not active" in verdict.would_suffice
    assert by_power(mine, promise, item("peer", "ec-a", Says.INACTIVE)) is Outcome.PROVED
    assert by_power(mine, promise, silent, item("power", "ec-a", Says.OFF, 0.0)) is Outcome.PROVED
    assert by_power(mine, promise, silent, ATTESTED, SILENT_A, SILENT_SERVICE) is Outcome.NOT_PROVED
    person = decide((mine, promise, silent, ATTESTED, SILENT_A, SILENT_SERVICE), ME, (("power",), ("attestation",)))
    assert person.outcome is Outcome.PROVED, "where the policy believes a person"


def test_whoever_was_given_a_word_is_one_more_who_may_own_it() -> None:
    """Beside the holder: with three nodes the power of both has to be off."""
    promise, off_a = item("promise", "ec-c", Says.PROMISED), item("power", "ec-a", Says.OFF)
    assert by_power(HELD, off_a, item("power", "ec-c", Says.ON)) is Outcome.PROVED
    assert by_power(HELD, off_a, promise, item("power", "ec-c", Says.ON)) is Outcome.NOT_PROVED
    assert by_power(HELD, off_a, promise, item("power", "ec-c", Says.OFF)) is Outcome.PROVED


def test_of_a_tree_on_a_filer_a_released_claim_is_no_proof_and_its_lock_vetoes_until_power_was_cut_after_it() -> None:
    """An export is never clean: "storage" says UNKNOWN where nobody holds its lock, ACTIVE where somebody does."""
    released, silent = item("claim", "ec-a", Says.RELEASED), item("peer", "ec-a", Says.UNKNOWN)
    free, locked = item("storage", "filer:/x", Says.UNKNOWN), item("storage", "filer:/x", Says.ACTIVE)
    assert outcome(released, free, silent, SILENT_A, SILENT_SERVICE) is Outcome.NOT_PROVED
    assert outcome(released, free, item("peer", "ec-a", Says.INACTIVE)) is Outcome.PROVED
    assert outcome(released, locked, item("peer", "ec-a", Says.INACTIVE)) is Outcome.ALIVE
    assert outcome(HELD, locked, silent, SILENT_A, SILENT_SERVICE, ATTESTED) is Outcome.ALIVE
    policy: Policy = (("power",),)
    found_off, cut = item("power", "ec-a", Says.OFF, at=0.0), item("power", "ec-a", Says.OFF, at=20.0)
    assert decide((HELD, locked, silent, found_off), ME, policy).outcome is Outcome.ALIVE
    assert decide((HELD, locked, silent, cut), ME, policy).outcome is Outcome.PROVED
