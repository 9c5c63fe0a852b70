"""The verdict on whatever evidence: what must never make it safer."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.model.evidence import Evidence, Outcome, Says, Source
from tanist.proof.decide import Policy, decide
from tests.unit.proof.evidence import LIFE, ME, POLICIES, item

SOURCES: tuple[Source, ...] = get_args(Source)
TIMES = st.sampled_from([0.0, 5.0, 10.0, 20.0])
ANY_ITEM = st.builds(
    item,
    st.sampled_from(SOURCES),
    st.sampled_from(["ec-a", "ec-b", "ec-c", "10.88.0.50"]),
    st.sampled_from(Says),
    TIMES,
)


def sensible(source: Source, about: tuple[str, ...], says: tuple[Says, ...]) -> st.SearchStrategy[Evidence]:
    return st.builds(item, st.just(source), st.sampled_from(about), st.sampled_from(says), TIMES)


NODES = ("ec-a", "ec-c")
LIKELY_ITEM = st.one_of(
    sensible("claim", (*NODES, ME, "ec-z"), (Says.HELD, Says.RELEASED, Says.MINE)),
    sensible("storage", ("/dev/asset",), (Says.RELEASED, Says.MINE)),
    sensible("peer", NODES, (Says.INACTIVE, Says.UNKNOWN)),
    sensible("service-address", ("10.88.0.50", "10.88.0.51"), (Says.SILENT, Says.MINE)),
    sensible("management-address", NODES, (Says.SILENT, Says.INACTIVE)),
    sensible("attestation", ("ann",), (Says.ATTESTED,)),
    sensible("power", NODES, (Says.OFF, Says.OFF, Says.ON)),
    sensible("reservation", ("/dev/asset",), (Says.FENCED,)),
    sensible("lease", NODES, (Says.LAPSED, Says.LAPSED, Says.STALE)),
    sensible("promise", NODES, (Says.PROMISED, Says.UNKNOWN)),
)
SIGN = ANY_ITEM.filter(lambda made: made.says in LIFE)
POLICY = st.sampled_from(POLICIES)
EVIDENCE = st.lists(st.one_of(LIKELY_ITEM, LIKELY_ITEM, LIKELY_ITEM, ANY_ITEM), max_size=9).map(tuple)
many = settings(max_examples=150, deadline=None)


@many
@given(EVIDENCE, SIGN, st.integers(0, 9), POLICY)
@pytest.mark.requirement("A05")
def test_a_sign_of_life_vetoes_unless_a_fence_came_after_it(
    evidence: tuple[Evidence, ...], sign: Evidence, at: int, suffices: Policy
) -> None:
    last = max(
        (known.at for known in evidence if known.says in (Says.OFF, Says.FENCED, Says.LAPSED, Says.STALE)), default=0.0
    )
    for when in (0.0, last, last + 1):
        late = replace(sign, at=when)
        verdict = decide((*evidence[:at], late, *evidence[at:]), ME, suffices)
        assert verdict.outcome is Outcome.ALIVE
        assert any(sign.detail in reason for reason in verdict.reasons)


@many
@given(EVIDENCE, SIGN, POLICY)
@pytest.mark.requirement("A05")
def test_no_added_sign_of_life_makes_a_verdict_safer(
    evidence: tuple[Evidence, ...], sign: Evidence, suffices: Policy
) -> None:
    before, after = (decide(seen, ME, suffices).outcome for seen in (evidence, (*evidence, sign)))
    assert after is Outcome.ALIVE or after is before


@many
@given(EVIDENCE, POLICY)
def test_no_fact_that_turns_into_cannot_tell_makes_a_verdict_safer(
    evidence: tuple[Evidence, ...], suffices: Policy
) -> None:
    """A sign of life that was not seen is another matter: that each look says UNKNOWN itself is gather()'s."""
    if decide(evidence, ME, suffices).outcome is Outcome.PROVED:
        return
    for at, known in enumerate(evidence):
        if known.says not in LIFE:
            blurred = (*evidence[:at], replace(known, says=Says.UNKNOWN), *evidence[at + 1 :])
            assert decide(blurred, ME, suffices).outcome is not Outcome.PROVED, known
            assert decide(blurred, ME, suffices, free_suffices=False).outcome is not Outcome.PROVED, known


@many
@given(EVIDENCE, ANY_ITEM, POLICY)
def test_an_added_cannot_tell_never_proves(evidence: tuple[Evidence, ...], more: Evidence, suffices: Policy) -> None:
    """A node that nobody had looked at may become a suspect by it, which only ever adds to what must be silent; that a
    look is left out altogether is not for decide() to see, gather() has one item for each (test_probes.py)."""
    looked_at = {known.about for known in evidence if known.source in ("peer", "management-address", "power")}
    added = (*evidence, replace(more, says=Says.UNKNOWN, about=more.about if more.about in looked_at else "elsewhere"))
    if decide(evidence, ME, suffices).outcome is not Outcome.PROVED:
        assert decide(added, ME, suffices).outcome is not Outcome.PROVED


@many
@given(EVIDENCE, st.sampled_from(NODES), POLICY)
@pytest.mark.requirement("A05")
def test_no_promise_makes_a_verdict_safer_and_a_free_claim_is_never_enough_where_it_was_not(
    evidence: tuple[Evidence, ...], node: str, suffices: Policy
) -> None:
    """Whether the note can be read or not."""
    promises = (item("promise", node, Says.PROMISED), item("promise", node, Says.UNKNOWN))
    for free in (True, False):
        before = decide(evidence, ME, suffices, free_suffices=free).outcome
        for promise in promises:
            after = decide((*evidence, promise), ME, suffices, free_suffices=free).outcome
            assert after is before or after is not Outcome.PROVED
    if decide(evidence, ME, suffices, free_suffices=False).outcome is Outcome.PROVED:
        assert decide(evidence, ME, suffices).outcome is Outcome.PROVED


@many
@given(EVIDENCE, POLICY)
def test_what_suffices_with_more_asked_for_suffices_with_less(evidence: tuple[Evidence, ...], suffices: Policy) -> None:
    both = tuple(tuple(dict.fromkeys((*names, "power"))) for names in suffices)
    if decide(evidence, ME, both).outcome is Outcome.PROVED:
        assert decide(evidence, ME, suffices).outcome is Outcome.PROVED


@many
@given(st.lists(ANY_ITEM, max_size=9).map(tuple))
def test_silence_alone_never_proves(evidence: tuple[Evidence, ...]) -> None:
    quiet = tuple(replace(known, says=Says.SILENT) for known in evidence)
    assert decide(quiet, ME).outcome is Outcome.NOT_PROVED


@many
@given(EVIDENCE)
def test_the_order_of_evidence_does_not_matter(evidence: tuple[Evidence, ...]) -> None:
    assert decide(evidence, ME).outcome is decide(tuple(reversed(evidence)), ME).outcome


def test_no_evidence_at_all_proves_nothing() -> None:
    assert decide((), ME).outcome is Outcome.NOT_PROVED
