"""Hooks on two real hosts: what they are told of a takeover, and that none of what they do reaches it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest

from lab.controllers.install import install_tanist
from lab.lab import Lab
from lab.machine import why_no_lab
from tests.lab.stage import Stage, make_stage

PATIENCE = 90.0
PROGRAMS = {
    "10-hang": "sleep 1000",
    "20-fork": "for i in $(seq 200); do setsid sleep 1000 & done; exit 0",
    "30-fail": "echo no room >&2; exit 3",
    "40-flood": "yes | head -c 20000000; yes > /root/flood",
    "50-good": "cat >> /root/events",
}
UNITS = "systemctl list-units --all --plain --no-legend 'tanist-courier-*'"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    reason = why_no_lab()
    if reason is not None:
        pytest.skip(reason)
    made = Lab(f"hk{os.getpid()}")
    try:
        made.up()
        install_tanist(made)
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Stage:
    made = make_stage(lab, "postgresql", "ext4", "host")
    for name, script in PROGRAMS.items():
        path = f"/etc/tanist/hooks.d/{name}"
        made.sh(
            "ec-b", f"mkdir -p /etc/tanist/hooks.d; printf '#!/bin/sh\\n%s\\n' '{script}' > {path}; chmod 755 {path}"
        )
    return made


def test_hooks_that_hang_fork_fail_and_flood_are_told_and_do_not_reach_the_takeover(stage: Stage) -> None:
    stage.tanist("ec-a", "switchover")
    assert stage.status("ec-b")["state"] == "active"
    began = time.monotonic()
    while "run-ended" not in (said := stage.sh("ec-b", "cat /root/events 2>/dev/null || true")):
        assert time.monotonic() - began < PATIENCE, said
        time.sleep(0.5)
    events = [json.loads(line) for line in said.splitlines()]
    names = [one["event"] for one in events]
    assert names[0] == "run-began" and names[-1] == "run-ended" and events[-1]["outcome"] == "done"
    assert {one["stage"] for one in events if one["event"] == "stage-done"} >= {"acquire", "assume"}


def test_nothing_of_them_is_left_and_what_went_wrong_is_in_the_journal(stage: Stage) -> None:
    began = time.monotonic()
    while stage.sh("ec-b", UNITS):
        assert time.monotonic() - began < PATIENCE + 60, stage.sh("ec-b", UNITS)
        time.sleep(1.0)
    assert stage.sh("ec-b", "pgrep -c -f 'sleep 1000' || true") in ("0", "1"), "pgrep's own shell at most"
    said = stage.sh("ec-b", "journalctl -q -o cat -t tanist-courier")
    assert "10-hang (run-began): no end within its time" in said and "30-fail" in said and "no room" in said
    assert int(stage.sh("ec-b", "stat -c %s /root/flood")) <= 64 << 20
    stage.tanist("ec-b", "switchover")
