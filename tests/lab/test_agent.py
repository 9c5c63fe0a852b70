"""tanist-agent on two real hosts: what changes is on the other node seconds later; it dies, and nothing is lost."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator

import pytest

from lab.lab import Lab
from lab.layout import REPOSITORY
from tests.lab.stage import Stage, make_stage, open_lab

CONF = "/etc/postgresql/15/main/conf.d/server.conf"
MIRROR = "/var/lib/tanist/postgresql/mirror"
PATIENCE = 60.0  # seconds that anything may take on a busy machine
KB = 60 * 1024


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab("ag", tanist=True) as made:
        yield made


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Stage:
    made = make_stage(lab, "postgresql", "ext4", "host")
    for node in ("ec-a", "ec-b"):
        made.sh(node, "echo OPTIONS=--listen 127.0.0.1:9789 | sed 's/=\\(.*\\)/=\"\\1\"/' > /etc/default/tanist-agent")
        made.sh(node, "systemctl enable -q --now tanist-agent")
    return made


def wait_until(look: Callable[[], bool], what: str) -> float:
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < PATIENCE, what
        time.sleep(0.1)
    return time.monotonic() - began


def mirrored(stage: Stage, node: str, text: str) -> bool:
    """Whether the newest capture that was mirrored to that node holds it, in a file that lies outside the tree."""
    words = f"grep -rqs -- {shlex.quote(text)} {MIRROR} && echo yes || true"
    return stage.sh(node, words) == "yes"


def agent_pid(stage: Stage, node: str) -> str:
    return stage.sh(node, "systemctl show -p MainPID --value tanist-agent")


def test_a_change_on_the_active_node_is_on_the_other_one_seconds_later(stage: Stage) -> None:
    stage.sh("ec-a", f"echo '# first change' >> {CONF}")
    wait_until(lambda: mirrored(stage, "ec-b", "# first change"), "the change was not mirrored")
    stage.sh("ec-a", f"cp {CONF} /root/new && echo '# second change' >> /root/new && mv /root/new {CONF}")
    wait_until(lambda: mirrored(stage, "ec-b", "# second change"), "a file that was replaced was not mirrored")


def test_a_change_while_the_agent_is_dead_is_caught_up_with(stage: Stage) -> None:
    pid = agent_pid(stage, "ec-a")
    stage.sh("ec-a", f"kill -9 {pid}; echo '# while it was dead' >> {CONF}")
    wait_until(lambda: mirrored(stage, "ec-b", "# while it was dead"), "the change was lost")
    assert agent_pid(stage, "ec-a") not in ("0", pid)


@pytest.mark.parametrize("node", ["ec-a", "ec-b"])
def test_readiness_is_served_logged_with_fields_and_shown(stage: Stage, node: str) -> None:
    ask = "python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:9789/metrics').read().decode())\""
    want = 'tanist_readiness{controller="postgresql",taker="ec-b",owner="ec-a"} 0'
    wait_until(lambda: want in stage.sh(node, ask), "no readiness was served")
    wait_until(
        lambda: "READY" in stage.sh(node, "systemctl show -p StatusText --value tanist-agent"), "systemctl shows none"
    )
    line = stage.sh(node, "journalctl -o json -n1 TANIST_VERDICT=READY TANIST_CONTROLLER=postgresql")
    assert json.loads(line)["MESSAGE"] == "postgresql: READY"


def test_check_tells_a_node_whose_agent_does_not_run(stage: Stage) -> None:
    stage.sh("ec-b", "systemctl stop tanist-agent")
    body = stage.sh("ec-a", "tanist check postgresql --json || true")
    stage.sh("ec-b", "systemctl start tanist-agent")
    grades = {one["name"]: one["grade"] for one in json.loads(body)[0]["findings"]}
    assert (grades["agent ec-a"], grades["agent ec-b"]) == ("good", "warning")


def test_it_is_small(stage: Stage) -> None:
    for node in ("ec-a", "ec-b"):
        status = stage.sh(node, f"grep VmRSS /proc/{agent_pid(stage, node)}/status")
        assert int(status.split()[1]) < KB, status


def test_it_may_not_mount_nor_reboot_nor_set_the_clock(stage: Stage) -> None:
    """The unit's own restrictions around a shell that tries."""
    unit = (REPOSITORY / "src/tanist/units/tanist-agent.service").read_text()
    kept = ("NoNew", "Lock", "Restrict", "SystemCall", "Capability")
    limits = [word for line in unit.splitlines() if line.startswith(kept) for word in ("-p", line)]
    forbidden = {"mount": "mount -t tmpfs none /mnt", "date": "date -s 2001-01-01", "reboot": "reboot -f -f"}
    tries = "; ".join(f"{what} > /dev/null || echo {name}" for name, what in forbidden.items())
    ran = stage.lab.exec("ec-b", ["systemd-run", "-q", "--wait", "--pipe", *limits, "sh", "-c", tries])
    assert ran.stdout.split() == [b"mount", b"date", b"reboot"], ran.stderr
    assert "Private" not in unit and "Protect" not in unit, "a mount namespace would hold the asset mounted"


def test_a_switchover_goes_on_beside_it_and_the_new_owner_captures(stage: Stage) -> None:
    stage.tanist("ec-a", "switchover")
    assert stage.status("ec-b")["state"] == "active"
    assert stage.status("ec-a")["state"] == "standby"
    stage.sh("ec-b", f"echo '# of the new owner' >> {CONF}")
    wait_until(lambda: mirrored(stage, "ec-a", "# of the new owner"), "the new owner's change was not mirrored")
    stage.tanist("ec-b", "switchover")
    assert stage.status("ec-a")["state"] == "active"
