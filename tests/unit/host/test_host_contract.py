"""What every Host must do, tried on the real one (in namespaces of its own) and on the fake."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from tanist.host.host import Host
from tanist.host.mountinfo import find_mount
from tanist.model.host import Address, IdMap
from tests.unit.host.machines import TREE, Machine, on_fake_host, on_local_host

Body = Callable[[Machine], None]
SWAP = IdMap(users=((1001, 2001, 1), (2001, 1001, 1), (0, 0, 1001)), groups=((0, 0, 65536),))
OTHER_MAP = IdMap(users=((0, 0, 65536),), groups=((0, 0, 65536),))


@pytest.fixture(params=["local", "fake"])
def on(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    def run(body: Body, *, disk: bool = False, network: bool = False) -> None:
        if request.param == "local":
            on_local_host(body, disk=disk, network=network)
        else:
            on_fake_host(body, str(tmp_path))

    return run


def fails_with(code: int, call: Callable[[], object]) -> str:
    with pytest.raises(OSError) as caught:
        call()
    assert caught.value.errno == code, caught.value
    return str(caught.value)


def count_mounts(host: Host, target: str) -> int:
    return sum(mount.target == target for mount in host.mounts())


def test_a_file_system_is_mounted_once_however_often_one_asks(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        for _ in range(2):
            host.mount_device(machine.device, TREE, "ext4", ("noatime", "nodev"), None)
        assert count_mounts(host, TREE) == 1
        mount = find_mount(host.mounts(), TREE)
        assert mount is not None and (mount.source, mount.fstype, mount.root) == (machine.device, "ext4", "/")
        assert {"rw", "noatime", "nodev"} <= set(mount.options) and "idmapped" not in mount.options
        assert host.read_idmap(TREE) is None
        host.files.write(f"{TREE}/file", b"on the disk")
        host.unmount(TREE)
        assert not host.files.exists(f"{TREE}/file")
        host.mount_device(machine.device, TREE, "ext4", (), None)
        assert host.files.read(f"{TREE}/file") == b"on the disk"

    on(body, disk=True)


def test_a_mapped_mount_says_its_map(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        for _ in range(2):
            machine.host.mount_device(machine.device, TREE, "ext4", (), SWAP)
        mount = find_mount(machine.host.mounts(), TREE)
        assert mount is not None and "idmapped" in mount.options
        assert machine.host.read_idmap(TREE) == SWAP

    on(body, disk=True)


def test_the_wrong_map_in_place_is_busy(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        host.mount_device(machine.device, TREE, "ext4", (), SWAP)
        for idmap in (None, OTHER_MAP):
            text = fails_with(errno.EBUSY, lambda: host.mount_device(machine.device, TREE, "ext4", (), idmap))  # noqa: B023
            assert "id map" in text and TREE in text
        assert count_mounts(host, TREE) == 1

    on(body, disk=True)


def test_something_else_at_the_place_is_busy(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        host.mount_bind("/mnt/other", TREE)
        text = fails_with(errno.EBUSY, lambda: host.mount_device(machine.device, TREE, "ext4", (), None))
        assert "already mounted" in text

    on(body, disk=True)


def test_a_mount_that_cannot_be_leaves_nothing_behind(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        before = host.mounts()
        huge = IdMap(users=tuple((i * 2, i * 2, 1) for i in range(100000, 100300)), groups=((0, 0, 1),))
        overlapping = IdMap(users=((0, 0, 4), (2, 8, 2)), groups=((0, 0, 1),))
        fails_with(errno.ENOENT, lambda: host.mount_device("/dev/not-there", TREE, "ext4", (), None))
        fails_with(errno.EINVAL, lambda: host.mount_device(machine.device, TREE, "xfs", (), None))
        fails_with(errno.ENOENT, lambda: host.mount_device(machine.device, "/mnt/nowhere", "ext4", (), None))
        text = fails_with(errno.E2BIG, lambda: host.mount_device(machine.device, TREE, "ext4", (), huge))
        assert "4799 bytes" in text and "4095" in text
        fails_with(errno.EINVAL, lambda: host.mount_device(machine.device, TREE, "ext4", (), overlapping))
        assert host.mounts() == before

    on(body, disk=True)


def test_a_file_covers_a_file_until_it_is_unmounted(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        for _ in range(2):
            host.mount_bind("/mnt/one", "/mnt/two")
        assert count_mounts(host, "/mnt/two") == 1
        assert host.files.read("/mnt/two") == b"/mnt/one"
        fails_with(errno.EBUSY, lambda: host.files.write("/mnt/two", b"replaced"))
        host.unmount("/mnt/two")
        assert host.files.read("/mnt/two") == b"/mnt/two"

    on(body)


def test_a_bind_keeps_the_map_of_its_source_and_is_safe_to_repeat(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        host.mount_device(machine.device, TREE, "ext4", (), SWAP)
        host.files.make_directory(f"{TREE}/part")
        for _ in range(2):
            host.mount_bind(f"{TREE}/part", "/mnt/other")
        mount = find_mount(host.mounts(), "/mnt/other")
        assert mount is not None and mount.root == "/part" and count_mounts(host, "/mnt/other") == 1
        assert host.read_idmap("/mnt/other") == SWAP

    on(body, disk=True)


def test_a_directory_can_be_mapped_over_itself(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        for _ in range(2):
            machine.host.mount_bind(TREE, TREE, idmap=SWAP)
        assert machine.host.read_idmap(TREE) == SWAP
        assert count_mounts(machine.host, TREE) == 1

    on(body)


def test_binds_that_cannot_be_say_why(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        fails_with(errno.ENOENT, lambda: host.mount_bind("/mnt/nowhere", TREE))
        fails_with(errno.ENOENT, lambda: host.mount_bind("/mnt/one", "/mnt/nowhere"))
        fails_with(errno.ENOTDIR, lambda: host.mount_bind("/mnt/one", TREE))
        fails_with(errno.ENOTDIR, lambda: host.mount_bind(TREE, "/mnt/one"))
        fails_with(errno.ENOTDIR, lambda: host.mount_device(machine.device, "/mnt/one", "ext4", (), None))

    on(body)


def test_unmounting_what_is_none_or_in_use_says_so(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        assert "not a mount point" in fails_with(errno.EINVAL, lambda: host.unmount(TREE))
        host.mount_device(machine.device, TREE, "ext4", (), None)
        host.files.make_directory(f"{TREE}/inner")
        host.mount_bind("/mnt/other", f"{TREE}/inner")
        assert "in use" in fails_with(errno.EBUSY, lambda: host.unmount(TREE))
        host.unmount(f"{TREE}/inner")
        host.unmount(TREE)
        fails_with(errno.EINVAL, lambda: host.read_idmap(TREE))

    on(body, disk=True)


def test_the_host_name_changes_at_once(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        machine.host.set_hostname("tanist-test")
        assert machine.host.hostname() == "tanist-test"

    on(body)


@pytest.mark.parametrize(("address", "prefix"), [("10.88.0.50", 24), ("fd00:88::50", 64)])
def test_an_address_is_added_and_removed_once(on: Callable[..., None], address: str, prefix: int) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        wanted = Address(interface=machine.port, address=address, prefix=prefix)
        for present in (True, True, False, False):
            (host.add_address if present else host.remove_address)(wanted)
            (port,) = (item for item in host.interfaces() if item.name == machine.port)
            assert port.addresses == ((wanted,) if present else ())
            assert port.up and port.carrier and len(port.mac) == 17
        missing = Address(interface="nowhere0", address=address, prefix=prefix)
        assert "no such interface" in fails_with(errno.ENODEV, lambda: host.add_address(missing))
        host.remove_address(missing)

    on(body, network=True)


def test_the_wire_tells_who_has_an_address(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        for cidr in ("10.88.0.50/24", "fd00:88::50/64"):
            machine.give_neighbour(cidr)
        texts = ("10.88.0.50", "fd00:88::50", "10.88.0.51", "fd00:88::51")
        addresses = [Address(interface=machine.port, address=text, prefix=24) for text in texts]
        answers = host.probe_addresses(addresses, 0.2)
        assert {answer.address for answer in answers} == {"10.88.0.50", "fd00:88::50"}
        assert len({answer.mac for answer in answers}) == 1
        before = host.monotonic()
        assert host.probe_addresses(addresses[:2], 10) == answers or set(
            host.probe_addresses(addresses[:2], 10)
        ) == set(answers)
        assert host.monotonic() - before < 5, "every address was answered for: no need to wait"
        own = Address(interface=machine.port, address="10.88.0.52", prefix=24)
        host.add_address(own)
        assert host.probe_addresses([own], 0.1) == (), "one's own address is no answer"
        host.announce_addresses([own])

    on(body, network=True)


def test_a_wire_that_cannot_be_asked_is_an_error_and_not_silence(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        address = Address(interface=machine.port, address="10.88.0.50", prefix=24)
        missing = Address(interface="nowhere0", address="10.88.0.50", prefix=24)
        fails_with(errno.ENODEV, lambda: machine.host.probe_addresses([missing], 0.1))
        machine.set_down()
        for call in (
            lambda: machine.host.probe_addresses([address], 0.1),
            lambda: machine.host.announce_addresses([address]),
        ):
            assert "is down" in fails_with(errno.ENETDOWN, call)

    on(body, network=True)


def test_a_lock_is_had_by_one_and_says_whose_it_is(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        first = machine.host.lock("/run/tanist/x/lock", "takeover, run 7")
        assert not isinstance(first, str)
        assert machine.host.lock("/run/tanist/x/lock", "another") == "takeover, run 7"
        other = machine.host.lock("/run/tanist/y/lock", "another controller")
        assert not isinstance(other, str)
        first.close()
        again = machine.host.lock("/run/tanist/x/lock", "later")
        assert not isinstance(again, str)
        first.close()
        assert machine.host.lock("/run/tanist/x/lock", "third") == "later", "closing twice frees nobody else's lock"

    on(body)


def test_accounts_that_are_not_there_are_none(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        assert (host.user_id("root"), host.group_id("root"), host.user_name(0), host.group_name(0)) == (
            0,
            0,
            "root",
            "root",
        )
        assert (host.user_id("no-such"), host.group_id("no-such")) == (None, None)
        assert (host.user_name(3999999999), host.group_name(3999999999)) == (None, None)

    on(body)


def test_time_passes_and_the_boot_stays_the_same(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        host = machine.host
        before, wall = host.monotonic(), host.now()
        host.sleep(0.02)
        assert host.monotonic() - before >= 0.019 and host.now() >= wall
        assert host.boot_id() == host.boot_id() != ""

    on(body)


def test_port_without_a_listener_does_not_answer(on: Callable[..., None]) -> None:
    def body(machine: Machine) -> None:
        assert not machine.host.tcp_answers("127.0.0.1", 9, 0.2)
        with pytest.raises(OSError):
            machine.host.http_status("http://127.0.0.1:9/", 0.2)

    on(body, network=True)
