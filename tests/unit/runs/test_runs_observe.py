"""How long one looks before a takeover: as long as the proof needs. No silence that a proof rests on is cut short."""

from __future__ import annotations

from tanist.model.evidence import Evidence, Outcome, Source
from tanist.runs.observe import Observation, observe
from tanist.runs.release import release
from tests.unit.runs.world import World


def about(observation: Observation, source: Source) -> tuple[Evidence, ...]:
    return tuple(item for item in observation.evidence if item.source == source)


def listened(observation: Observation) -> set[str]:
    return {item.detail.rpartition(" for ")[2] for item in about(observation, "service-address")}


def test_after_a_clean_release_a_moment_is_enough(world: World) -> None:
    release(world.session("ec-a"))
    found = observe(world.session("ec-b"), "")
    assert found.verdict.outcome is Outcome.PROVED
    assert listened(found) == {"0.2 s"}
    assert [word.state for word in found.words] == ["inactive"]


def test_a_persons_word_counts_only_beside_the_whole_silence(world: World) -> None:
    release(world.session("ec-a"))
    world.dirty = True
    world.a.power_off()
    found = observe(world.session("ec-b"), "I saw its lamps go out")
    assert "attested" in found.verdict.reasons[0]
    assert listened(found) == {"0.6 s"}


def test_a_persons_word_is_kept_also_where_nobody_needed_it(world: World) -> None:
    release(world.session("ec-a"))
    found = observe(world.session("ec-b"), "I saw its lamps go out")
    assert listened(found) == {"0.2 s"} and about(found, "attestation")


def test_an_owner_that_did_not_release_is_listened_for_as_long_as_ever(world: World) -> None:
    world.a.power_off()
    found = observe(world.session("ec-b"), "")
    assert found.verdict.outcome is Outcome.NOT_PROVED
    assert listened(found) == {"0.6 s"}
