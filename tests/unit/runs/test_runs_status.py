"""A status is said whatever the disks do: it is the first thing that is typed when something is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tanist.cli.status import render
from tanist.plan import places
from tanist.runs.status import ACTIVE, NEEDS_A_PERSON, Status
from tests.unit.runs.test_runs_watch import told
from tests.unit.runs.world import World


def status_of(world: World) -> Status:
    return told(world, "ec-a")


def loop(path: str) -> None:
    """What is there can't be read any more: a link to itself (ELOOP)."""
    os.rename(path, f"{path}.was")
    os.symlink(os.path.basename(path), path)


def test_a_tree_that_cannot_be_read_any_more_is_told(world: World) -> None:
    loop(f"{world.top}/disk/.tanist")
    status = status_of(world)
    assert status.state == NEEDS_A_PERSON and "can't be read" in status.why
    assert (status.newest_capture, status.claim_seen) == ("", "here")


def test_captures_that_cannot_be_listed_are_none(world: World) -> None:
    path = Path(f"{world.top}/disk/.tanist/captures")
    if path.exists():
        path.rename(f"{path}.was")
    path.write_text("no directory")
    assert status_of(world).newest_capture == "" and status_of(world).state == "active"


def test_a_run_that_is_filed_away_at_that_moment_is_none(world: World) -> None:
    journal = f"{places.STATE}/oc/runs/20231114T221320000-release-ec-a.jsonl"
    os.symlink("moved", world.a.files.real(journal))  # listed, and not there when it is read
    assert status_of(world).open_run == "" and status_of(world).state == "active"


def test_a_tree_that_does_not_answer_is_not_read_and_the_watch_s_words_are_told(world: World) -> None:
    """Whoever reads what hangs hangs too; seen on a real kernel."""
    worry = world.a.files.real(places.worry("oc"))
    Path(worry).parent.mkdir(parents=True, exist_ok=True)
    says = "the claim can't be read: no answer within 5 s"
    Path(worry).write_text(json.dumps({"says": says, "node": "ec-a", "hangs": True}))
    loop(f"{world.top}/disk/.tanist")  # a read would fail, and be told
    status = status_of(world)
    assert (status.state, status.why, status.claim_seen) == (ACTIVE, says, "last seen")
    assert (status.owner, status.epoch, status.newest_capture) == ("ec-a", 1, "")
    assert "last capture  not known" in render(status)

    Path(worry).write_text(json.dumps({"says": "another machine answers", "node": "ec-a", "hangs": False}))
    assert status_of(world).state == NEEDS_A_PERSON
