"""A pair that is ready, and one thing after the other wrong with it: just that is found, and weighs what it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tanist.model.accepted import Accepted
from tanist.model.codec import decode, encode
from tanist.model.definition import Drill
from tanist.model.drill import Drilled
from tanist.model.hardware import Space
from tanist.model.host import Answer
from tanist.model.nfs import NfsReadout
from tanist.model.pair import Pair, Wire
from tanist.model.readout import (
    Disk,
    Edited,
    Expiry,
    Firewall,
    Link,
    Listener,
    Name,
    Packages,
    Reach,
    Readout,
    Setting,
)
from tanist.model.serving import Fault
from tanist.model.unread import Unread
from tanist.parity.drills import SCHEDULED
from tanist.parity.finding import mark_of
from tanist.parity.kinds import KINDS
from tanist.parity.metrics import render_metrics
from tanist.parity.network import lets_in, url_port
from tanist.parity.readiness import assess
from tests.unit.parity.besides import DIFFERENCES, SAME, UNITS
from tests.unit.parity.pairs import (
    ADDRESS,
    ANSWERS,
    ASKED,
    MACS,
    NEWEST,
    NOW,
    OWNER,
    PAIR,
    SUBJECT,
    TAKER,
    not_good,
    owner,
    taker,
    unit,
    wire,
)


def other(difference: str) -> Pair:
    """The taker; of a feature of the asset the owner knows."""
    change = DIFFERENCES[difference][0]
    if difference == "a feature of tomorrow":
        return owner(facts=replace(OWNER.facts, beside=change(SAME)))
    return taker(facts=replace(TAKER.facts, beside=change(SAME)))


def with_unit(**changes: Any) -> Pair:
    return taker(units=(replace(unit(UNITS[0]), **changes), *TAKER.units[1:]))  # type: ignore[index]


@pytest.mark.requirement("A15")
def test_a_pair_that_is_alike_is_ready() -> None:
    found = assess(PAIR)
    assert not_good(found) == []
    assert (found.verdict, found.loss, found.owner_seen) == ("READY", "", "now")
    assert len(found.found) > 30
    assert len({one.name for one in found.found}) == len(found.found), "a name means one finding"


LACKS, MOUNTS = "/opt/sun/xvmoc/bin/satadm is missing", "/etc/fstab mounts it"
ONE_WRONG: dict[str, Callable[[], Pair]] = {
    "architecture": lambda: taker(facts=replace(TAKER.facts, architecture="aarch64")),
    "operating system": lambda: taker(facts=replace(TAKER.facts, os_version="13")),
    "version": lambda: taker(facts=replace(TAKER.facts, version="2.1.0.956")),
    f"interface {ADDRESS}": lambda: taker(
        facts=replace(TAKER.facts, interfaces=(replace(TAKER.facts.interfaces[0], carrier=False),))
    ),
    "kernel": lambda: taker(facts=replace(TAKER.facts, kernel="6.1.0-17-amd64")),
    "unit files": lambda: other("a drop-in less"),
    "account entries": lambda: other("a group less"),
    "numbers": lambda: taker(
        numbers=replace(TAKER.numbers, no_idmap="ext4 of this kernel takes no id maps")  # type: ignore[type-var]
    ),
    "exports": lambda: other("an export less"),
    "mounts": lambda: other("noexec"),
    "file system": lambda: other("a feature of tomorrow"),
    "definition": lambda: taker(definition="e" * 64),
    "tool": lambda: taker(tool="tanist 0.9"),
    "packages": lambda: taker(packages=Packages(installed=(), owners=(), needed=())),
    "settings": lambda: taker(settings=(Setting(name="vm.swappiness", value="10"),)),
    "limits": lambda: with_unit(limits=(("LimitNOFILE", "1024"),)),
    "security module": lambda: taker(security=("selinux enforcing",)),
    "clock": lambda: replace(PAIR, skew=-7.0),
    f"duplicate address {ADDRESS}": lambda: wire(*ANSWERS, Answer(address=ADDRESS, mac="02:00:00:00:00:66")),
    f"wire {SUBJECT}": lambda: wire(ANSWERS[2]),
    "gateway 10.88.0.1 on ec-b": lambda: wire(*ANSWERS[:2]),
    f"link {ADDRESS}": lambda: taker(links=(Link(name="svc0", mtu=1400, speed=1000),)),
    "firewall": lambda: taker(firewall=Firewall(drops=True, accepts=("tcp 8080", "udp 21165"))),
    "names": lambda: taker(names=(Name(name="ec", addresses=("10.88.0.99", "127.0.1.1")),)),
    f"fit {mark_of(LACKS)}": lambda: taker(unfit=(LACKS,)),
    "accounts": lambda: taker(missing_accounts=("account ucectl",)),
    f"unit {UNITS[0]}": lambda: with_unit(loaded="masked"),
    "port": lambda: taker(listeners=(Listener(protocol="tcp", address="*", port=8080, process="nginx"),)),
    "space /etc": lambda: taker(space=(Space(path="/etc", free=1 << 20, size=1 << 35, inodes_free=100_000),)),
    "edited files": lambda: taker(edited=(Edited(path="/etc/sun-xvm/ec.conf", at=NOW - 5),)),
    "nfs server": lambda: taker(units=tuple(one for one in TAKER.units if one.name != "nfs-server.service")),  # type: ignore[union-attr]
    "other exports ec-b": lambda: taker(nfs=NfsReadout(others=("/home",), grace=90, lockd_grace=50)),
    "nfs grace ec-a": lambda: owner(nfs=NfsReadout(others=(), grace=120, lockd_grace=50)),
    "cron": lambda: taker(units=tuple(one for one in TAKER.units if one.name != "cron.service")),  # type: ignore[union-attr]
    "gate ec-b": lambda: taker(gate_lacks=("tanist-gate@opscenter.service",)),
    "gate ec-a": lambda: owner(gate_lacks=("tanist-gate@opscenter.service",)),
    f"self-starting ec-b {mark_of(MOUNTS)}": lambda: taker(self_starting=(MOUNTS,)),
    "asset": lambda: taker(disk=Disk(device="/dev/asset1", size=1 << 30, uuid="other", fstype="ext4")),
    "capture": lambda: owner(captures=replace(OWNER.captures, made=NOW - 9e4, checked=NOW - 9e4)),
    "mirror": lambda: taker(captures=replace(TAKER.captures, newest="20260101T080000.000Z-e1-ec-a")),
    "drill": lambda: taker(drilled=Drilled(good=NOW - 86400, last=NOW, result="failed", says="no start")),
    "certificate /etc/sun-xvm/tls.pem": lambda: owner(
        expiries=(Expiry(path="/etc/sun-xvm/tls.pem", title="CN = ec", at=NOW + 86400),)
    ),
    "reach ec-a to ec-b": lambda: owner(reach=(Reach(node="ec-b", why="Connection refused"),)),
    "agent ec-b": lambda: taker(agent=False),
    f"services {UNITS[0]}": lambda: owner(
        faults=(Fault(subject=UNITS[0], says=f"{UNITS[0]} is failed", mend="systemctl status it"),)
    ),
    "standby ec-b": lambda: replace(PAIR, taker_why="Connection timed out"),
}


@pytest.mark.requirement("A09", "A10", "A11", "A12", "A13", "A28")
@pytest.mark.parametrize("name", ONE_WRONG)
def test_one_thing_wrong_is_found_by_its_name_and_weighs_what_it_should(name: str) -> None:
    assessment = assess(ONE_WRONG[name]())
    (found,) = not_good(assessment)
    assert found.name == name
    weight = KINDS[found.kind].weight
    assert found.grade == weight
    assert assessment.verdict == {"blocks": "NOT READY", "loss": "READY WITH LOSS", "warning": "READY"}[weight]
    assert found.says and found.mend and "{" not in found.mend


def test_room_is_wanted_for_what_is_saved_and_for_what_comes_on_a_file_system_of_its_own_for_that_alone() -> None:
    captures = replace(TAKER.captures, size=100 << 20)
    for path, free, wanted in (("/etc", 263, 264), ("/var/lib/tanist", 263, 264), ("/opt", 99, 100)):
        tight = Space(path=path, free=free << 20, size=1 << 35, inodes_free=100_000)
        (found,) = not_good(assess(taker(captures=captures, space=(tight,))))
        assert found.name == f"space {path}" and found.says.endswith(f"a takeover wants {wanted}")
        assert not not_good(assess(taker(captures=captures, space=(replace(tight, free=wanted << 20),))))


@pytest.mark.parametrize(
    ("there", "here", "in_the_way"),
    [
        ("*", "*", True),
        ("*", "127.0.0.1", True),  # bind(2) of all addresses fails while one of them is in use
        ("*", "10.99.0.12", True),
        ("*", "::1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "*", True),
        ("127.0.0.1", "10.99.0.12", False),
        (ADDRESS, "10.99.0.12", False),
        (ADDRESS, "*", True),
    ],
)
def test_a_port_is_taken_by_whoever_listens_where_the_service_would(there: str, here: str, in_the_way: bool) -> None:
    """9999 is asked for by no health check."""
    serving = Listener(protocol="tcp", address=there, port=9999, unit=UNITS[0])
    squatting = Listener(protocol="tcp", address=here, port=9999, process="nginx")
    others = tuple(replace(squatting, **change) for change in ({"port": 9998}, {"protocol": "udp"}, {"unit": UNITS[0]}))
    filtered = Firewall(drops=False)
    pair = replace(PAIR, owner=replace(OWNER, listeners=(serving,)), taker=replace(TAKER, firewall=filtered))
    found = not_good(assess(replace(pair, taker=replace(pair.taker, listeners=(squatting, *others)))))
    where = "" if here == "*" else f" of {here}"
    assert [one.says for one in found] == ([f"taken on ec-b: tcp 9999{where} by nginx"] if in_the_way else [])


SEEN = {
    "packages": ("java 1", "java not there"),
    "settings": ("vm.swappiness 60", "vm.swappiness 10"),
    "limits": (f"{UNITS[0]} LimitNOFILE 524288", f"{UNITS[0]} LimitNOFILE 1024"),
    "mirror": (NEWEST, "20260101T080000.000Z-e1-ec-a"),
    "clock": ("a time source is followed", "a time source is followed"),
    "numbers": ("account ucectl 998", "account ucectl 997"),
    "version": ("2.1.0.955", "2.1.0.956"),
    "kernel": ("6.1.0-18-amd64", "6.1.0-17-amd64"),
    f"link {ADDRESS}": ("svc0: MTU 1500, 1000 Mbit/s", "svc0: MTU 1400, 1000 Mbit/s"),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_was_seen_on_each_node_is_told_to_programs(name: str) -> None:
    (found,) = [one for one in not_good(assess(ONE_WRONG[name]())) if one.name == name]
    assert {one.node: one.what for one in found.seen} == dict(zip(("ec-a", "ec-b"), SEEN[name], strict=True))


@pytest.mark.parametrize(
    ("drilled", "every", "says"),
    [
        (Drilled(), 0.0, "no drill was ever run on ec-b"),
        (Drilled(good=NOW - 91 * 86400, last=NOW - 91 * 86400, result="passed"), 0.0, "was 91 days ago"),
        (Drilled(good=NOW - 9 * 86400, last=NOW - 9 * 86400, result="passed"), 7 * 86400.0, "was 9 days ago"),
        (Drilled(good=NOW + 86400, last=NOW + 86400, result="passed"), 0.0, "still to come"),
        (Drilled(good=NOW - 60, last=NOW - 30, result="failed", says="pg did not start"), 0.0, "pg did not start"),
    ],
)
def test_a_standby_that_was_not_rehearsed_lately_says_so(drilled: Drilled, every: float, says: str) -> None:
    pair = taker(drilled=drilled)
    (found,) = not_good(assess(replace(pair, controller=replace(pair.controller, drill=Drill(every=every)))))
    assert found.name == "drill" and says in found.says
    at_once = "tanist drill opscenter, on the standby"
    assert found.mend == (SCHEDULED.replace("{controller}", "opscenter") if every else at_once)


def test_a_capture_of_a_time_to_come_is_of_no_known_age() -> None:
    """Made under a clock that was a year ahead; no later one would be missed for a year."""
    (found,) = not_good(assess(owner(captures=replace(OWNER.captures, made=NOW + 3.2e7))))
    assert found.name == "capture" and "still to come" in found.says
    assert not not_good(assess(owner(captures=replace(OWNER.captures, checked=NOW + 200.0))))


@pytest.mark.requirement("A26")
def test_a_name_that_leads_to_another_machine_is_told_though_both_nodes_agree() -> None:
    astray = (Name(name="ec", addresses=("10.88.0.99",)),)
    pair = replace(PAIR, owner=replace(OWNER, names=astray), taker=replace(TAKER, names=astray))
    (found,) = not_good(assess(pair))
    assert (found.name, found.says) == ("names", f"ec is 10.88.0.99, and the definition has {ADDRESS}")


def test_numbers_that_differ_are_told_and_harmless_where_an_id_map_puts_them_right() -> None:
    (found,) = [one for one in assess(PAIR).found if one.kind == "numbers"]
    assert found.grade == "good" and found.says.startswith("account ucectl is 998 on ec-a, 997 on ec-b; an id map")
    (same,) = [one for one in assess(taker(numbers=OWNER.numbers)).found if one.kind == "numbers"]
    assert same.says == "the accounts have the same numbers on both nodes"


def test_a_drill_within_its_schedule_is_good() -> None:
    pair = taker(drilled=Drilled(good=NOW - 7.5 * 86400, last=NOW - 7.5 * 86400, result="passed"))
    assert not not_good(assess(replace(pair, controller=replace(pair.controller, drill=Drill(every=7 * 86400.0)))))


def test_every_kind_of_finding_has_been_seen_wrong() -> None:
    seen = {found.kind for build in ONE_WRONG.values() for found in not_good(assess(build()))}
    seen |= {found.kind for found in not_good(assess(replace(PAIR, owner=None, owner_why="silence")))}
    elsewhere = {
        "iscsi",
        "initiator name",
        "pool",
        "host id",
        "attachment",
        "fence",
        "proofs",
        "verification",
        "bad capture",
        "mount guard",
        "array",
        "volume group",
    }
    elsewhere |= {"memory", "conflict", "shared standby", "word"}  # test_parity_proofs.py
    elsewhere |= {"shared disk", "redundancy", "paths", "network path", "I/O errors", "file system errors"}
    elsewhere |= {"storage check", "capacity", "tree full", "storage speed", "disk health", "media check"}
    elsewhere |= {"power supply", "switch", "sharenfs"}  # test_parity_measured.py
    elsewhere |= {"DNS"}  # test_parity_names.py
    elsewhere |= {"export mounts", "export options", "nfs client"}  # test_parity_exports.py
    elsewhere |= {"replica", "split brain", "replication"}  # test_parity_replica.py
    assert seen | elsewhere == set(KINDS)


UNTOLD = Unread("the tool is not there")
PARTS = ("in_step", "links", "packages", "units", "listeners", "space", "settings", "security", "firewall", "names")


@pytest.mark.parametrize("part", (*PARTS, "disk", "nfs", "agent"))
def test_what_can_not_be_told_is_never_good(part: str) -> None:
    assessment = assess(taker(**{part: UNTOLD}))
    found = not_good(assessment)
    assert found, "silence of a tool is no good news"
    assert any("the tool is not there" in one.says for one in found)
    assert {one.grade for one in found} <= {KINDS[one.kind].weight for one in found}


def test_a_readout_comes_back_from_the_other_node_as_it_was() -> None:
    for one in (OWNER, replace(TAKER, links=UNTOLD, firewall=None, disk=None, in_step=UNTOLD)):
        assert decode(Readout, encode(one), "readout") == one


def test_a_dead_owner_is_compared_as_it_was_remembered() -> None:
    dead = replace(PAIR, owner_why="Connection timed out", remembered="2027-01-15 07:00 UTC", skew=None)
    silent = replace(dead, wire=Wire(node="ec-b", asked=ASKED, answers=(ANSWERS[2],)))
    assessment = assess(silent)
    assert [one.name for one in not_good(assessment)] == ["owner"]
    assert (assessment.verdict, assessment.owner_seen) == ("READY", "2027-01-15 07:00 UTC")
    alone = replace(dead, wire=Wire(node="ec-b", asked=ASKED[:2], answers=()))
    assert [(one.name, one.grade) for one in not_good(assess(alone))] == [
        (f"wire {SUBJECT}", "warning"),
        ("owner", "warning"),
    ]


def test_of_an_owner_that_was_not_asked_now_nobody_says_what_runs_there() -> None:
    ill = replace(OWNER, faults=(Fault(subject="u", says="u is failed", mend="m"),))
    remembered = replace(PAIR, owner=ill, owner_why="Connection timed out", remembered="2027-01-15 07:00 UTC")
    assert "services" not in {one.kind for one in assess(remembered).found}
    (good,) = [one for one in assess(PAIR).found if one.kind == "services"]
    assert good.says == "3 services run on ec-a, 1 addresses are there, 2 health checks pass"
    (untold,) = not_good(assess(owner(faults=UNTOLD)))
    assert untold.kind == "services" and "the tool is not there" in untold.says


@pytest.mark.requirement("A29")
def test_of_an_owner_that_was_never_asked_the_capture_tells() -> None:
    """A29: the standby compares itself with what the capture recorded of the node that is dead now."""
    unknown = replace(PAIR, owner=None, owner_why="Connection timed out", captured=replace(OWNER.facts, version="2.0"))
    names = [one.name for one in not_good(assess(unknown))]
    assert "version" in names and "owner" in names


@pytest.mark.parametrize("mac", [MACS["ec-b"], "02:00:00:00:00:66"], ids=["the other node", "a stranger"])
def test_who_only_asks_for_an_address_has_none_of_it(mac: str) -> None:
    """A probe (RFC 5227) is no use of the address, and no answer of a gateway; what says that it is here is both."""
    asks = [Answer(address=one, mac=mac, asks=True) for one in (ADDRESS, "10.88.0.1")]
    assert not_good(assess(wire(*ANSWERS, *asks))) == []
    assert "gateway 10.88.0.1 on ec-b" in [one.name for one in not_good(assess(wire(*ANSWERS[:2], *asks)))]
    has_it = assess(wire(*ANSWERS, *asks, Answer(address=ADDRESS, mac=mac)))
    assert f"duplicate address {ADDRESS}" in [one.name for one in not_good(has_it)]


def test_an_accepted_finding_does_not_count_until_its_time_is_over() -> None:
    accepted = Accepted(
        finding="kernel", who="jo on ec-b", reason="reboot on sunday", since="s", until=NOW + 60, until_text="soon"
    )
    pair = ONE_WRONG["kernel"]()
    (found,) = not_good(assess(pair, [accepted]))
    assert found.accepted == "accepted by jo on ec-b until soon: reboot on sunday" and not found.counts
    (found,) = not_good(assess(replace(pair, now=NOW + 61, skew=None), [accepted]))
    assert found.counts and not found.accepted
    blocked = ONE_WRONG["version"]()
    assert assess(blocked, [accepted]).verdict == "NOT READY"
    assert assess(blocked, [replace(accepted, finding="version")]).verdict == "READY"
    (said,) = [one.says for one in not_good(assess(blocked))]
    assert assess(blocked, [replace(accepted, finding="version", said=(said,))]).verdict == "READY"
    assert assess(blocked, [replace(accepted, finding="version", said=("another",))]).verdict == "NOT READY"


def test_what_was_accepted_of_one_does_not_hold_for_another_that_takes_its_place() -> None:
    """Both are of one kind, on one node, and each the first of its list."""
    (first,) = not_good(assess(taker(self_starting=(MOUNTS,))))
    accepted = Accepted(finding=first.name, who="jo", reason="r", since="s", until=NOW + 60, until_text="soon")
    assert assess(taker(self_starting=(MOUNTS,)), [accepted]).verdict == "READY"
    both = assess(taker(self_starting=("a unit starts it", MOUNTS)), [accepted])
    assert [one.says for one in not_good(both) if one.counts] == ["a unit starts it"]
    assert assess(taker(self_starting=("a unit starts it",)), [accepted]).verdict == "NOT READY"
    (lacks,) = not_good(assess(taker(unfit=(LACKS,))))
    assert (
        assess(taker(unfit=("another file is missing",)), [replace(accepted, finding=lacks.name)]).verdict
        == "NOT READY"
    )


def test_metrics_are_of_the_exposition_format() -> None:
    pair = taker(edited=(Edited(path='/etc/"a"\\b', at=NOW),))
    text = render_metrics([assess(pair)], NOW)
    assert 'tanist_readiness{controller="opscenter",taker="ec-b",owner="ec-a"} 0\n' in text
    assert 'finding="edited files",subject=""} 1\n' in text
    captured = 'tanist_captured_timestamp_seconds{controller="opscenter",taker="ec-b",owner="ec-a"}'
    assert f"{captured} {NOW - 60:.0f}\n" in text
    for line in text.splitlines():
        assert line.startswith("# ") or line.rpartition(" ")[2].isdigit()


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://10.0.0.1:8080/x", 8080),
        ("http://10.0.0.1/x", 80),
        ("https://ec", 443),
        ("http://[fe80::1]/", 80),
        ("http://[fe80::1]:90/", 90),
        ("ftp://ec", 0),
    ],
)
def test_the_port_of_a_url(url: str, port: int) -> None:
    assert url_port(url) == port


def test_what_a_packet_filter_lets_in() -> None:
    assert lets_in(Firewall(drops=True, accepts=("any",)), "udp", 1)
    assert lets_in(Firewall(drops=True, accepts=("th 5",)), "udp", 5)
    assert not lets_in(Firewall(drops=True, accepts=("tcp 5", "udp 6-9")), "udp", 5)
    assert lets_in(Firewall(drops=True, accepts=("tcp 5", "udp 6-9")), "udp", 9)
