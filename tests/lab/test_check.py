"""`tanist check` on two real hosts: ready; then one thing after the other is broken, found by name, and mended."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.lab import Lab
from lab.layout import node_spec
from tanist.parity.finding import mark_of
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
    """Grades of what is not good, by name; no time source is followed in a lab, no power switch is set up, disks and
    interfaces are virtual, no drill was made, and the agents are off so that only the test acts."""
    known = {"clock", "drill", "fence", "mount guard", "redundancy", "paths ec-a", "paths ec-b"}
    known |= {"agent ec-a", "agent ec-b"}
    known |= {"network path svc0 of ec-a", "network path svc0 of ec-b", "storage check ec-a", "storage check ec-b"}
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


STARTS = "/etc/fstab mounts /dev/asset0 at /var/lib/postgresql at boot: remove that line"
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
        {f"self-starting ec-b {mark_of(STARTS)}": "blocks"},
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


def test_what_does_not_do_its_work_on_the_owner_is_told_by_both_nodes_and_by_the_watch(stage: Stage) -> None:
    stage.sh("ec-a", f"systemctl stop {UNIT}; ip address del 10.88.0.50/24 dev svc0")
    seen = {node: check(stage, node) for node in ("ec-a", "ec-b")}
    look = "for i in $(seq 60); do tanist status postgresql --json | grep 'is not on' && exit; sleep 1; done"
    why = stage.sh("ec-a", look)
    stage.sh("ec-a", f"ip address add 10.88.0.50/24 dev svc0; systemctl start {UNIT}")
    for found in seen.values():
        told = {one["subject"]: one["says"] for one in found["findings"] if one["kind"] == "services"}
        assert (
            told[UNIT] == f"on ec-a: {UNIT} is inactive" and told["10.88.0.50"] == "on ec-a: 10.88.0.50 is not on svc0"
        )
        assert any(one.startswith(("tcp ", "command ")) for one in told), told
        assert found["verdict"] == "READY"
    assert f"{UNIT} is inactive; 10.88.0.50 is not on svc0" in why
    assert bad(check(stage)) == {}


def test_an_accepted_finding_stays_in_the_list_and_does_not_count(stage: Stage) -> None:
    stage.sh("ec-b", "systemctl disable -q tanist-gate@postgresql")
    said = stage.sh("ec-b", "tanist check postgresql --accept 'gate ec-b' --reason 'new unit tomorrow' --for 12h")
    found = check(stage)
    stage.sh("ec-b", "tanist enable postgresql")
    assert said.startswith("accepted by ") and said.endswith(": new unit tomorrow")
    assert bad(found) == {"gate ec-b": "blocks"} and found["verdict"] == "READY"


# ---- one standby for several primaries

SIDE = """format = 1
name = "side"
[asset]
kind = "directory"
[tree]
path = "/srv/side"
[identity]
mode = "{mode}"
hostname = "{hostname}"
ssh_host_keys = "/etc/tanist/identity/{keys}"
[[identity.address]]
address = "{address}/24"
interface = "svc0"
[outside]
files = ["{file}"]
[[service]]
unit = "{unit}"
[[health]]
kind = "tcp"
address = "{address}"
port = {port}
[[node]]
name = "ec-b"
ssh = "root@10.99.0.12"
management = ["10.99.0.12"]
[[node]]
name = "ec-a"
ssh = "root@10.99.0.11"
management = ["10.99.0.11"]
"""
OWN = {
    "mode": "alias", "hostname": "side", "keys": "side", "address": "10.88.0.70", "file": "/etc/side.conf",
    "unit": "side.service", "port": "7070",
}  # fmt: skip
THEIRS = {  # what postgresql has, and the words that tell it
    "mode": ("host", 'both are in mode "host"'),
    "hostname": ("db", "both have the host name db"),
    "keys": ("postgresql", "/etc/tanist/identity/postgresql"),
    "address": ("10.88.0.50", "both have the address 10.88.0.50"),
    "file": ("/etc/postgresql/15/main/pg_hba.conf", "/etc/postgresql/15/main"),
    "unit": (UNIT, f"both have the unit {UNIT}"),
    "port": ("5432", "both listen on port 5432 (tcp)"),
}
SERVE = """[Service]
ExecStart=/usr/bin/python3 -m http.server --bind 10.88.0.70 --directory /srv/side 7070
"""


def define_side(stage: Stage, **changes: str) -> None:
    text = SIDE.format(**{**OWN, **changes})
    for node in ("ec-a", "ec-b"):
        stage.run(node, "tee", "/etc/tanist/controllers/side.toml", stdin=text.encode())


def clash_of(stage: Stage) -> tuple[str, str]:
    """(grade, words) of what check says about the other controller of the standby."""
    (one,) = [one for one in check(stage)["findings"] if one["kind"] in ("conflict", "shared standby")]
    return one["grade"], one["says"]


def test_what_two_controllers_of_one_standby_both_want_is_told_before_it_happens(stage: Stage) -> None:
    define_side(stage, **{what: value for what, (value, _) in THEIRS.items()})
    grade, told = clash_of(stage)
    assert grade == "warning"
    assert [what for what, (_, says) in THEIRS.items() if says not in told] == [], told


def test_a_second_controller_is_active_on_the_standby_and_conflicts_block(stage: Stage) -> None:
    define_side(stage)
    for node in ("ec-a", "ec-b"):
        stage.run(node, "tee", "/etc/systemd/system/side.service", stdin=SERVE.encode())
        stage.sh(node, "mkdir -p /srv/side; echo side > /etc/side.conf; systemctl daemon-reload")
    # of the node's own sshd: the service address of mode host, where postgresql's clients find its keys, and no other
    listen = "printf 'ListenAddress 10.99.0.12\\nListenAddress 10.88.0.50\\n' > /etc/ssh/sshd_config.d/own.conf"
    stage.sh("ec-b", f"{listen}; systemctl restart ssh; tanist enable side; tanist init side")
    assert clash_of(stage) == ("good", "no other controller of ec-b wants what this one has")
    assert bad(check(stage)) == {}
    define_side(stage, port="5432", address="10.88.0.50")
    grade, told = clash_of(stage)
    define_side(stage)
    assert grade == "blocks" and "side is active on ec-b" in told and "both have the address 10.88.0.50" in told


def close_look(stage: Stage, node: str) -> dict[str, str]:
    """Grades by name. A lab's one disk is a finding, so the status is 1."""
    done = stage.lab.exec(node, ["tanist", "storage", "check", "postgresql", "--measure", "--json"])
    assert done.returncode == 1, done.stderr
    (found,) = json.loads(done.stdout)
    return {str(one["name"]): str(one["grade"]) for one in found["findings"]}


@pytest.mark.requirement("A14", "A17", "A18", "A19", "A23")
def test_a_close_look_at_the_storage_is_kept_and_told_by_both_nodes(stage: Stage) -> None:
    own = close_look(stage, "ec-a")
    assert {own[name] for name in ("shared disk /dev/asset0", "capacity ec-a", "storage speed ec-a")} == {"good"}
    assert (own["storage check ec-a"], own["redundancy"]) == ("good", "warning")
    tree = stage.sh("ec-a", "findmnt -no TARGET /dev/asset0 | head -n 1")
    assert "measuring" not in stage.sh("ec-a", f"ls -A {tree}/.tanist")
    both = close_look(stage, "ec-b")
    assert {both[f"storage {what} {node}"] for what in ("check", "speed") for node in ("ec-a", "ec-b")} == {"good"}
    said = {one["name"]: one["says"] for one in check(stage)["findings"]}
    assert "fsyncs per second" in said["storage speed ec-a"] and "fsyncs" not in said["storage speed ec-b"]


# ---- names: a name server on the third machine, which both nodes ask

NAME_SERVER = Path(__file__).with_name("on_node_dns.py")
RIGHT = {"db.lab.test": "10.88.0.50", "50.0.88.10.in-addr.arpa": "db.lab.test"}
WRONG = {"db.lab.test": "10.88.0.99", "50.0.88.10.in-addr.arpa": "old.lab.test"}
RESOLV_CONF = f"search lab.test\nnameserver {node_spec('client').svc_ip}\n"
ASK_IT = "f=/etc/resolv.conf; mv $f /root/resolv.conf 2>/dev/null; cat > $f"
ASK_AS_BEFORE = "f=/etc/resolv.conf; rm $f; mv /root/resolv.conf $f 2>/dev/null; sed -i '/10.88.0.50/d' /etc/hosts"
READY = "until ss -Hlun sport = 53 | grep -q .; do sleep 0.1; done"


@pytest.fixture
def asking(stage: Stage) -> Iterator[Stage]:
    for node in ("ec-a", "ec-b"):
        stage.lab.exec(node, ["sh", "-c", ASK_IT], input=RESOLV_CONF.encode())
        stage.sh(node, "echo 10.88.0.50 db >> /etc/hosts")
    yield stage
    for node in ("ec-a", "ec-b"):
        stage.lab.exec(node, ["sh", "-c", ASK_AS_BEFORE], check=True)


def serve_names(stage: Stage, zone: dict[str, str]) -> None:
    stage.lab.push("client", NAME_SERVER, "/root/dns.py")
    stage.sh("client", "systemctl stop -q dns 2>/dev/null; true")
    stage.sh("client", f"systemd-run -q --unit=dns --collect python3 /root/dns.py {shlex.quote(json.dumps(zone))}")
    stage.sh("client", READY)


def say_dns(found: dict[str, Any]) -> tuple[str, str]:
    (one,) = [one for one in found["findings"] if one["name"] == "DNS"]
    return one["grade"], one["says"]


def test_dns_that_agrees_with_the_hosts_files(asking: Stage) -> None:
    serve_names(asking, RIGHT)
    assert asking.sh("ec-b", "getent -s dns ahostsv4 db").startswith("10.88.0.50"), "the C library believes it, too"
    assert say_dns(check(asking)) == ("good", "DNS and /etc/hosts say the same of its names, as far as both know them")


def test_dns_that_a_hosts_file_hides_is_told_apart(asking: Stage) -> None:
    serve_names(asking, WRONG)
    assert asking.sh("ec-b", "getent ahostsv4 db").startswith("10.88.0.50"), "its own programs see nothing of it"
    grade, says = say_dns(check(asking))
    assert grade == "warning"
    for node in ("ec-a", "ec-b"):
        assert f"db is 10.88.0.50 in /etc/hosts of {node}, and 10.88.0.99 in DNS" in says
        assert f"DNS on {node} calls 10.88.0.50 old.lab.test, and it is db's" in says


def test_a_name_server_that_is_silent_cannot_tell_and_holds_nothing_up(asking: Stage) -> None:
    asking.sh("client", "systemctl kill -s STOP dns")
    found = check(asking)
    asking.sh("client", "systemctl kill -s KILL dns")
    assert say_dns(found) == (
        "warning",
        "cannot tell: "
        + "; ".join(f"{node}: {node_spec('client').svc_ip} does not answer" for node in ("ec-a", "ec-b")),
    )
    assert found["verdict"] == "READY"
    assert say_dns(check(asking))[1].count("Connection refused") == 2, "nothing listens there now"


# ---- the owner is dead from here on


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


def test_a_takeover_comes_to_a_node_that_has_another_controller_active_and_both_answer(stage: Stage) -> None:
    """Of two, one in mode host: the node takes its name and keys; the other, in mode alias, keeps its own."""
    side_keys = "cut -d' ' -f2 /etc/tanist/identity/side/ssh_host_ed25519_key.pub"
    key = stage.sh("ec-b", side_keys)
    stage.sh("ec-b", "tanist takeover postgresql --attest 'the power of ec-a was cut'", timeout=300)
    assert stage.sh("ec-b", "hostname") == "db"
    states = {name: stage.sh("ec-b", f"tanist status {name} --json || true") for name in ("side", "postgresql")}
    assert {name: json.loads(text)["state"] for name, text in states.items()} == dict.fromkeys(states, "active")
    assert stage.sh("client", "python3 -c \"import urllib.request as u; u.urlopen('http://10.88.0.70:7070/')\"") == ""
    assert stage.sql("SELECT 1") == "1"
    scanned = {
        at: stage.sh("client", f"ssh-keyscan -t ed25519 {at} 2>/dev/null") for at in ("10.88.0.70", "10.88.0.50")
    }
    assert scanned["10.88.0.70"].split()[-1] == key
    own = stage.sh("ec-b", "cut -d' ' -f2 /etc/tanist/identity/postgresql/ssh_host_ed25519_key.pub")
    assert scanned["10.88.0.50"].split()[-1] == own != key
    stage.sh("ec-b", "tanist release postgresql", timeout=300)
    assert stage.sh("ec-b", "hostname") == "ec-b"
    assert json.loads(stage.sh("ec-b", "tanist status side --json || true"))["state"] == "active"
