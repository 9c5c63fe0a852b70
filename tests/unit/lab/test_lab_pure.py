"""The parts of the lab that need no machine: names, stored texts of real tools and kernels, frames."""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path

import pytest

from lab.disk import Disk, parse_mountinfo
from lab.enter import machine_name, shell_status
from lab.errors import LabError, LabRefused
from lab.image import parse_deb822, parse_one_line, read_mirrors
from lab.layers import guest_files
from lab.layout import NODES, Layout
from lab.observer import ObserverLog, parse_frame

MAC_A, MAC_ALL = bytes.fromhex("02880000000b"), b"\xff" * 6


@pytest.mark.parametrize("name", ["", "Main", "a-b", "a/b", "1a", "x" * 17, "a b"])
def test_lab_names_that_could_match_another_labs_prefix_are_refused(name: str) -> None:
    with pytest.raises(LabRefused):
        Layout(name)


def test_every_port_name_fits_the_kernels_limit() -> None:
    assert all(len(Layout("x").port(node, net)) <= 15 for node in NODES for net in ("svc", "mgmt"))


def test_machine_names_agree_with_the_layout() -> None:
    assert machine_name("main", "ec-a") == Layout("main").machine("ec-a")
    with pytest.raises(LabRefused, match="no node"):
        machine_name("main", "ec-z")


def test_killed_programs_have_the_shells_status() -> None:
    assert [shell_status(s) for s in (0, 7, -9)] == [0, 7, 137]


def test_one_line_sources_give_debian_and_not_others() -> None:
    text = """# comment
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb https://packages.example/apt cloud-sdk-bookworm main
"""
    assert parse_one_line(text) == [
        "deb http://mirror.example/debian bookworm main",
        "deb http://security.example/debian-security bookworm-security main",
    ]


def test_deb822_sources_give_each_suite_and_skip_disabled_ones() -> None:
    text = """Types: deb
# a comment within
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
"""
    assert parse_deb822(text) == [
        "deb http://mirror.example/debian bookworm main",
        "deb http://mirror.example/debian bookworm-updates main",
    ]


def test_a_machine_without_the_archive_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no Debian bookworm"):
        read_mirrors(tmp_path)


def test_mounts_are_found_by_number_and_for_btrfs_by_source() -> None:
    text = r"""25 1 7:3 / /srv/with\040space rw,relatime - ext4 /dev/asset0 rw
26 1 0:41 /sub /data rw,relatime shared:1 - btrfs /dev/disk/by-id/lab-asset1 rw,space_cache=v2
27 1 0:5 / /proc rw - proc proc rw
"""
    disks = {f"7:{n}": Disk(f"asset{i}", Path(), Path(f"/dev/loop{n}")) for i, n in enumerate((3, 4))}
    found = [(m.disk.name, m.point, m.fstype) for m in parse_mountinfo(text, disks, 1)]
    assert found == [("asset0", "/srv/with space", "ext4"), ("asset1", "/data", "btrfs")]


def test_boot_configuration_holds_the_nodes_own_addresses_only() -> None:
    for spec in NODES.values():
        text = guest_files(spec, NODES.values())["etc/network/interfaces"][0]
        assert spec.svc_ip in text
        assert spec.mgmt_ip in text
        assert "10.88.0.50" not in text
        assert "10.88.0.60" not in text


def arp(operation: int, sender: str, target: str) -> bytes:
    addresses = [ipaddress.ip_address(a).packed for a in (sender, target)]
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, MAC_A, addresses[0], bytes(6), addresses[1])
    return MAC_ALL + MAC_A + b"\x08\x06" + body


def neighbour(kind: int, source: str, target: str) -> bytes:
    packed = [ipaddress.ip_address(a).packed for a in (source, "ff02::1", target)]
    header = struct.pack("!IHBB", 0x60000000, 24, 58, 255) + packed[0] + packed[1]
    return MAC_ALL + MAC_A + b"\x86\xdd" + header + struct.pack("!BBHI", kind, 0, 0, 0) + packed[2]


def test_frames_tell_who_claims_what() -> None:
    mac = "02:88:00:00:00:0b"
    assert parse_frame(arp(1, "10.88.0.50", "10.88.0.50")) == ("request", mac, "10.88.0.50", "10.88.0.50")
    assert parse_frame(arp(2, "10.88.0.50", "10.88.0.1")) == ("reply", mac, "10.88.0.50", "10.88.0.1")
    assert parse_frame(neighbour(136, "fd88::11", "fd88::50")) == ("advertisement", mac, "fd88::50", "fd88::50")
    assert parse_frame(neighbour(135, "fd88::11", "fd88::50")) == ("solicitation", mac, "fd88::11", "fd88::50")


def test_probes_and_other_frames_claim_nothing() -> None:
    assert parse_frame(arp(1, "0.0.0.0", "10.88.0.50")) == ("request", "02:88:00:00:00:0b", "", "10.88.0.50")
    probe = parse_frame(neighbour(135, "::", "fd88::50"))
    assert probe is not None
    assert probe[2] == ""
    assert parse_frame(neighbour(128, "fd88::11", "fd88::50")) is None
    assert parse_frame(MAC_ALL + MAC_A + b"\x08\x00" + bytes(60)) is None
    assert parse_frame(b"short") is None


def test_a_torn_last_line_of_the_observer_is_skipped(tmp_path: Path) -> None:
    line = '{"monotonic": 1.5, "wall": 2.0, "kind": "reply", "mac": "m", "sender_ip": "10.88.0.50", "target_ip": "x"}\n'
    (tmp_path / "log").write_text(line + line[:30])
    assert ObserverLog(tmp_path / "log").macs("10.88.0.50") == [(1.5, "m")]
