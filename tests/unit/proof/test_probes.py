"""What is gathered of the old owner, on fake hosts that share a wire."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tanist.host.fake import FakeClock, FakeHost, FakeWire
from tanist.host.fake_network import FakePort
from tanist.host.host import Host
from tanist.model.claim import Claim
from tanist.model.definition import Asset, Controller, Identity, Node, ServiceAddress
from tanist.model.evidence import Evidence, Outcome, Says, Source
from tanist.model.host import Address, Answer
from tanist.model.peer import PeerWord
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread
from tanist.proof.decide import decide
from tanist.proof.looks import Looks
from tanist.proof.probes import attest, gather, judge_claim, judge_marks, judge_word
from tests.unit.facts.storage.disks import CLAIM, DEVICE, DIRECTORY, EXT4, MMP_PLACE, Disk

SERVICE = "10.88.0.50"
CONTROLLER = Controller(
    name="opscenter",
    asset=EXT4,
    tree="/var/opt/sun/xvm",
    identity=Identity(
        mode="host",
        hostname="opscenter",
        addresses=(ServiceAddress(address=SERVICE, prefix=24, interfaces=(("ec-a", "svc0"), ("ec-b", "svc0"))),),
        ssh_host_keys="/etc/tanist/identity/opscenter",
    ),
    nodes=(
        Node(name="ec-a", ssh="root@ec-a", management=("10.77.0.11",)),
        Node(name="ec-b", ssh="root@ec-b", management=("10.77.0.12",)),
    ),
)
Ask = Callable[[str], PeerWord | Unread]


def machine(root: Path, name: str, number: int, wire: FakeWire, clock: FakeClock) -> FakeHost:
    host = FakeHost(str(root / name), name, wire=wire, clock=clock)
    host.network.ports = {
        port: FakePort(
            mac=f"02:00:00:{subnet:02x}:00:{number:02x}", own=(Address(interface=port, address=own, prefix=24),)
        )
        for port, subnet, own in (("svc0", 88, f"10.88.0.{number}"), ("mgmt0", 77, f"10.77.0.{number}"))
    }
    return host


class Pair:
    def __init__(self, root: Path) -> None:
        wire, clock = FakeWire(), FakeClock()
        self.owner = machine(root, "ec-a", 11, wire, clock)
        self.host = machine(root, "ec-b", 12, wire, clock)
        self.disk = Disk(self.host)
        self.disk.hold_ext4("dirty")
        self.owner.add_address(Address(interface="svc0", address=SERVICE, prefix=24))

    def gather(self, ask: Ask, controller: Controller = CONTROLLER, **more: str) -> tuple[Evidence, ...]:
        return gather(self.host, controller, "ec-b", ask_peer=ask, word_seconds=2.0, **more)  # type: ignore[arg-type]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def says(state: str) -> Ask:
    return lambda node: PeerWord(node=node, state=state, detail="looked")  # type: ignore[arg-type]


def no_answer(node: str) -> Unread:
    return Unread(f"ssh to {node}: Connection refused")


def never(node: str) -> Unread:
    threading.Event().wait(20)  # far beyond any budget; not for ever, because threads outlive their test
    return Unread(f"{node}: too late for anybody")


def one(evidence: tuple[Evidence, ...], source: Source) -> Evidence:
    (found,) = (item for item in evidence if item.source == source)
    return found


# -- whole pictures
@pytest.mark.requirement("A05", "A61")
def test_an_owner_at_work_is_seen_from_every_side(pair: Pair) -> None:
    evidence = pair.gather(says("active"))
    assert one(evidence, "claim").says is Says.HELD and one(evidence, "claim").about == "ec-a"
    assert one(evidence, "peer").says is Says.ACTIVE
    assert one(evidence, "management-address").says is Says.ALIVE
    service = one(evidence, "service-address")
    assert service.says is Says.ACTIVE and "02:00:00:58:00:0b" in service.detail
    assert decide(evidence, "ec-b").outcome is Outcome.ALIVE


@pytest.mark.requirement("A42")
def test_a_dead_owner_is_silent_and_only_a_person_can_say_that_it_is_dead(pair: Pair) -> None:
    pair.owner.power_off()
    began = time.monotonic()
    evidence = pair.gather(never)
    assert time.monotonic() - began < 8, "nobody waits for ssh to a silent node"
    assert one(evidence, "peer").says is Says.UNKNOWN and "not waited for" in one(evidence, "peer").detail
    assert one(evidence, "management-address") == replace(
        one(evidence, "management-address"), about="ec-a", says=Says.SILENT
    )
    assert "10.77.0.11 did not answer on mgmt0 for 0.6 s" in one(evidence, "management-address").detail
    assert one(evidence, "storage").says is Says.UNKNOWN and "dirty" in one(evidence, "storage").detail
    assert decide(evidence, "ec-b").outcome is Outcome.NOT_PROVED
    attested = pair.gather(never, attestation="saw it off", who="ann")
    assert decide(attested, "ec-b").outcome is Outcome.PROVED
    assert one(attested, "attestation").about == "ann" and "saw it off" in one(attested, "attestation").detail


def test_an_owner_that_booted_and_says_that_it_is_inactive_may_answer_on_its_own_address(pair: Pair) -> None:
    pair.owner.reboot()
    evidence = pair.gather(says("inactive"))
    assert one(evidence, "management-address").says is Says.INACTIVE
    assert decide(evidence, "ec-b").outcome is Outcome.PROVED


class BusyMachine:
    """A host whose looks at the wire begin late."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def probe_addresses(self, addresses: Sequence[Address], seconds: float) -> tuple[Answer, ...]:
        time.sleep(1.2)
        return self._host.probe_addresses(addresses, seconds)


def test_silence_is_waited_for_on_a_busy_machine(pair: Pair) -> None:
    """Else a person's word would not help on the day when the standby is busy."""
    pair.owner.power_off()
    busy = cast(Host, BusyMachine(pair.host))
    evidence = gather(busy, CONTROLLER, "ec-b", ask_peer=never, attestation="saw it off", who="ann")
    assert one(evidence, "service-address").says is Says.SILENT
    assert decide(evidence, "ec-b").outcome is Outcome.PROVED


def test_a_machine_that_asks_for_the_address_at_the_same_moment_does_not_have_it_and_is_no_silence(pair: Pair) -> None:
    """Seen: of two takeovers that were typed at one moment on two nodes each was refused, for the other one's look."""
    pair.owner.remove_address(Address(interface="svc0", address=SERVICE, prefix=24))
    probe = pair.host.probe_addresses

    def asked(addresses: Sequence[Address], seconds: float) -> tuple[Answer, ...]:
        asks = [Answer(address=one.address, mac="02:00:00:58:00:0b", asks=True) for one in addresses]
        return (*probe(addresses, seconds), *(one for one in asks if one.address == SERVICE))

    pair.host.probe_addresses = asked  # type: ignore[method-assign]
    evidence = pair.gather(says("inactive"))
    assert one(evidence, "service-address").says is Says.UNKNOWN
    assert "at the same moment by 02:00:00:58:00:0b" in one(evidence, "service-address").detail
    assert decide(evidence, "ec-b").outcome is Outcome.PROVED  # by the owner's word
    attested = pair.gather(no_answer, attestation="saw it off")
    assert decide(attested, "ec-b").outcome is not Outcome.PROVED


@pytest.mark.requirement("A61")
def test_a_service_address_that_answers_vetoes_whatever_the_owner_says(pair: Pair) -> None:
    evidence = pair.gather(says("inactive"))
    assert decide(evidence, "ec-b").outcome is Outcome.ALIVE


def test_a_node_that_answers_and_gives_no_word_is_alive(pair: Pair) -> None:
    pair.owner.reboot()
    evidence = pair.gather(no_answer, attestation="it is off, surely")
    assert one(evidence, "management-address").says is Says.ALIVE
    assert "Connection refused" in one(evidence, "peer").detail
    assert decide(evidence, "ec-b").outcome is Outcome.ALIVE


def test_the_word_of_a_node_that_answers_is_waited_for_beyond_the_budget(pair: Pair) -> None:
    pair.owner.reboot()

    def slow(node: str) -> PeerWord:
        time.sleep(1.0)
        return PeerWord(node=node, state="inactive", detail="slow")

    evidence = pair.gather(slow)
    assert one(evidence, "peer").says is Says.INACTIVE
    assert decide(evidence, "ec-b").outcome is Outcome.PROVED


def test_a_node_that_answers_and_whose_ssh_hangs_is_alive_after_a_limit(pair: Pair) -> None:
    pair.owner.reboot()
    evidence = gather(pair.host, CONTROLLER, "ec-b", ask_peer=never, budget_seconds=0.2, word_seconds=0.3)
    assert "no answer within" in one(evidence, "peer").detail
    assert decide(evidence, "ec-b").outcome is Outcome.ALIVE


def test_a_word_that_comes_although_the_address_is_silent_counts(pair: Pair) -> None:
    pair.owner.power_off()
    assert one(pair.gather(says("inactive")), "peer").says is Says.INACTIVE


def test_a_glance_ends_as_soon_as_the_word_is_there_and_listens_for_a_moment(pair: Pair) -> None:
    pair.owner.reboot()
    began = time.monotonic()
    evidence = gather(pair.host, CONTROLLER, "ec-b", ask_peer=says("inactive"), budget_seconds=30, glance=True)
    assert time.monotonic() - began < 10
    assert "did not answer on svc0 for 0.2 s" in one(evidence, "service-address").detail


def test_in_a_glance_the_word_of_a_silent_node_is_waited_for(pair: Pair) -> None:
    pair.owner.power_off()

    def slow(node: str) -> PeerWord:
        time.sleep(0.5)
        return PeerWord(node=node, state="active", detail="slow")

    evidence = gather(pair.host, CONTROLLER, "ec-b", ask_peer=slow, budget_seconds=10, glance=True)
    assert one(evidence, "peer").says is Says.ACTIVE


def test_a_moving_mmp_block_is_somebody_at_work(pair: Pair) -> None:
    pair.owner.power_off()
    sleep, beats = pair.host.sleep, itertools.count(100)

    def tick(seconds: float) -> None:
        sleep(seconds)
        block = pair.disk.pieces[MMP_PLACE]
        pair.disk.pieces[MMP_PLACE] = block[:4] + bytes([next(beats), 0, 0, 0]) + block[8:]

    pair.host.sleep = tick  # type: ignore[method-assign]
    assert one(pair.gather(never), "storage").says is Says.ACTIVE


def test_one_item_for_everything_that_was_to_be_looked_at(pair: Pair) -> None:
    """decide() trusts that a look which failed is there as UNKNOWN, and not left out."""

    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    for name in ("run", "interfaces", "probe_addresses", "mounts"):
        setattr(pair.host, name, broken)
    third = Node(name="ec-c", ssh="root@ec-c", management=("10.77.0.13", "10.99.0.13"))
    evidence = pair.gather(no_answer, replace(CONTROLLER, nodes=(*CONTROLLER.nodes, third)))
    assert [(item.source, item.about) for item in evidence] == [
        ("claim", DEVICE),
        ("storage", DEVICE),
        ("peer", "ec-a"),
        ("peer", "ec-c"),
        ("service-address", SERVICE),
        ("management-address", "ec-a"),
        ("management-address", "ec-c"),
        ("management-address", "ec-c"),
    ]
    assert {item.says for item in evidence} == {Says.UNKNOWN}
    assert all(item.detail for item in evidence)
    assert decide(evidence, "ec-b").outcome is Outcome.NOT_PROVED


def test_a_look_that_raises_anything_else_is_unknown(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def broken(node: str) -> PeerWord:
        raise RuntimeError(node)

    assert "failed inside tanist" in one(pair.gather(broken), "peer").detail


# -- the wire
@pytest.mark.parametrize(("change", "why"), [("up", "svc0 is down"), ("carrier", "svc0 has no carrier")])
def test_an_interface_that_cannot_hear_makes_no_silence(pair: Pair, change: str, why: str) -> None:
    setattr(pair.host.network.ports["svc0"], change, False)
    service = one(pair.gather(no_answer), "service-address")
    assert service.says is Says.UNKNOWN and why in service.detail


def test_carrier_that_is_lost_while_listening_makes_no_silence(pair: Pair) -> None:
    pair.owner.power_off()
    probe = pair.host.probe_addresses

    def unplugged(addresses: list[Address], seconds: float) -> tuple[Answer, ...]:
        found = probe(addresses, seconds)
        pair.host.network.ports[addresses[0].interface].carrier = False
        return found

    pair.host.probe_addresses = unplugged  # type: ignore[method-assign, assignment]
    evidence = pair.gather(no_answer, attestation="off")
    assert one(evidence, "service-address").says is Says.UNKNOWN
    assert "has no carrier after the probes" in one(evidence, "service-address").detail
    assert decide(evidence, "ec-b").outcome is Outcome.NOT_PROVED


def test_an_answer_counts_even_when_the_carrier_is_lost_afterwards(pair: Pair) -> None:
    probe = pair.host.probe_addresses

    def unplugged(addresses: list[Address], seconds: float) -> tuple[Answer, ...]:
        found = probe(addresses, seconds)
        pair.host.network.ports[addresses[0].interface].up = False
        return found

    pair.host.probe_addresses = unplugged  # type: ignore[method-assign, assignment]
    assert one(pair.gather(no_answer), "service-address").says is Says.ACTIVE


def test_an_address_outside_every_subnet_is_unknown(pair: Pair) -> None:
    del pair.host.network.ports["mgmt0"]
    item = one(pair.gather(no_answer), "management-address")
    assert item.says is Says.UNKNOWN and "no interface of this node is in its subnet" in item.detail


def test_an_interface_of_the_definition_that_is_missing_is_unknown(pair: Pair) -> None:
    del pair.host.network.ports["svc0"]
    item = one(pair.gather(no_answer), "service-address")
    assert item.says is Says.UNKNOWN and "no interface svc0" in item.detail


def test_of_two_interfaces_in_the_subnet_the_one_that_can_hear_is_taken(pair: Pair) -> None:
    ports = pair.host.network.ports
    dead = FakePort(mac="02:00:00:00:00:99", own=(Address(interface="a0", address="10.77.0.99", prefix=24),), up=False)
    pair.host.network.ports = {"a0": dead, **ports}
    assert one(pair.gather(no_answer), "management-address").says is Says.ALIVE


def test_a_service_address_of_this_node_is_not_probed_as_foreign(pair: Pair) -> None:
    pair.owner.power_off()
    pair.host.network.ports["svc0"].added.append(Address(interface="svc0", address=SERVICE, prefix=24))
    pair.owner.boot()
    item = one(pair.gather(says("inactive")), "service-address")
    assert item.says is Says.MINE and item.detail == "this node has it"


def test_a_definition_that_gives_this_nodes_own_address_to_a_peer_proves_nothing(pair: Pair) -> None:
    confused = Node(name="ec-a", ssh="root@ec-a", management=("10.77.0.12",))
    controller = replace(CONTROLLER, nodes=(confused, CONTROLLER.nodes[1]))
    item = one(pair.gather(no_answer, controller), "management-address")
    assert item.says is Says.UNKNOWN and "this node has that address itself" in item.detail


def test_whose_the_mac_is_that_answers(pair: Pair) -> None:
    known = gather(
        pair.host, CONTROLLER, "ec-b", ask_peer=no_answer, known_macs={"02:00:00:58:00:0B": "ec-a svc0"}, word_seconds=1
    )
    assert "02:00:00:58:00:0b (ec-a svc0)" in one(known, "service-address").detail
    pair.owner.network.ports["mgmt0"].mac = pair.owner.network.ports["svc0"].mac
    assert "02:00:00:58:00:0b (ec-a)" in one(pair.gather(no_answer), "service-address").detail


# -- what each look says
def test_what_a_claim_says() -> None:
    assert judge_claim(CLAIM, CONTROLLER, "ec-b")[:2] == (Says.HELD, "ec-a")
    assert judge_claim(CLAIM, CONTROLLER, "ec-a")[:2] == (Says.MINE, "ec-a")
    assert judge_claim(replace(CLAIM, state="released"), CONTROLLER, "ec-b")[:2] == (Says.RELEASED, "ec-a")
    assert judge_claim(replace(CLAIM, controller="other"), CONTROLLER, "ec-b")[:2] == (Says.UNKNOWN, DEVICE)
    assert judge_claim(Unread("torn"), CONTROLLER, "ec-b") == (Says.UNKNOWN, DEVICE, "could not be read: torn")


@pytest.mark.parametrize(
    ("state", "here", "expected"),
    [
        ("clean", (), Says.RELEASED),
        ("dirty", (), Says.UNKNOWN),
        ("unknown", (), Says.UNKNOWN),
        ("in-use", (), Says.ACTIVE),
        ("in-use", ("/tree",), Says.MINE),
    ],
)
def test_what_marks_say(state: str, here: tuple[str, ...], expected: Says) -> None:
    marks = StorageMarks(fstype="ext4", state=state, detail="seen", mounted_at=here)  # type: ignore[arg-type]
    assert judge_marks(marks)[0] is expected


def test_what_a_word_says() -> None:
    word = PeerWord(node="ec-a", state="busy", detail="", busy_run="r8", busy_who="ann", busy_since="12:00")
    assert judge_word("ec-a", word) == (Says.ALIVE, "is at work on it: run r8 of ann since 12:00")
    assert judge_word("ec-a", replace(word, state="inactive"))[0] is Says.INACTIVE
    assert judge_word("ec-a", replace(word, state="active"))[0] is Says.ACTIVE
    assert judge_word("ec-c", replace(word, state="inactive"))[0] is Says.UNKNOWN, "another node answered in its name"


def test_an_empty_attestation_is_none_and_a_nameless_one_says_where_it_came_from(pair: Pair) -> None:
    assert not [item for item in pair.gather(no_answer, attestation="  ") if item.source == "attestation"]
    assert one(pair.gather(no_answer, attestation="off"), "attestation").about == "somebody on ec-b"
    assert attest(" off ", "ann", "2026-01-01").detail == "“off” (2026-01-01)"


def test_a_directory_has_no_marks_and_its_claim_lies_in_the_tree(pair: Pair) -> None:
    evidence = pair.gather(no_answer, replace(CONTROLLER, asset=DIRECTORY))
    assert one(evidence, "storage").detail == "a directory has no marks"
    assert CONTROLLER.tree in one(evidence, "claim").detail


def test_a_look_that_gives_something_else_is_unread(tmp_path: Path) -> None:
    looks = Looks(FakeHost(str(tmp_path)))
    looks.begin("word", lambda: "hello")
    looks.wait(["word"], 1.0)
    assert looks.result("word", Claim) == Unread("not a Claim")


def test_the_kind_of_asset_matters(pair: Pair) -> None:
    asset = Asset(kind="filesystem", device=DEVICE, fstype="xfs")
    assert "no xfs super block" in one(pair.gather(no_answer, replace(CONTROLLER, asset=asset)), "storage").detail
