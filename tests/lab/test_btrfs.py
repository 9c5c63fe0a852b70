"""A whole life on btrfs: taken after a power cut, and after a release that the disk does not prove.

One story in the order of the file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.lab.stage import Stage, make_stage, open_lab


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_lab("bt", tanist=True) as lab:
        yield make_stage(lab, "postgresql", "btrfs", "host")


def verify_all(stage: Stage) -> None:
    stage.ledger.stop()
    verdict = stage.ledger.verify()
    assert (verdict.status, verdict.missing, verdict.twice) == (0, 0, 0), verdict.evidence


@pytest.mark.requirement("A14", "A42")
def test_a_switchover_takes_the_releasing_nodes_word(stage: Stage) -> None:
    stage.ledger.start()
    begun = time.monotonic()
    stage.switch("ec-a", "ec-b")
    assert stage.activity("ec-b") == stage.expected_activity("ec-b") and stage.activity("ec-a") == []
    stage.ledger.wait_ack(begun)
    verify_all(stage)


def test_a_cut_owners_claim_is_read_from_its_log_and_nothing_acknowledged_is_lost(stage: Stage) -> None:
    stage.ledger.start()
    assert stage.lab.cut("ec-b").disks["asset0"] == "copy"
    said = stage.refused("ec-a", 4, "takeover")
    assert "held by ec-b" in said
    stage.tanist("ec-a", "takeover", "--attest", "its power was cut")
    assert stage.activity("ec-a") == stage.expected_activity("ec-a")
    stage.ledger.wait_ack(time.monotonic())
    verify_all(stage)
    stage.lab.boot("ec-b")
    assert stage.activity("ec-b") == [], "an ex-owner boots inert"


def test_a_released_disk_alone_proves_nothing(stage: Stage) -> None:
    """It looks the same where a node that mounted it was frozen before it raised the claim."""
    stage.tanist("ec-a", "release", "--reason", "work on the machine")
    stage.lab.cut("ec-a")
    said = stage.refused("ec-b", 4, "takeover")
    assert "btrfs keeps no mark of being mounted" in said
    stage.tanist("ec-b", "takeover", "--attest", "it was released, and is off")
    assert stage.activity("ec-b") == stage.expected_activity("ec-b")
    verdict = stage.ledger.verify()
    assert (verdict.status, verdict.missing, verdict.twice) == (0, 0, 0), verdict.evidence
