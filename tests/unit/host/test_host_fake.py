"""The fake host where it does more than the contract: power, crashes, units, violations."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tanist
from tanist.host.commands import CommandFailed
from tanist.host.fake import Crash, FakeClock, FakeDisk, FakeHost, FakeUnit, FakeWire
from tanist.host.host import Host
from tanist.host.local import LocalHost
from tanist.model.host import Address, Answer, Ran

ADDRESS = Address(interface="eth0", address="10.88.0.50", prefix=24)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[FakeHost, FakeHost]:
    (tmp_path / "disk").mkdir()
    wire, clock, disk = FakeWire(), FakeClock(), FakeDisk(str(tmp_path / "disk"))
    hosts = []
    for name in ("ec1", "ec2"):
        unit = FakeUnit(ports=(443,), uses=("/tree",), seconds=2)
        disks = {"/dev/asset": disk}
        host = FakeHost(str(tmp_path / name), name, wire=wire, clock=clock, disks=disks, units={"ec.service": unit})
        host.files.make_directory("/tree")
        host.log.clear()
        hosts.append(host)
    return hosts[0], hosts[1]


def test_both_hosts_fit_the_protocol(tmp_path: Path) -> None:
    hosts: tuple[Host, ...] = (LocalHost(), FakeHost(str(tmp_path)))
    assert all(host.boot_id() for host in hosts)


def test_importing_the_local_host_loads_next_to_nothing() -> None:
    sources = str(Path(tanist.__file__).parent.parent)
    code = f"import sys; sys.path.insert(0, {sources!r}); import tanist.host.local; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True).stdout
    heavy = {"subprocess", "socket", "struct", "ctypes", "http", "ssl", "selectors", "dataclasses", "typing", "re"}
    assert heavy & set(loaded.split()) == set()
    assert "tanist.host.local" in loaded.split()


def test_a_disk_that_another_host_has_is_refused_and_noted(pair: tuple[FakeHost, FakeHost]) -> None:
    one, two = pair
    one.mount_device("/dev/asset", "/tree", "ext4", (), None)
    with pytest.raises(OSError, match="ec1 has it mounted"):
        two.mount_device("/dev/asset", "/tree", "ext4", (), None)
    assert two.violations == ("mounted twice: /dev/asset on ec1 and ec2",)
    one.power_off()
    two.mount_device("/dev/asset", "/tree", "ext4", (), None)


def test_a_bind_keeps_the_disk_when_the_tree_is_unmounted(pair: tuple[FakeHost, FakeHost]) -> None:
    one, two = pair
    one.mount_device("/dev/asset", "/tree", "ext4", (), None)
    one.files.make_directory("/tree/part")
    one.files.make_directory("/elsewhere")
    one.mount_bind("/tree/part", "/elsewhere")
    one.unmount("/tree")
    with pytest.raises(OSError, match="ec1 has it mounted"):
        two.mount_device("/dev/asset", "/tree", "ext4", (), None)


def test_an_address_on_two_hosts_is_noted_even_when_one_is_silent(pair: tuple[FakeHost, FakeHost]) -> None:
    one, two = pair
    one.add_address(ADDRESS)
    (port,) = one.interfaces()
    assert two.probe_addresses([ADDRESS], 1) == (Answer(address=ADDRESS.address, mac=port.mac),)
    one.silent = True
    before = two.monotonic()
    assert two.probe_addresses([ADDRESS], 1) == () and two.monotonic() == before + 1
    two.add_address(ADDRESS)
    assert two.violations == ("two owners: 10.88.0.50 on ec1 and ec2",)


def test_a_boot_forgets_what_a_boot_forgets(pair: tuple[FakeHost, FakeHost]) -> None:
    host, _ = pair
    before = host.boot_id()
    host.files.write("/etc/hostname", b"ec1.example\n")
    host.files.write("/run/intent", b"x")
    host.files.write("/kept", b"x")
    host.mount_device("/dev/asset", "/tree", "ext4", (), None)
    host.add_address(ADDRESS)
    host.set_hostname("controller")
    host.run(["systemctl", "start", "ec"])
    lock = host.lock("/run/lock", "me")
    assert not isinstance(lock, str)
    host.reboot()
    assert host.boot_id() != before and host.hostname() == "ec1.example"
    assert len(host.mounts()) == 1 and host.interfaces()[0].addresses == ()
    assert not host.files.exists("/run/intent") and host.files.exists("/kept")
    assert host.run(["systemctl", "is-active", "ec"], ok=None).text == "inactive\n"
    assert not isinstance(host.lock("/run/lock", "me again"), str)


def test_an_enabled_unit_runs_after_a_boot(pair: tuple[FakeHost, FakeHost]) -> None:
    host, _ = pair
    host.run(["systemctl", "enable", "ec.service"])
    host.reboot()
    assert host.units["ec.service"].state == "active"


def test_tanist_dies_after_the_nth_change_and_not_before(pair: tuple[FakeHost, FakeHost]) -> None:
    host, _ = pair
    assert not isinstance(host.lock("/run/lock", "me"), str)
    host.crash_after(2)
    host.add_address(ADDRESS)
    host.add_address(ADDRESS)  # nothing to do: not a change
    with pytest.raises(Crash, match=r"files.append /journal"):
        host.files.append("/journal", b"line\n")
    assert host.files.read("/journal") == b"line\n", "the change itself was made"
    assert host.log == ["add_address 10.88.0.50 eth0", "files.append /journal"]
    assert not isinstance(host.lock("/run/lock", "the next"), str)


def test_a_killed_tanist_changes_nothing_more_not_even_in_finally(pair: tuple[FakeHost, FakeHost]) -> None:
    host, _ = pair
    host.files.make_directory("/d")
    host.crash_after(1)
    with pytest.raises(Crash, match="set_hostname x"):
        try:
            host.files.append("/journal", b"line\n")
        finally:
            with pytest.raises(Crash):
                host.files.remove("/journal")
            descriptor = host.files.open_directory("/d")
            with pytest.raises(Crash):
                os.mkdir("deeper", dir_fd=descriptor)
            os.close(descriptor)
            host.set_hostname("x")
    assert host.hostname() == host.name and host.files.exists("/journal") and not host.files.exists("/d/deeper")
    host.revive()
    host.set_hostname("x")


def test_changes_through_descriptors_count_each_before_it_is_made(pair: tuple[FakeHost, FakeHost]) -> None:
    host, other = pair
    host.files.make_directory("/d")
    host.files.write("/d/file", b"1")
    descriptor = host.files.open_directory("/d")
    pin = os.open("file", os.O_PATH, dir_fd=descriptor)
    changes: list[Callable[[], None]] = [
        lambda: os.mkdir("new", dir_fd=descriptor),
        lambda: os.symlink("file", "link", dir_fd=descriptor),
        lambda: os.rename("link", "name", src_dir_fd=descriptor, dst_dir_fd=descriptor),
        lambda: os.chmod(f"/proc/self/fd/{pin}", 0o600),
        lambda: os.rmdir("new", dir_fd=descriptor),
        lambda: os.unlink("name", dir_fd=descriptor),
    ]
    for at in range(len(changes)):
        host.crash_after(2)
        changes[at]()
        before = sorted(host.files.list("/d"))
        with pytest.raises(Crash, match=f"{host.root}/d"):
            changes[min(at + 1, 5)]()
        assert sorted(host.files.list("/d")) == before
        host.revive()
    os.close(pin)
    os.close(descriptor)
    other.set_hostname("is not concerned")


def test_a_host_without_power_does_nothing(pair: tuple[FakeHost, FakeHost]) -> None:
    host, other = pair
    host.add_address(ADDRESS)
    host.power_off()
    with pytest.raises(AssertionError, match="is off"):
        host.set_hostname("x")
    assert other.probe_addresses([ADDRESS], 1) == ()


def test_units_answer_as_systemctl_does(pair: tuple[FakeHost, FakeHost]) -> None:
    host, other = pair
    host.add_address(ADDRESS)
    assert not other.tcp_answers("10.88.0.50", 443, 1)
    before = host.monotonic()
    host.run(["systemctl", "start", "ec"])
    assert host.monotonic() == before + 2
    assert host.run(["systemctl", "is-active", "ec.service", "nix"]).text == "active\ninactive\n"
    assert host.run(["systemctl", "is-active", "nix"], ok=None).status == 4
    assert other.tcp_answers("10.88.0.50", 443, 1)
    shown = host.run(["systemctl", "show", "-p", "ActiveState,SubState", "--property=LoadState", "ec", "nix"]).text
    assert shown == "LoadState=loaded\nActiveState=active\nSubState=running\n\nLoadState=not-found\n" + (
        "ActiveState=inactive\nSubState=dead\n"
    )
    assert host.run(["systemctl", "show", "--value", "-p", "ActiveState", "ec"]).text == "active\n"
    with pytest.raises(CommandFailed, match=r"Unit nix\.service not found"):
        host.run(["systemctl", "start", "nix"])
    host.units["ec.service"].fails = True
    assert host.run(["systemctl", "restart", "ec"], ok=None).status == 1
    assert host.run(["systemctl", "is-failed", "ec"]).text == "failed\n"
    host.run(["systemctl", "reset-failed", "ec"])
    host.units["ec.service"].condition = False
    host.run(["systemctl", "start", "ec"])
    assert host.units["ec.service"].state == "inactive"
    with pytest.raises(OSError, match="no end within 1 s"):
        host.run(["systemctl", "start", "ec"], timeout=1)
    with pytest.raises(AssertionError, match="does not know"):
        host.run(["systemctl", "isolate", "rescue.target"])


def test_a_running_unit_keeps_its_mount_busy(pair: tuple[FakeHost, FakeHost]) -> None:
    host, _ = pair
    host.mount_device("/dev/asset", "/tree", "ext4", (), None)
    host.run(["systemctl", "start", "ec"])
    with pytest.raises(OSError, match="in use"):
        host.unmount("/tree")
    host.run(["systemctl", "stop", "ec"])
    host.unmount("/tree")


def test_commands_are_scripted_and_strays_fail_the_test(pair: tuple[FakeHost, FakeHost]) -> None:
    host, _ = pair
    host.answer(["exportfs"], "all\n")
    host.answer(["exportfs", "-u"], status=1, stderr="exportfs: no\n", changes=True)
    host.answer_with(["cat"], lambda argv, stdin: Ran(argv=tuple(argv), status=0, stdout=stdin, stderr=b""))
    assert host.run(["exportfs", "-v"]).text == "all\n"
    with pytest.raises(CommandFailed, match="exportfs: no"):
        host.run(["exportfs", "-u", "x"])
    assert host.run(["cat"], stdin=b"y").stdout == b"y"
    with pytest.raises(AssertionError, match="unplanned command on ec1: rm -rf"):
        host.run(["rm", "-rf", "/"])
    with pytest.raises(OSError, match="no such account"):
        host.run(["cat"], user="nobody-here")
    assert host.ran[0] == ("exportfs", "-v") and host.log == ["exportfs -u x"]


def test_what_is_mounted_over_cannot_be_replaced_or_removed(pair: tuple[FakeHost, FakeHost]) -> None:
    host, _ = pair
    host.files.write("/one", b"1")
    host.files.write("/tree/two", b"2")
    host.mount_bind("/one", "/tree/two")
    changes: list[Callable[[], None]] = [
        lambda: host.files.write("/tree/two", b"3"),
        lambda: host.files.remove("/tree/two"),
        lambda: host.files.remove_tree("/tree"),
        lambda: host.files.move("/one", "/tree/two"),
    ]
    for change in changes:
        with pytest.raises(OSError, match="mount point"):
            change()
