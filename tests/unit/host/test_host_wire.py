"""Netlink and probes on a veth pair in network namespaces of their own."""

from __future__ import annotations

import errno
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tanist.host import netlink, wire
from tanist.host.local import LocalHost
from tanist.model.host import Address, Answer
from tests.unit.host.machines import PORT, Neighbour, in_namespaces, shell

V4 = Address(interface=PORT, address="10.88.0.50", prefix=24)
V6 = Address(interface=PORT, address="fd00:88::50", prefix=64)


def test_an_answer_names_the_neighbour_and_comes_at_once() -> None:
    def body() -> None:
        neighbour = Neighbour()
        neighbour.add("10.88.0.50/24")
        neighbour.add("fd00:88::50/64")
        before = time.monotonic()
        answers = wire.probe_addresses([V4, V6], 60)
        assert set(answers) == {Answer(address=item.address, mac=neighbour.mac) for item in (V4, V6)}
        assert time.monotonic() - before < 30

    in_namespaces(body)


def test_of_two_that_probe_at_once_at_least_one_sees_the_other() -> None:
    def body() -> None:
        neighbour = Neighbour()

        def probe_over_there() -> tuple[Answer, ...]:
            far = [Address(interface=neighbour.far, address=item.address, prefix=24) for item in (V4, V6)]
            with neighbour.inside():
                return wire.probe_addresses(far, 0.5)

        (mac,) = (item.mac for item in netlink.read_interfaces() if item.name == PORT)
        with ThreadPoolExecutor() as threads:  # setns(2) moves a thread, not the process
            other = threads.submit(probe_over_there)
            here, there = wire.probe_addresses([V4, V6], 0.5), other.result()
        for address in (V4.address, V6.address):
            theirs, ours = (Answer(address=address, mac=one, asks=True) for one in (neighbour.mac, mac))
            assert theirs in here or ours in there

    in_namespaces(body)


def test_a_neighbour_that_only_speaks_of_itself_is_heard() -> None:
    def body() -> None:
        neighbour = Neighbour()
        neighbour.do("echo 8 > /proc/sys/net/ipv4/conf/all/arp_ignore")  # never answers
        neighbour.add("10.88.0.50/24")
        assert wire.probe_addresses([V4], 0.1) == ()

        def speak() -> None:
            with neighbour.inside():
                wire.announce_addresses([Address(interface=neighbour.far, address=V4.address, prefix=24)])

        later = threading.Timer(0.1, speak)
        later.start()
        assert wire.probe_addresses([V4], 2) == (Answer(address=V4.address, mac=neighbour.mac),)

    in_namespaces(body)


def test_silence_on_a_line_without_carrier_is_an_error() -> None:
    def body() -> None:
        neighbour = Neighbour()
        neighbour.do(f"ip link set {neighbour.far} down")
        with pytest.raises(OSError, match="no carrier"):
            wire.probe_addresses([V4], 0.1)
        neighbour.do(f"ip link set {neighbour.far} up")
        drop = threading.Timer(0.1, lambda: neighbour.do(f"ip link set {neighbour.far} down"))
        drop.start()
        with pytest.raises(OSError, match="the wire cannot be asked"):
            wire.probe_addresses([V4], 0.6)
        drop.join()
        with pytest.raises(OSError, match="not Ethernet"):
            wire.probe_addresses([Address(interface="lo", address="10.88.0.50", prefix=24)], 0.1)

    in_namespaces(body)


def test_announcing_moves_the_neighbours_entries() -> None:
    def body() -> None:
        neighbour = Neighbour()
        for item in (V4, V6):
            neighbour.do(f"ip neigh add {item.address} lladdr 02:00:00:00:00:99 dev {neighbour.far} nud reachable")
            netlink.add_address(item)
        wire.announce_addresses([V4, V6])
        (mac,) = (item.mac for item in netlink.read_interfaces() if item.name == PORT)
        for item in (V4, V6):
            assert f"lladdr {mac} " in neighbour.do(f"ip neigh show {item.address}") + " "

    in_namespaces(body)


def test_an_ipv6_address_is_usable_at_once_and_a_failed_one_is_put_right() -> None:
    def body() -> None:
        neighbour = Neighbour()
        neighbour.add("fd00:88::50/64")
        shell(f"ip addr add fd00:88::50/64 dev {PORT}")  # with detection: it fails
        deadline = time.monotonic() + 5
        while "dadfailed" not in shell(f"ip addr show {PORT}") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "dadfailed" in shell(f"ip addr show {PORT}")
        assert not any(V6 in item.addresses for item in netlink.read_interfaces())
        netlink.add_address(V6)
        assert any(V6 in item.addresses for item in netlink.read_interfaces())
        assert "tentative" not in shell(f"ip addr show dev {PORT} to fd00:88::50")

    in_namespaces(body)


def test_the_kernels_own_words_are_in_the_error() -> None:
    def body() -> None:
        Neighbour()
        with pytest.raises(OSError, match=rf"10.88.0.50/44 on {PORT}: .*[Ii]nvalid prefix") as caught:
            netlink.add_address(Address(interface=PORT, address="10.88.0.50", prefix=44))
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(OSError, match="not an address"):
            netlink.add_address(Address(interface=PORT, address="10.88.0", prefix=24))

    in_namespaces(body)


def test_peer_prefix_and_local_addresses_are_listed_as_the_kernel_has_them() -> None:
    def body() -> None:
        Neighbour()
        shell(f"ip addr add 10.1.1.1 peer 10.1.1.2/32 dev {PORT}; ip link set {PORT} up")
        found = {item.name: item for item in netlink.read_interfaces()}
        assert [item.address for item in found[PORT].addresses] == ["10.1.1.1"]
        assert found["lo"].addresses == (Address(interface="lo", address="127.0.0.1", prefix=8),)
        many = [Address(interface=PORT, address=f"10.2.{i // 200}.{i % 200 + 1}", prefix=24) for i in range(1000)]
        for item in many:
            netlink.add_address(item)
        (port,) = (item for item in netlink.read_interfaces() if item.name == PORT)
        assert set(many) <= set(port.addresses), "a list longer than one packet is whole"

    in_namespaces(body)


def test_a_probe_that_was_begun_before_has_listened_all_the_while() -> None:
    def body() -> None:
        neighbour = Neighbour()
        host = LocalHost()
        host.begin_probe([V4], 0.2)
        time.sleep(0.3)
        neighbour.add("10.88.0.50/24")  # after the window of a probe that was made once: it goes on asking
        time.sleep(0.1)
        assert host.probe_addresses([V4], 0.2) == (Answer(address=V4.address, mac=neighbour.mac),)

    in_namespaces(body)


def test_a_head_start_shortens_the_wait_and_not_the_window() -> None:
    def waited(ahead: float) -> float:
        host, begun = LocalHost(), time.monotonic()
        host.begin_probe([V4], 0.4)
        time.sleep(ahead)
        before = time.monotonic()
        assert host.probe_addresses([V4], 0.4) == ()
        assert time.monotonic() - begun >= 0.39
        return time.monotonic() - before

    def body() -> None:
        Neighbour()
        waited(0.0)
        starts = (0.8, 0.8, 1.6, 3.2, 6.4, 12.8)  # a busy machine may have kept it from asking in time
        assert any(waited(ahead) < 0.39 for ahead in starts)

    in_namespaces(body)


def test_a_question_that_another_asked_meanwhile_is_no_answer_later() -> None:
    def body() -> None:
        neighbour = Neighbour()
        host = LocalHost()
        host.begin_probe([V4], 0.1)
        with neighbour.inside():
            wire.probe_addresses([Address(interface=neighbour.far, address=V4.address, prefix=24)], 0.1)
        assert host.probe_addresses([V4], 0.1) == ()

    in_namespaces(body)


def test_a_head_start_is_used_once_and_not_for_a_longer_window() -> None:
    def body() -> None:
        Neighbour()
        host = LocalHost()
        host.begin_probe([V4], 0.1)
        time.sleep(0.2)
        for _ in range(2):
            before = time.monotonic()
            assert host.probe_addresses([V4], 0.3) == ()
            assert time.monotonic() - before > 0.29

    in_namespaces(body)


def test_a_head_start_on_a_line_that_drops_is_no_silence() -> None:
    def body() -> None:
        neighbour = Neighbour()
        host = LocalHost()
        host.begin_probe([V4], 0.1)
        time.sleep(0.2)
        neighbour.do(f"ip link set {neighbour.far} down")
        with pytest.raises(OSError, match="the wire cannot be asked"):
            host.probe_addresses([V4], 0.1)
        with pytest.raises(OSError, match="no carrier"):
            host.begin_probe([V4], 0.1)

    in_namespaces(body)


def test_a_head_start_that_is_old_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        monkeypatch.setattr(wire, "FRESH", 0.2)
        neighbour = Neighbour()
        host = LocalHost()
        host.begin_probe([V4], 0.1)
        time.sleep(0.4)
        neighbour.add("10.88.0.50/24")
        assert host.probe_addresses([V4], 0.1) == (Answer(address=V4.address, mac=neighbour.mac),)

    in_namespaces(body)
