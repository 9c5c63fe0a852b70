"""Two nodes as they should be, the owner and its standby, and what a check makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tanist.model.drill import Drilled
from tanist.model.facts import NodeFacts
from tanist.model.hardware import Space
from tanist.model.host import Answer
from tanist.model.nfs import NfsReadout
from tanist.model.pair import Asked, Pair, Wire
from tanist.model.readiness import Assessment, Found
from tanist.model.readout import (
    Captures,
    Disk,
    Expiry,
    Firewall,
    Link,
    Listener,
    Memory,
    Name,
    Numbers,
    Package,
    Packages,
    Proofs,
    Reach,
    Readout,
    Setting,
    Unit,
)
from tanist.model.verified import Verified
from tests.unit.facts.machine import interface
from tests.unit.parity.besides import OPSCENTER, SAME, UNITS

NOW = 1_800_000_000.0
ADDRESS, SUBJECT = "10.88.0.60", "svc0 of ec-b"
MACS = {"ec-a": "02:88:00:00:00:0b", "ec-b": "02:88:00:00:00:0c"}


def node_facts(name: str) -> NodeFacts:
    host = {"ec-a": "11", "ec-b": "12"}[name]
    service = replace(interface("svc0", f"10.88.0.{host}/24"), mac=MACS[name])
    return NodeFacts(
        node=name,
        architecture="x86_64",
        os_id="debian",
        os_version="12",
        kernel="6.1.0-18-amd64",
        version="2.1.0.955",
        interfaces=(service, replace(interface("mgmt0", f"10.99.0.{host}/24"), mac=MACS[name][:-1] + "f")),
        beside=SAME,
    )


def unit(name: str, active: str = "inactive") -> Unit:
    return Unit(name=name, loaded="loaded", enabled="disabled", active=active, limits=(("LimitNOFILE", "524288"),))


NEWEST = "20270115T080000.000Z-e1-ec-a"
VERIFIED = Verified(
    node="ec-b",
    generation=NEWEST,
    checked="2027-01-15T07:00:00.000+00:00",
    result="good",
    says="",
    seconds=1.0,
)


def readout(name: str, *, active: bool) -> Readout:
    listeners = [Listener(protocol="tcp", address="*", port=8080, unit=UNITS[0])] if active else []
    helpers = (unit("nfs-server.service"), unit("cron.service", "active"))
    return Readout(
        node=name,
        tool="tanist 1.0",
        clock=NOW,
        drilled=Drilled(good=NOW - 86400, last=NOW - 86400, result="passed"),
        boot_id="b",
        active=active,
        definition="d" * 64,
        facts=node_facts(name),
        in_step=True,
        links=(Link(name="svc0", mtu=1500, speed=1000),),
        packages=Packages(installed=(Package(name="java", version="1"),), owners=("java",), needed=()),
        units=(*(unit(one, "active" if active else "inactive") for one in UNITS), *helpers),
        listeners=tuple(listeners),
        missing_accounts=(),
        space=(Space(path="/etc", free=1 << 34, size=1 << 35, inodes_free=100_000),),
        settings=(Setting(name="vm.swappiness", value="60"),),
        security=("apparmor",),
        firewall=Firewall(drops=True, accepts=("tcp 8080", "tcp 21160-21170")),
        names=(Name(name="ec", addresses=(ADDRESS,)),),
        expiries=(Expiry(path="/etc/sun-xvm/tls.pem", title="CN = ec", at=NOW + 1e8),),
        edited=(),
        disk=Disk(device="/dev/asset1", size=1 << 30, uuid="u", fstype="ext4"),
        captures=Captures(newest=NEWEST, made=NOW - 9e4, checked=NOW - 60, size=4096),
        gate_lacks=(),
        self_starting=(),
        unfit=(),
        reach=(Reach(node={"ec-a": "ec-b", "ec-b": "ec-a"}[name]),),
        proofs=Proofs(at=NOW - 600, works=("power of ec-a",), lacking=(), broken=(), enough=True),
        verified=VERIFIED,
        memory=Memory(available=8 << 30, used=1 << 30 if active else 0),
        nfs=NfsReadout(others=(), grace=90, lockd_grace=50),
        agent=True,
        faults=() if active else None,
        numbers=Numbers(users=(("ucectl", 998 if active else 997),), groups=(("uceadm", 990),)),
    )


OWNER, TAKER = readout("ec-a", active=True), readout("ec-b", active=False)
ASKED = (
    Asked(address=ADDRESS, interface="svc0", whose="service"),
    Asked(address="10.88.0.11", interface="svc0", whose="ec-a"),
    Asked(address="10.88.0.1", interface="svc0", whose="gateway"),
)
ANSWERS = (
    Answer(address=ADDRESS, mac=MACS["ec-a"]),
    Answer(address="10.88.0.11", mac=MACS["ec-a"]),
    Answer(address="10.88.0.1", mac="02:00:00:00:00:01"),
)
PAIR = Pair(
    controller=OPSCENTER,
    taker=TAKER,
    owner_name="ec-a",
    owner=OWNER,
    captured=None,
    remembered="",
    owner_why="",
    taker_why="",
    wire=Wire(node="ec-b", asked=ASKED, answers=ANSWERS),
    now=NOW,
    skew=0.1,
    skew_within=0.2,
    checker="ec-b",
)


def not_good(assessment: Assessment) -> list[Found]:
    return [one for one in assessment.found if one.grade != "good"]


def taker(**changes: Any) -> Pair:
    return replace(PAIR, taker=replace(TAKER, **changes))


def owner(**changes: Any) -> Pair:
    return replace(PAIR, owner=replace(OWNER, **changes))


def wire(*answers: Answer, asked: tuple[Asked, ...] = ASKED) -> Pair:
    return replace(PAIR, wire=Wire(node="ec-b", asked=asked, answers=answers))
