"""Drills on two real hosts, PostgreSQL at work on the active one: what they show, and that nobody else sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.controllers.nspawn import give_nspawn
from lab.lab import Lab
from lab.layout import node_spec
from tests.lab.stage import Stage, make_stage, open_lab

HOME = "/var/lib/tanist/postgresql/drill"
DEFINITION = "/etc/tanist/controllers/postgresql.toml"
OPSCENTER = "/etc/tanist/controllers/opscenter.toml"
PATIENCE = 300.0  # seconds that anything may take on a busy machine
DROP_IN = "/etc/systemd/system/postgresql@15-main.service.d/drift.conf"
OWN_USERS = "the rehearsal in its cell, in a user namespace of its own"
DRIFT = "[Service]\nExecStartPre=/bin/sh -c 'echo libpq is of another version >&2; exit 1'\n"
# What a drill could leave: mounts, processes of a cell, namespaces, units, files.
TRACES = f"""
grep -c . /proc/self/mountinfo
readlink /proc/[0-9]*/ns/net | sort -u | wc -l
readlink /proc/[0-9]*/ns/pid | sort -u | wc -l
pgrep -c 'systemd-nspawn|postgres' || true
systemctl list-units --all --no-legend 'tanist-drill*' | wc -l
ls -d {HOME} 2>/dev/null || true
ip -o link | wc -l
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab("dr", tanist=True) as made:
        give_nspawn(made)
        yield made


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    made = make_stage(lab, "postgresql", "ext4", "host")
    made.tanist("ec-a", "capture")
    made.ledger.start()
    yield made


def wait_until(look: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < PATIENCE, what
        time.sleep(0.05)


def drill(stage: Stage, status: int = 0) -> dict[str, Any]:
    ran = stage.run("ec-b", "tanist", "drill", stage.kind, "--json")
    assert ran.status == status, ran.out + ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def production(stage: Stage) -> str:
    """The claim on the disk, the mount and the addresses of the active node."""
    script = f"sha256sum {stage.tree}/.tanist/claim; grep -w {stage.tree} /proc/mounts; ip -o addr; hostname"
    return stage.sh("ec-a", script)


def macs_on_the_wire(stage: Stage) -> set[str]:
    """Everybody who has said anything so far, and the hosts."""
    hosts = {node_spec(node).mac("svc") for node in ("ec-a", "ec-b", "client")}
    return hosts | {one.mac for one in stage.lab.observer.sightings()}


def traces(stage: Stage) -> str:
    return stage.sh("ec-b", TRACES)


@pytest.mark.requirement("A28")
def test_a_drill_shows_a_whole_takeover_while_production_works_on_and_nobody_sees_it(stage: Stage) -> None:
    before, clean = production(stage), traces(stage)
    known = macs_on_the_wire(stage)
    stage.sh("ec-a", f"echo untouched > {stage.tree}/witness; sync")
    written, server = len(stage.ledger.acks()), stage.sql("select pg_postmaster_start_time()")
    result = drill(stage)
    stage.ledger.wait_ack(time.monotonic())
    assert len(stage.ledger.acks()) > written and stage.sql("select pg_postmaster_start_time()") == server
    assert result["result"] == "passed" and all(step["ok"] for step in result["steps"])
    assert "15/main as the service's own backup" in result["data"]
    assert OWN_USERS in [step["says"] for step in result["steps"]]
    seen = " ".join(result["checked"])
    for word in ("host name db", stage.address, "postgresql@15-main.service active", "owners by name"):
        assert word in seen, result["checked"]
    assert {"services start", "mmp wait", "mount and journal replay"} <= {one["name"] for one in result["forecast"]}
    assert production(stage) == before
    assert stage.sh("ec-a", f"cat {stage.tree}/witness") == "untouched"
    assert traces(stage) == clean and stage.activity("ec-b") == []
    assert macs_on_the_wire(stage) == known
    assert stage.wire_owners() == ["ec-a"]
    (entry,) = [one for one in stage.history("ec-b") if one["kind"] == "drill"]
    assert (entry["outcome"], entry["run"]) == ("done", result["run"])
    assert "PASSED on ec-b" in stage.tanist("ec-b", "drill", "--last")


def test_on_the_active_node_there_is_no_drill(stage: Stage) -> None:
    assert "a drill is for a standby" in stage.refused("ec-a", 3, "drill")


@pytest.mark.parametrize(
    "sign", [f"{HOME}/tree", f"{HOME}/cell.json", f"{HOME}/exchange/journal.jsonl"], ids=["copy", "cell", "rehearsal"]
)
def test_a_drill_that_is_killed_takes_its_cell_with_it_and_the_rest_is_found_and_removed(
    stage: Stage, sign: str
) -> None:
    clean = traces(stage)
    stage.sh("ec-b", "systemd-run -q --collect --unit=victim /usr/local/bin/tanist drill postgresql")
    wait_until(lambda: stage.run("ec-b", "test", "-e", sign).status == 0, f"{sign} came")
    stage.sh("ec-b", "systemctl kill --kill-who=main -s KILL victim")
    wait_until(lambda: stage.run("ec-b", "pgrep", "systemd-nspawn|postgres").status == 1, "the cell ended")
    status = stage.status("ec-b")
    assert f"a drill was cut off and left {HOME}" in status["why"]
    assert "nothing of a drill" in stage.tanist("ec-b", "drill", "--clean")
    wait_until(lambda: traces(stage) == clean, f"{clean} is there again, not {traces(stage)}")
    assert not stage.status("ec-b")["why"] and stage.activity("ec-b") == []


def test_a_service_that_does_not_start_fails_the_drill_with_its_own_words(stage: Stage) -> None:
    stage.sh("ec-b", f"mkdir -p {DROP_IN.rsplit('/', 1)[0]}; printf '%s' \"{DRIFT}\" > {DROP_IN}")
    clean = traces(stage)
    result = drill(stage, status=1)
    assert "start postgresql@15-main.service" in result["says"] and "libpq is of another version" in result["words"]
    assert traces(stage) == clean
    said = stage.run("ec-b", "tanist", "check", "postgresql")
    assert "warning  drill: the last drill on ec-b" in said.out, said.out
    stage.sh("ec-b", f"rm -r {DROP_IN.rsplit('/', 1)[0]}; systemctl daemon-reload")


def test_a_drill_on_the_real_thing_needs_a_window_and_ends_where_it_began(stage: Stage) -> None:
    assert "names no window" in stage.refused("ec-b", 3, "drill", "--destructive-switchover")
    for node in ("ec-a", "ec-b"):
        stage.sh(node, f"sed -i 's/^# window = .*/window = [\"daily 00:00-00:00\"]/' {DEFINITION}")
    said = stage.tanist("ec-b", "drill", "--destructive-switchover")
    assert "PASSED" in said and "postgresql was on ec-b and is on ec-a again" in said
    assert stage.status("ec-a")["state"] == "active" and stage.activity("ec-b") == []
    stage.ledger.wait_ack(time.monotonic())
    stage.ledger.stop()
    verdict = stage.ledger.verify()
    assert (verdict.status, verdict.missing, verdict.twice) == (0, 0, 0), verdict


# in memory, so that the copy could be seen through an id map (ext4 or xfs on most nodes; here the root is an overlay)
SCRATCH = '[drill]\\nscratch = "/dev/shm"\\nuser_namespace = true\\n'
SECOND = '[[identity.address]]\\naddress = "10.88.0.61/24"\\ninterface = "svc0"\\n'


@pytest.fixture(scope="module")
def ops(lab: Lab, stage: Stage) -> Stage:
    """Beside postgresql, whose node's name it leaves alone; a second address is in its definition only."""
    made = make_stage(lab, "opscenter", "xfs", "alias")
    for node in ("ec-a", "ec-b"):
        made.sh(node, f"sed -i 's|^\\[outside\\]|{SECOND}{SCRATCH}&|' {OPSCENTER}; tanist definition check {OPSCENTER}")
    made.tanist("ec-a", "capture")
    return made


def test_a_drill_of_several_services_with_binds_exports_cron_and_two_addresses(ops: Stage) -> None:
    token = ops.log_in()
    jobs, before, clean = ops.jobs(token), production(ops), traces(ops)
    known, mounts = macs_on_the_wire(ops), ops.sh("ec-a", "cat /proc/mounts /proc/sys/kernel/hostname")
    result = drill(ops)
    assert result["result"] == "passed" and all(step["ok"] for step in result["steps"]), result
    seen, steps = " ".join(result["checked"]), " ".join(one["says"] for one in result["steps"])
    for word in (*(f"{unit} active" for unit in ops.units), "address 10.88.0.60", "address 10.88.0.61", "health: "):
        assert word in seen, result["checked"]
    for word in ("export osp/share/allstart", "/etc/cron.d/sun-xvm", *ops.binds):
        assert word in steps, steps
    assert sum("start sun-xvm" in one["says"] for one in result["steps"]) == len(ops.units) == 3
    assert production(ops) == before and traces(ops) == clean
    assert ops.sh("ec-a", "cat /proc/mounts /proc/sys/kernel/hostname") == mounts
    assert macs_on_the_wire(ops) == known and ops.activity("ec-b") == []
    assert [one["id"] for one in ops.jobs(token)][: len(jobs)] == [one["id"] for one in jobs]
    assert {"binds and exports", "cron and ssh keys"} <= {one["name"] for one in result["forecast"]}
    assert OWN_USERS in steps and "in a user namespace the kernel gives no id map" in steps


def test_without_a_user_namespace_the_copy_is_seen_through_an_id_map(ops: Stage) -> None:
    for node in ("ec-a", "ec-b"):
        ops.sh(node, f"sed -i 's/^user_namespace = true/user_namespace = false/' {OPSCENTER}")
    clean = traces(ops)
    steps = " ".join(one["says"] for one in drill(ops)["steps"])
    assert "without a user namespace: [drill] user_namespace is false" in steps
    assert "ids by name" in steps and "re-own" not in steps and traces(ops) == clean
