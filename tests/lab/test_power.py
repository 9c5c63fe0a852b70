"""Power as a proof, on real hosts: a frozen owner is cut off by a fence agent, and never writes again.

One story in the order of the file; the fence agent and its switch are the lab's own (lab/bmc.py).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from lab.controllers.power import PASSWORD, define_power, fit_power
from tests.lab.stage import Stage, make_stage, open_lab


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_lab("pw", tanist=True) as lab:
        made = make_stage(lab, "postgresql", "ext4", "host")
        fit_power(lab)
        yield made


def state_of(stage: Stage, node: str) -> str:
    return {one.name: one.state for one in stage.lab.status().nodes}[node]


@pytest.mark.requirement("A05", "A42")
def test_a_frozen_owner_is_not_proved_dead_and_the_refusal_offers_the_fence(stage: Stage) -> None:
    define_power(stage.lab, "postgresql")
    stage.ledger.start()
    stage.ledger.wait_ack(time.monotonic())
    stage.lab.freeze("ec-a")
    said = stage.refused("ec-b", 4, "takeover", "--attest", "its lamps are out")
    assert "tanist takeover postgresql --fence" in said
    assert "switch ec-a off and read it back: fence_tanistlab 10.99.0.1 ec-a" in said
    assert "power" in said and "says on" in said
    assert PASSWORD not in said


@pytest.mark.requirement("A05")
def test_a_fence_that_cannot_reach_its_device_stops_nothing_and_everything_is_undone(stage: Stage) -> None:
    define_power(stage.lab, "postgresql", ip="10.99.0.250")
    ran = stage.run("ec-b", "tanist", "takeover", "postgresql", "--fence")
    assert ran.status == 8, ran.out + ran.err
    assert "cannot tell" in ran.err and "Everything was undone: ec-b is what it was before" in ran.err
    assert "is not switched on again" in ran.err
    assert stage.activity("ec-b") == [] and state_of(stage, "ec-a") == "frozen"


@pytest.mark.requirement("A05")
def test_a_plug_of_another_machine_is_found_because_the_owner_still_answers(stage: Stage) -> None:
    """The device says off, and tells the truth of the wrong machine."""
    define_power(stage.lab, "postgresql", plugs={"ec-a": "spare"})
    ran = stage.run("ec-b", "tanist", "takeover", "postgresql", "--fence")
    assert ran.status == 8, ran.out + ran.err
    assert "verdict: ALIVE" in ran.err and "10.88.0.50" in ran.err
    assert stage.activity("ec-b") == [] and state_of(stage, "ec-a") == "frozen"


@pytest.mark.requirement("A05", "A42", "A43")
def test_with_power_that_is_cut_and_read_back_the_takeover_goes_on_and_no_zombie_writes(stage: Stage) -> None:
    define_power(stage.lab, "postgresql")
    said = stage.tanist("ec-b", "takeover", "--fence", "--reason", "ec-a hangs")
    stage.owners.append("ec-b")
    assert "verdict: PROVED" in said and "ec-a has no power" in said
    assert "answered since" in said, "what was heard of the frozen owner is kept beside the proof"
    assert PASSWORD not in said
    assert state_of(stage, "ec-a") == "off"
    assert stage.activity("ec-b") == stage.expected_activity("ec-b")
    assert stage.sql("select 1") == "1"
    entry = stage.last_run("ec-b")
    assert (entry["verdict"], entry["outcome"]) == ("PROVED", "done")
    assert any(item["source"] == "power" and item["says"] == "off" for item in entry["evidence"])
    kept = stage.sh("ec-b", "cat /var/lib/tanist/postgresql/runs/done/* /var/lib/tanist/postgresql/*.jsonl 2>/dev/null")
    assert PASSWORD not in kept


@pytest.mark.requirement("A05", "A61")
def test_the_old_owner_comes_back_as_a_standby(stage: Stage) -> None:
    stage.lab.boot("ec-a")
    assert stage.activity("ec-a") == []
    assert stage.status("ec-a")["state"] == "standby"
    assert stage.wire_owners() == ["ec-a", "ec-b"]


def test_what_the_pair_has_is_told_and_tried(stage: Stage) -> None:
    ran = stage.run("ec-b", "tanist", "proofs", "postgresql")
    assert ran.status == 0, ran.out + ran.err
    assert re.search(r"power +ec-a +READY +fence_tanistlab 10.99.0.1 ec-a says on; answered in [\d.]+ s", ran.out)
    assert "--attest is not enough here" in ran.out and PASSWORD not in ran.out
    found = json.loads(stage.run("ec-b", "tanist", "proofs", "postgresql", "--json").out)
    assert (found["policy"], found["lacking"]) == ([["power"]], [])
    assert {one["engine"] for one in found["findings"] if one["state"] == "ready"} == {"power", "word"}


@pytest.mark.requirement("A05", "A42")
def test_an_owner_that_is_found_without_power_is_proved_dead_without_a_persons_word(stage: Stage) -> None:
    stage.lab.cut("ec-b")
    said = stage.tanist("ec-a", "takeover")
    stage.owners.append("ec-a")
    assert "ec-b has no power: fence_tanistlab 10.99.0.1 ec-b says off" in said
    assert stage.activity("ec-a") == stage.expected_activity("ec-a")
    assert stage.sql("select 1") == "1"
    stage.ledger.wait_ack(time.monotonic())
    stage.ledger.stop()
    verdict = stage.ledger.verify()
    assert verdict.status == 0, f"every acknowledged write is there: {verdict}"


@pytest.mark.requirement("A05", "A63")
def test_a_word_is_kept_on_its_disk_and_what_was_released_needs_one_or_the_fence(stage: Stage) -> None:
    """By power alone: the claim is free, and the one that let it go is cut off from all networks."""
    stage.lab.boot("ec-b")
    stage.tanist("ec-a", "release")
    stage.tanist("ec-b", "takeover")
    stage.owners.append("ec-b")
    note = json.loads(stage.sh("ec-a", "cat /var/lib/tanist/postgresql/promised.json"))
    assert [(one["node"], one["run"]) for one in note["promises"]] == [("ec-b", stage.last_run("ec-b")["run"])]
    assert "gave ec-b its word" not in stage.status("ec-a")["why"], "the claim is past it"
    stage.tanist("ec-b", "release")
    stage.lab.isolate("ec-b")
    said = stage.refused("ec-a", 4, "takeover")
    assert "the claim is free, but ec-b gives no word and is not seen to be off" in said
    assert "tanist takeover postgresql --fence    (switch ec-b off and read it back" in said
    said = stage.tanist("ec-a", "takeover", "--fence")
    stage.owners.append("ec-a")
    assert "verdict: PROVED" in said and state_of(stage, "ec-b") == "off"
    assert any(item["source"] == "power" and item["says"] == "off" for item in stage.last_run("ec-a")["evidence"])
    assert stage.activity("ec-a") == stage.expected_activity("ec-a")
