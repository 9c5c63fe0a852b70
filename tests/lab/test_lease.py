"""A lease as a proof, on real hosts with the real sanlock: an owner that is cut off, then frozen past its lease.

One story in the order of the file. The nodes have no watchdog and are guests by what the machine says of itself, so
that a lease counts beside a person's word only. A frozen container is the zombie whose clock has gone on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from lab.controllers.install import install_tanist
from lab.controllers.lease import DEVICE, define_lease, fit_lease
from lab.lab import Lab
from lab.machine import why_no_lab
from tests.lab.stage import Stage, make_stage

IO_TIMEOUT = 1  # runs out after 68 s, the least that sanlock knows
ATTEST = ("--attest", "its lamps are out")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    reason = why_no_lab()
    if reason is not None:
        pytest.skip(reason)
    lab = Lab(f"ls{os.getpid()}")
    try:
        lab.up()
        install_tanist(lab)
        made = make_stage(lab, "postgresql", "ext4", "host")
        fit_lease(lab)
        define_lease(lab, "postgresql", io_timeout=IO_TIMEOUT, suffices=("lease", "lease+attestation"))
        yield made
    finally:
        lab.down()


def lease(stage: Stage, node: str, verb: str, *words: str, status: int = 0) -> str:
    ran = stage.run(node, "tanist", "lease", verb, "postgresql", *words)
    assert ran.status == status, ran.out + ran.err
    return ran.out + ran.err


def await_said(stage: Stage, node: str, wanted: str, seconds: float = 60) -> str:
    end = time.monotonic() + seconds
    while wanted not in (said := lease(stage, node, "status")):
        assert time.monotonic() < end, said
        time.sleep(0.5)
    return said


def test_a_place_that_is_not_blank_or_somebody_elses_is_never_written_over(stage: Stage) -> None:
    stage.sh("ec-a", f"printf 'precious' | dd of={DEVICE} bs=512 seek=99 conv=notrunc,fsync status=none")
    assert "is not blank" in lease(stage, "ec-a", "init", "--without-watchdog", status=3)
    assert stage.sh("ec-a", f"dd if={DEVICE} bs=512 skip=99 count=1 status=none | head -c 8") == "precious"
    stage.sh("ec-a", f"dd if=/dev/zero of={DEVICE} bs=1M count=4 conv=notrunc,fsync status=none")
    assert "no /dev/watchdog" in lease(stage, "ec-a", "init", status=3)


def test_the_leases_are_made_once_and_both_nodes_join(stage: Stage) -> None:
    assert "now holds the lockspace tanist-postgresql" in lease(stage, "ec-a", "init", "--without-watchdog")
    assert "now holds" not in lease(stage, "ec-b", "init", "--without-watchdog")
    assert "now holds" not in lease(stage, "ec-a", "init", "--without-watchdog")
    said = lease(stage, "ec-a", "status")
    assert "in the lockspace, does not hold the lease" in said and "no watchdog" in said


@pytest.mark.requirement("A63")
def test_the_owner_takes_it_with_a_takeover_and_gives_it_back_with_a_release(stage: Stage) -> None:
    stage.tanist("ec-a", "release")
    assert "take the lease on /dev/asset1" in stage.tanist("ec-a", "takeover")
    assert "ec-a: in the lockspace, holds the lease" in lease(stage, "ec-a", "status")
    stage.switch("ec-a", to="ec-b")
    assert "holds the lease" in lease(stage, "ec-b", "status")
    assert "does not hold the lease" in lease(stage, "ec-a", "status")
    await_said(stage, "ec-a", "ec-b: renewed its lease")
    assert lease(stage, "ec-b", "give-back", status=3)


@pytest.mark.requirement("A05", "A42", "A43")
def test_an_owner_behind_a_cut_network_is_alive_by_its_lease_whatever_a_person_says(stage: Stage) -> None:
    stage.lab.isolate("ec-b")
    assert "ec-b renews its lease" in stage.refused("ec-a", 4, "takeover", *ATTEST)
    ran = stage.run("ec-a", "tanist", "takeover", "postgresql", "--fence", *ATTEST)
    assert ran.status == 8 and "it is alive: renewed its lease" in ran.err, ran.err
    assert stage.activity("ec-a") == [] and stage.activity("ec-b") == stage.expected_activity("ec-b")


@pytest.mark.requirement("A05", "A42")
def test_a_frozen_owner_is_waited_for_until_its_lease_ran_out(stage: Stage) -> None:
    stage.lab.freeze("ec-b")
    await_said(stage, "ec-a", "it runs out in")
    ran = stage.run("ec-a", "tanist", "takeover", "postgresql", "--fence")
    assert ran.status == 8 and "proves nothing alone" in ran.err, ran.err  # the nodes are guests
    said = stage.tanist("ec-a", "takeover", "--fence", *ATTEST)
    stage.owners.append("ec-a")
    assert "wait until the lease of ec-b has run out" in said and "not renewed for" in said
    assert "holds the lease" in lease(stage, "ec-a", "status")
    assert stage.activity("ec-a") == stage.expected_activity("ec-a")
    assert stage.last_run("ec-a")["verdict"] == "PROVED"


@pytest.mark.requirement("A44", "A61")
def test_the_zombie_finds_out_by_itself_and_holds_nothing(stage: Stage) -> None:
    """Its file system is the owner's, in one kernel: what it cuts off is not looked at here (test_gate.py does)."""
    stage.lab.thaw("ec-b")
    end = time.monotonic() + 120
    while stage.activity("ec-b") and time.monotonic() < end:
        time.sleep(0.5)
    assert stage.activity("ec-b") == []
    stage.lab.join("ec-b")
    await_said(stage, "ec-b", "in the lockspace, does not hold the lease", 120)
    await_said(stage, "ec-b", "ec-a: renewed its lease", 120)
    assert "ec-a has the lease" in stage.sh("ec-b", "journalctl -u tanist-watch@postgresql --no-pager")
