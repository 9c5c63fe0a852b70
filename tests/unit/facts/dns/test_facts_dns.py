"""Answers of dnsmasq 2.90 (Debian 12), as they came over the wire; resolv.conf(5) and hosts(5) as people write them."""

from __future__ import annotations

import errno
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tanist.facts import names, resolver
from tanist.facts.dns import Kind, Question, parse_reply, render_question, reverse_question
from tanist.model.readout import Name, Reverse
from tanist.model.unread import Unread
from tests.unit.facts.machine import Machine

REPLIES: list[tuple[Kind, str, str, tuple[str, ...] | Unread]] = [
    (
        "A",
        "db.lab.test",
        "000785800001000100000000026462036c616204746573740000010001c00c000100010000000000040a580032",
        ("10.88.0.50",),
    ),
    (
        "AAAA",
        "db.lab.test",
        "00078580000100010000000002646"
        "2036c6162047465737400001c0001c00c001c0001000000000010fd880000000000000000000000000050",
        ("fd88::50",),
    ),
    (
        "A",
        "www.lab.test",  # a CNAME record comes first
        "00078580000100020000000003777777036c616204746573740000010001c00c0005000100000000000d026462036c61620474657374"
        "00c02a000100010000000000040a580032",
        ("10.88.0.50",),
    ),
    ("AAAA", "ec-a.lab.test", "0007818000010000000000000465632d61036c6162047465737400001c0001", ()),
    ("A", "none.lab.test", "000781830001000000000000046e6f6e65036c616204746573740000010001", ()),
    (
        "A",
        "elsewhere.example",
        "00078185000100000000000009656c73657768657265076578616d706c650000010001",
        Unread("the name server says REFUSED"),
    ),
    (
        "PTR",
        "50.0.88.10.in-addr.arpa",
        "000785800001000100000000023530013002383802313007696e2d61646472046172706100000c0001c00c000c000100000000000d"
        "026462036c6162047465737400",
        ("db.lab.test",),
    ),
    (
        "PTR",
        "51.0.88.10.in-addr.arpa",
        "000781830001000000000000023531013002383802313007696e2d61646472046172706100000c0001",
        (),
    ),
    (
        "A",
        "many.lab.test",  # its first 64 bytes: what says that it was cut
        "000787800001001e00000000046d616e79036c616204746573740000010001c00c000100010000000000040a010701c00c0001000100"
        "00000000040a011e01c0",
        Unread("the answer is longer than a datagram"),
    ),
]


@pytest.mark.parametrize(("kind", "name", "reply", "said"), REPLIES, ids=[f"{one[0]}-{one[1]}" for one in REPLIES])
def test_what_a_name_server_said(kind: Kind, name: str, reply: str, said: tuple[str, ...] | Unread) -> None:
    message = bytes.fromhex(reply)
    assert parse_reply(message, kind) == said
    question = render_question(Question(name=name, kind=kind), 7)
    assert question[:2] + question[12:] == message[:2] + message[12 : len(question)], "the server repeats it"


def test_what_is_no_answer_is_none() -> None:
    for kind, _, reply, said in REPLIES:
        message = bytes.fromhex(reply)
        for end in range(len(message)):
            cut = parse_reply(message[:end], kind)
            assert isinstance(cut, Unread) or cut == said == (), (kind, end)
        pick = random.Random(1)
        for _ in range(300):
            torn = bytearray(message)
            torn[pick.randrange(2, len(torn))] = pick.randrange(256)
            assert isinstance(parse_reply(bytes(torn), kind), tuple | Unread)
    assert parse_reply(render_question(Question(name="db", kind="A"), 7), "A") == Unread("no DNS answer"), "an echo"
    start = bytes.fromhex(REPLIES[6][2])[:-13]
    circle = start + bytes((0xC0, len(start))) + bytes(11)
    assert parse_reply(circle, "PTR") == Unread("no DNS answer")


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, ".".join(["x" * 60] * 5), "bücher.example"])
def test_what_can_be_no_name_is_not_asked(name: str) -> None:
    with pytest.raises(ValueError):
        render_question(Question(name=name, kind="A"), 1)


def test_the_name_of_an_address() -> None:
    assert reverse_question("10.88.0.50").name == "50.0.88.10.in-addr.arpa"
    assert reverse_question("fd88::50").name.startswith("0.5.0.0.") and reverse_question("fd88::50").kind == "PTR"


def test_resolv_conf() -> None:
    text = "# made by hand\nsearch lab.test example.com.\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n"
    text += "nameserver fe80::1%eth0\nnameserver 10.0.0.4\noptions timeout:1 ndots:2\n;nameserver 9.9.9.9\nnameserver\n"
    found = resolver.parse_resolv_conf(text)
    assert found == resolver.Resolver(
        servers=("10.0.0.1", "10.0.0.2", "fe80::1%eth0"), search=("lab.test", "example.com"), ndots=2
    )
    assert resolver.candidates(found, "db.x") == ("db.x.lab.test", "db.x.example.com", "db.x")
    assert resolver.candidates(found, "db.x.org") == ("db.x.org", "db.x.org.lab.test", "db.x.org.example.com")
    assert resolver.candidates(found, "db.") == ("db",)
    assert resolver.parse_resolv_conf("") == resolver.Resolver()


# ---- a node that asks

A, B = "10.0.0.1", "10.0.0.2"
Zone = Mapping[str, Sequence[str]]
HOSTS = "127.0.0.1 localhost\n127.0.1.1 ec-a\n10.88.0.50 DB.lab.test db # the service\n\nfd88::50 db\n"


class Node(Machine):
    """Name servers by address: a zone, an error number, or one that is silent."""

    def __init__(self, root: Path, servers: Mapping[str, Zone | int | None], resolv_conf: str = "") -> None:
        lines = resolv_conf or "search lab.test\n" + "".join(f"nameserver {one}\n" for one in servers)
        files = {"/etc/hosts": HOSTS, "/etc/resolv.conf": lines}
        super().__init__(root, files=files, commands={"getent ahosts db": "10.88.0.50 STREAM db\n"})
        self.servers = servers
        self.asked: list[str] = []

    def ask_datagrams(self, address: str, port: int, messages: Sequence[bytes], seconds: float) -> tuple[bytes, ...]:
        assert port == 53 and 0 < seconds <= 1
        self.asked.append(address)
        server = self.servers[address]
        if isinstance(server, int):
            raise OSError(server, "Connection refused")
        return () if server is None else tuple(answer(server, one) for one in reversed(messages))


def answer(zone: Zone, message: bytes) -> bytes:
    """The real answers of the server above, with the number of the question."""
    for kind, name, reply, _ in REPLIES:
        if name in zone and render_question(Question(name=name, kind=kind), 0)[12:] == message[12:]:
            return message[:2] + bytes.fromhex(reply)[2:]
    flags = b"\x81\x83" if "refuses" not in zone else b"\x81\x85"
    return message[:2] + flags + message[4:]


ZONE: Zone = {"db.lab.test": (), "50.0.88.10.in-addr.arpa": ()}


def read(node: Node) -> tuple[Name, Reverse]:
    found, reverse = names.read_names(node.host, ("db",), ("10.88.0.50",))
    assert not isinstance(found, Unread) and not isinstance(reverse, Unread)
    return found[0], reverse[0]


def test_hosts_and_dns_are_told_apart(tmp_path: Path) -> None:
    name, reverse = read(Node(tmp_path, {A: ZONE}))
    assert name == Name(
        name="db", addresses=("10.88.0.50",), hosts=("10.88.0.50", "fd88::50"), dns=("10.88.0.50", "fd88::50")
    )
    assert reverse == Reverse(address="10.88.0.50", hosts=("db.lab.test", "db"), dns=("db.lab.test",))


@pytest.mark.parametrize("first", [None, errno.ECONNREFUSED, {"refuses": ()}])
def test_the_second_server_is_asked_when_the_first_can_not_tell(tmp_path: Path, first: Zone | int | None) -> None:
    node = Node(tmp_path, {A: first, B: ZONE})
    assert read(node)[0].dns == ("10.88.0.50", "fd88::50")
    assert node.asked == [A, B]


def test_a_name_that_dns_does_not_know_is_no_silence(tmp_path: Path) -> None:
    assert read(Node(tmp_path, {A: {}}))[0].dns == ()


def test_silent_servers_cannot_tell_and_what_files_say_is_told(tmp_path: Path) -> None:
    node = Node(tmp_path, {A: None, B: None})
    name, reverse = read(node)
    assert name.dns == reverse.dns == Unread(f"{B} does not answer")
    assert (name.addresses, name.hosts) == (("10.88.0.50",), ("10.88.0.50", "fd88::50"))
    assert node.asked == [A, B, A, B], "twice: a datagram may get lost"


def test_without_name_servers_none_is_asked(tmp_path: Path) -> None:
    node = Node(tmp_path, {}, "search lab.test\n")
    name, reverse = read(node)
    assert name.dns is None and reverse.dns is None and node.asked == []


def test_the_servers_behind_resolved_are_asked(tmp_path: Path) -> None:
    """Its own answers come out of /etc/hosts."""
    node = Node(tmp_path, {A: ZONE}, "nameserver 127.0.0.53\noptions edns0\n")
    place = tmp_path / "run/systemd/resolve/resolv.conf"
    place.parent.mkdir(parents=True)
    place.write_text(f"nameserver {A}\nsearch lab.test\n")
    assert read(node)[0].dns == ("10.88.0.50", "fd88::50") and node.asked == [A]


def test_a_getent_that_does_not_end_is_no_answer_of_the_name_service(tmp_path: Path) -> None:
    node = Node(tmp_path, {A: None})
    found, reverse = names.read_names(node.host, ("db", "nobody"), ())
    assert (found, reverse) == (Unread("getent: not found"), ())
