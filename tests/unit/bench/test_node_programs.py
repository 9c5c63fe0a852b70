"""What runs on the nodes while something is measured."""

from __future__ import annotations

import json
import sys

import pytest

from bench.node import pairs, timed
from bench.takeover import numbers_on


def test_a_timed_command_tells_when_it_began_and_ended_and_how(capsys: pytest.CaptureFixture[str]) -> None:
    timed.main(["--", sys.executable, "-c", "import sys, time; time.sleep(0.05); print('so'); sys.exit(3)"])
    report = json.loads(capsys.readouterr().out)
    assert report["ended"] - report["began"] >= 0.05
    assert (report["status"], report["said"], report["let_go"]) == (3, "so\n", None)


def test_an_asset_that_was_never_here_is_let_go_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    timed.main(["--let-go", "/no/such/tree", "192.0.2.1", "--", "sleep", "0.1"])
    report = json.loads(capsys.readouterr().out)
    assert report["began"] < report["let_go"] < report["ended"]


def test_a_mounted_tree_is_not_let_go() -> None:
    assert not timed.is_let_go("/", "192.0.2.1")


def test_pairs_leave_the_first_round_out(capsys: pytest.CaptureFixture[str]) -> None:
    pairs.main(["2", "true", "sleep 0.02"])
    found = json.loads(capsys.readouterr().out)
    assert len(found["first"]) == len(found["second"]) == 2
    assert min(found["second"]) >= 0.02


def test_the_nodes_number_the_service_account_differently() -> None:
    assert numbers_on("ec-a") != numbers_on("ec-b")
