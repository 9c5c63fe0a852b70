"""The verdict: a table of every combination against an independent oracle, and what must never make it safer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.model.evidence import Evidence, Outcome, Says, Source
from tanist.proof.decide import PERSON, Policy, decide, strong_proof

ME = "ec-b"


SEEN = 10.0  # when whatever is seen is seen, in the table


def item(source: Source, about: str, says: Says, at: float = SEEN) -> Evidence:
    return Evidence(source=source, about=about, says=says, detail=f"{source} of {about} says {says.value}", at=at)


CLAIMS = {
    "mine": item("claim", ME, Says.MINE),
    "released by peer": item("claim", "ec-a", Says.RELEASED),
    "released by me": item("claim", ME, Says.RELEASED),
    "held by peer": item("claim", "ec-a", Says.HELD),
    "held by a stranger": item("claim", "ec-z", Says.HELD),
    "unreadable": item("claim", "/dev/asset", Says.UNKNOWN),
}
STORAGE = (Says.RELEASED, Says.MINE, Says.UNKNOWN, Says.ACTIVE)
WORD = (Says.ACTIVE, Says.ALIVE, Says.INACTIVE, Says.UNKNOWN)
SERVICE = (Says.ACTIVE, Says.SILENT, Says.MINE, Says.UNKNOWN)
MANAGEMENT = (Says.ALIVE, Says.INACTIVE, Says.SILENT, Says.UNKNOWN)


def expected(claim: str, storage: Says, word: Says, service: Says, management: Says, attested: bool) -> Outcome:
    """The rules once more, written from the design note and not from the code."""
    if (
        storage is Says.ACTIVE
        or word in (Says.ACTIVE, Says.ALIVE)
        or service is Says.ACTIVE
        or management is Says.ALIVE
    ):
        return Outcome.ALIVE
    untouched = storage in (Says.RELEASED, Says.MINE) or word is Says.INACTIVE
    if claim == "mine" or (claim == "released by me" and untouched):
        return Outcome.PROVED
    if claim == "released by peer" and storage is Says.RELEASED:
        return Outcome.PROVED
    if claim in ("released by peer", "held by peer") and word is Says.INACTIVE:
        return Outcome.PROVED
    quiet = service in (Says.SILENT, Says.MINE) and (management is Says.SILENT or word is Says.INACTIVE)
    return Outcome.PROVED if attested and quiet else Outcome.NOT_PROVED


def observed(
    claim: str, storage: Says, word: Says, service: Says, management: Says, attested: bool
) -> tuple[Evidence, ...]:
    return (
        CLAIMS[claim],
        item("storage", "/dev/asset", storage),
        item("peer", "ec-a", word),
        item("service-address", "10.88.0.50", service),
        item("management-address", "ec-a", management),
        *((item("attestation", "ann", Says.ATTESTED),) if attested else ()),
    )


@pytest.mark.requirement("A05", "A42")
def test_every_combination_gives_the_expected_verdict() -> None:
    seen = dict.fromkeys(Outcome, 0)
    for row in product(CLAIMS, STORAGE, WORD, SERVICE, MANAGEMENT, (False, True)):
        verdict = decide(observed(*row), ME)
        assert verdict.outcome is expected(*row), row
        assert verdict.reasons and all(verdict.reasons), row
        assert bool(verdict.would_suffice) == (verdict.outcome is not Outcome.PROVED), row
        seen[verdict.outcome] += 1
    assert all(seen.values()) and sum(seen.values()) == 6 * 4 * 4 * 4 * 4 * 2


@pytest.mark.requirement("A05")
def test_in_no_row_of_the_table_does_a_cannot_tell_help() -> None:
    for row in product(CLAIMS, STORAGE, WORD, SERVICE, MANAGEMENT, (False, True)):
        evidence = observed(*row)
        if expected(*row) is Outcome.NOT_PROVED:
            for at, known in enumerate(evidence):
                blurred = (*evidence[:at], replace(known, says=Says.UNKNOWN), *evidence[at + 1 :])
                assert decide(blurred, ME).outcome is Outcome.NOT_PROVED, (row, known)


# -- the same with fences: what each can say, and when it was seen to
POWER: dict[str, tuple[Evidence, ...]] = {
    "no device": (),
    "cut since": (item("power", "ec-a", Says.OFF, 20.0),),
    "cut before": (item("power", "ec-a", Says.OFF, 5.0),),
    "found off": (item("power", "ec-a", Says.OFF, 0.0),),
    "on": (item("power", "ec-a", Says.ON, 20.0),),
    "one of two": (item("power", "ec-a", Says.OFF, 20.0), item("power", "ec-a", Says.UNKNOWN, 20.0)),
}
RESERVATION: dict[str, tuple[Evidence, ...]] = {
    "none": (),
    "read back since": (item("reservation", "/dev/asset", Says.FENCED, 20.0),),
    "read back before": (item("reservation", "/dev/asset", Says.FENCED, 5.0),),
    "cannot tell": (item("reservation", "/dev/asset", Says.UNKNOWN, 20.0),),
}
POLICIES: tuple[Policy, ...] = (
    PERSON,
    (("power",),),
    (("reservation",), ("power", "attestation")),
    (("power", "reservation"),),
    (("lease",), ("lease", "attestation")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    claim: str
    storage: Says
    word: Says
    service: Says
    management: Says
    attested: bool
    power: str
    reservation: str

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        seen = observed(self.claim, self.storage, self.word, self.service, self.management, self.attested)
        return (*seen, *POWER[self.power], *RESERVATION[self.reservation])

    @property
    def owner_known(self) -> bool:
        """By name, and something besides signs of life was seen of it."""
        more = self.word not in LIFE or self.management not in LIFE or self.power != "no device"
        return self.claim in ("released by peer", "held by peer", "released by me") and more

    @property
    def alive(self) -> bool:
        """Only what was cut after the sign was seen answers it; of a stranger or an unknown owner nobody knows."""
        cut, fenced = self.power == "cut since", self.reservation == "read back since"
        elsewhere = Says.ACTIVE in (self.service, self.storage) and not (cut and self.owner_known)
        machine = self.management is Says.ALIVE and not (cut or fenced)
        return elsewhere or machine or (self.word in LIFE and not cut)

    def proved(self, name: str) -> bool:
        gone = self.service is Says.ACTIVE  # answered since, and nobody was asked again
        match name:
            case "power":
                return self.owner_known and self.power in ("cut since", "cut before", "found off")
            case "reservation":
                return (
                    self.reservation.startswith("read back")
                    and self.service in (Says.SILENT, Says.MINE)
                    and self.claim != "unreadable"
                )
            case "lease":
                return False
            case _:
                silent = self.management is Says.SILENT
                quiet = gone or self.service in (Says.SILENT, Says.MINE)
                return self.attested and quiet and (silent or self.word is Says.INACTIVE)

    def expected(self, suffices: Policy) -> Outcome:
        if self.alive:
            return Outcome.ALIVE
        released = self.claim == "released by peer" and self.storage is Says.RELEASED
        said = self.claim in ("released by peer", "held by peer") and self.word is Says.INACTIVE
        untouched = self.storage in (Says.RELEASED, Says.MINE) or self.word is Says.INACTIVE
        mine = self.claim == "mine" or (self.claim == "released by me" and untouched)
        if mine or released or said:
            return Outcome.PROVED
        enough = any(all(self.proved(name) for name in names) for names in suffices)
        return Outcome.PROVED if enough else Outcome.NOT_PROVED


LIFE = (Says.ACTIVE, Says.ALIVE)
ROWS = tuple(
    Row(
        claim=claim,
        storage=storage,
        word=word,
        service=service,
        management=management,
        attested=attested,
        power=power,
        reservation=reservation,
    )
    for claim, storage, word, service, management, attested, power, reservation in product(
        CLAIMS, STORAGE, WORD, SERVICE, MANAGEMENT, (False, True), POWER, RESERVATION
    )
)


@pytest.mark.parametrize("suffices", POLICIES, ids=str)
def test_every_combination_with_fences_gives_the_expected_verdict(suffices: Policy) -> None:
    seen = dict.fromkeys(Outcome, 0)
    for row in ROWS:
        outcome = decide(row.evidence, ME, suffices).outcome
        assert outcome is row.expected(suffices), row
        seen[outcome] += 1
    assert all(seen.values()) and sum(seen.values()) == 3072 * len(POWER) * len(RESERVATION)


# -- the same with a lease
LEASE: dict[str, tuple[Evidence, ...]] = {
    "ran out": (item("lease", "ec-a", Says.LAPSED, 20.0),),
    "ran out before": (item("lease", "ec-a", Says.LAPSED, 5.0),),
    "of a guest": (item("lease", "ec-a", Says.STALE, 20.0),),
    "cannot tell": (item("lease", "ec-a", Says.UNKNOWN, 20.0),),
    "renewed": (item("lease", "ec-a", Says.ALIVE),),
    "renewed, then ran out": (item("lease", "ec-a", Says.ALIVE), item("lease", "ec-a", Says.LAPSED, 20.0)),
    "renewed, then of a guest": (item("lease", "ec-a", Says.ALIVE), item("lease", "ec-a", Says.STALE, 20.0)),
}
ALONE, BESIDE = (("lease",),), (("lease", "attestation"),)


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("suffices", [ALONE, BESIDE], ids=str)
def test_every_combination_with_a_lease_gives_the_expected_verdict(suffices: Policy) -> None:
    """By the rules as the design note has them: a lease is its node's, and says nothing of machine, word or address."""
    seen = dict.fromkeys(Outcome, 0)
    rows = product(CLAIMS, (Says.RELEASED, Says.UNKNOWN), WORD, SERVICE, MANAGEMENT, (False, True), LEASE)
    for claim, storage, word, service, management, attested, lease in rows:
        found = decide((*observed(claim, storage, word, service, management, attested), *LEASE[lease]), ME, suffices)
        free = expected(claim, storage, word, service, management, False)
        owner = claim in ("released by peer", "held by peer", "released by me")
        out = lease.startswith("ran out") or lease == "renewed, then ran out"
        company = attested and (management is Says.SILENT or word is Says.INACTIVE)
        enough = out if suffices is ALONE else company and (out or lease.endswith("of a guest"))
        proved = owner and enough and service in (Says.SILENT, Says.MINE)
        wanted = Outcome.PROVED if free is Outcome.NOT_PROVED and proved else free
        if lease == "renewed":
            wanted = Outcome.ALIVE
        assert found.outcome is wanted, (claim, storage, word, service, management, attested, lease)
        seen[found.outcome] += 1
    assert all(seen.values())


def test_power_cut_since_answers_a_renewal_and_a_reservation_does_not() -> None:
    renewed = item("lease", "ec-a", Says.ALIVE, SEEN)
    cut, fenced = POWER["cut since"], RESERVATION["read back since"]
    assert decide((HELD, SILENT_SERVICE, renewed, *cut), ME, (("power",),)).outcome is Outcome.PROVED
    assert decide((HELD, SILENT_SERVICE, renewed, *POWER["cut before"]), ME, (("power",),)).outcome is Outcome.ALIVE
    assert decide((HELD, SILENT_SERVICE, renewed, *fenced), ME, (("reservation",),)).outcome is Outcome.ALIVE


# -- properties over whatever evidence
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


# -- single rules, in words
HELD = item("claim", "ec-a", Says.HELD)
ATTESTED = item("attestation", "ann", Says.ATTESTED)
SILENT_A = item("management-address", "ec-a", Says.SILENT)
SILENT_C = item("management-address", "ec-c", Says.SILENT)
SILENT_SERVICE = item("service-address", "10.88.0.50", Says.SILENT)


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
