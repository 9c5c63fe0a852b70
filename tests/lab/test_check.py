"""`tanist check` on two real hosts: ready; then one thing after the other is broken, found by name, and mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.lab import Lab
from tests.lab.stage import Stage, make_stage, open_lab

UNIT = "postgresql@15-main.service"
DROP_INS = f"/etc/systemd/system/{UNIT}.d"
DEFINITION = "/etc/tanist/controllers/postgresql.toml"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab("ck", tanist=True) as made:
        yield made


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Stage:
    made = make_stage(lab, "postgresql", "ext4", "host")
    made.sh("ec-b", "tanist captures verify postgresql > /dev/null")
    return made


def check(stage: Stage, node: str = "ec-b") -> dict[str, Any]:
    done = stage.lab.exec(node, ["tanist", "check", "postgresql", "--json"])
    (found,) = json.loads(done.stdout)
    assert done.returncode == {"READY": 0, "READY WITH LOSS": 10, "NOT READY": 20}[found["verdict"]], done.stderr
    return dict(found)


def bad(found: dict[str, Any]) -> dict[str, str]:
    """Grades of what is not good, by name; no time source is followed in a lab, no power switch is set up, no drill
    was made."""
    known = ("clock", "drill", "fence", "mount guard")
    return {
        one["name"]: one["grade"] for one in found["findings"] if one["grade"] != "good" and one["name"] not in known
    }


@pytest.mark.requirement("A09", "A12", "A13", "A15")
@pytest.mark.parametrize("node", ["ec-a", "ec-b"])
def test_a_new_pair_is_ready_seen_from_either_node(stage: Stage, node: str) -> None:
    found = check(stage, node)
    assert (bad(found), found["verdict"]) == ({}, "READY")
    assert (found["taker"], found["owner"], found["owner_seen"]) == ("ec-b", "ec-a", "now")
    told = {one["name"]: one["says"] for one in found["findings"]}
    assert told["wire svc0 of ec-b"].startswith("ec-a answered on" if node == "ec-b" else "ec-b answered on")
    assert int(told["packages"].split()[0]) > 20


# what breaks it on ec-b, what mends it, and what is found
BREAKS = [
    (f"systemctl mask -q {UNIT}", f"systemctl unmask -q {UNIT}", {f"unit {UNIT}": "blocks"}),
    (
        "systemd-run -q --unit=squatter python3 -m http.server 5432; "
        "until ss -Hltn sport = 5432 | grep -q .; do sleep 0.1; done",
        "systemctl stop squatter",
        {"port": "blocks"},
    ),
    ("ip link set svc0 mtu 1400", "ip link set svc0 mtu 1500", {"link 10.88.0.50": "warning"}),
    (f"cp -p {DEFINITION} /root/d; echo >> {DEFINITION}", f"mv /root/d {DEFINITION}", {"definition": "blocks"}),
    ("systemctl disable -q tanist-gate@postgresql", "tanist enable postgresql", {"gate ec-b": "blocks"}),
    (
        "cp -p /etc/fstab /root/f; echo '/dev/asset0 /var/lib/postgresql ext4 defaults 0 0' >> /etc/fstab",
        "mv /root/f /etc/fstab",
        {"self-starting ec-b 1": "blocks"},
    ),
    (
        "cp -p /etc/postgresql/15/main/pg_hba.conf /root/h; echo '# mine' >> /etc/postgresql/15/main/pg_hba.conf",
        "mv /root/h /etc/postgresql/15/main/pg_hba.conf",
        {"edited files": "warning"},
    ),
    ("echo 10.88.0.77 db >> /etc/hosts", "sed -i '/10.88.0.77/d' /etc/hosts", {"names": "warning"}),
    ("usermod -aG games postgres", "gpasswd -d postgres games", {"account entries": "warning"}),
    (
        f"mkdir -p {DROP_INS}; printf '[Service]\\nNice=5\\n' > {DROP_INS}/nice.conf; systemctl daemon-reload",
        f"rm -r {DROP_INS}; systemctl daemon-reload",
        {"unit files": "warning"},
    ),
    ("systemctl stop cron", "systemctl start cron", {"cron": "blocks"}),
]


@pytest.mark.parametrize(("breaks", "mends", "expected"), BREAKS, ids=[one[0].split()[1] for one in BREAKS])
def test_what_is_broken_on_the_standby_is_found_by_its_name(
    stage: Stage, breaks: str, mends: str, expected: dict[str, str]
) -> None:
    stage.sh("ec-b", breaks)
    found = check(stage)
    stage.sh("ec-b", mends)
    assert bad(found) == expected


def test_a_third_machine_with_the_service_address_is_found(stage: Stage) -> None:
    stage.sh("client", "ip address add 10.88.0.50/24 dev svc0")
    seen = {node: bad(check(stage, node)) for node in ("ec-a", "ec-b")}
    stage.sh("client", "ip address del 10.88.0.50/24 dev svc0; ip neigh flush dev svc0")
    assert seen["ec-a"] == {"duplicate address 10.88.0.50": "blocks"}
    assert seen["ec-b"].get("duplicate address 10.88.0.50") == "blocks"


def test_an_accepted_finding_stays_in_the_list_and_does_not_count(stage: Stage) -> None:
    stage.sh("ec-b", "systemctl disable -q tanist-gate@postgresql")
    said = stage.sh("ec-b", "tanist check postgresql --accept 'gate ec-b' --reason 'new unit tomorrow' --for 12h")
    found = check(stage)
    stage.sh("ec-b", "tanist enable postgresql")
    assert said.startswith("accepted by ") and said.endswith(": new unit tomorrow")
    assert bad(found) == {"gate ec-b": "blocks"} and found["verdict"] == "READY"


@pytest.mark.requirement("A29")
def test_with_the_owner_dead_it_is_compared_as_it_was(stage: Stage) -> None:
    stage.sh("ec-b", "tanist check postgresql > /dev/null")
    stage.lab.cut("ec-a")
    found = check(stage)
    assert found["verdict"] == "READY" and found["owner_seen"] not in ("now", "never")
    assert {"owner", "reach ec-b to ec-a"} <= set(bad(found)) <= {"owner", "reach ec-b to ec-a", "wire svc0 of ec-b"}
    stage.sh("ec-b", "rm /var/lib/tanist/postgresql/readout-ec-a.json")
    found = check(stage)
    names = {one["name"]: one["grade"] for one in found["findings"]}
    assert (names["version"], names["interface 10.88.0.50"], names["owner"]) == ("good", "good", "warning")
    text = stage.sh("ec-b", "tanist check postgresql --textfile /tmp/t.prom > /dev/null; cat /tmp/t.prom")
    assert 'tanist_readiness{controller="postgresql",taker="ec-b",owner="ec-a"} 0' in text
