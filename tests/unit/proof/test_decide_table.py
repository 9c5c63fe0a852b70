"""The verdict: a table of every combination against an independent oracle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import pytest

from tanist.model.evidence import Evidence, Outcome, Says
from tanist.proof.decide import Policy, decide
from tests.unit.proof.evidence import HELD, LIFE, ME, POLICIES, SEEN, SILENT_SERVICE, item

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

    def bound(self, *, promised: bool, free: bool) -> bool:
        """Whoever this node gave its word to, or beside whom it finds the claim free, is neither heard nor off."""
        out = self.word is Says.INACTIVE or self.power in ("cut since", "cut before", "found off")
        return not out and (promised or (not free and self.claim.startswith("released")))

    def expected(self, suffices: Policy, *, promised: bool = False, free: bool = True) -> Outcome:
        if self.alive:
            return Outcome.ALIVE
        released = self.claim == "released by peer" and self.storage is Says.RELEASED
        said = self.claim in ("released by peer", "held by peer") and self.word is Says.INACTIVE
        untouched = self.storage in (Says.RELEASED, Says.MINE) or self.word is Says.INACTIVE
        mine = self.claim == "mine" or (self.claim == "released by me" and untouched)
        if (mine or released or said) and not self.bound(promised=promised, free=free):
            return Outcome.PROVED
        enough = any(all(self.proved(name) for name in names) for names in suffices)
        return Outcome.PROVED if enough else Outcome.NOT_PROVED


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


# -- the same where this node gave its word, and where a claim that is free is not enough
PROMISED = item("promise", "ec-a", Says.PROMISED)


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("free", [True, False], ids=["free-suffices", "free-needs-a-word"])
@pytest.mark.parametrize("promised", [True, False], ids=["promised", "not-promised"])
def test_a_word_that_was_given_and_a_claim_that_is_free_need_an_answer(promised: bool, free: bool) -> None:
    seen = dict.fromkeys(Outcome, 0)
    for row in ROWS[::3]:
        evidence = (*row.evidence, PROMISED) if promised else row.evidence
        for suffices in POLICIES[:2]:
            outcome = decide(evidence, ME, suffices, free_suffices=free).outcome
            assert outcome is row.expected(suffices, promised=promised, free=free), row
            seen[outcome] += 1
    assert all(seen.values())


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
