"""What `tanist check` reads of a node: the answers of real tools, and what happens where there is none."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tanist.facts import (
    clock,
    disk,
    edited,
    expiries,
    firewall,
    links,
    listeners,
    names,
    neighbours,
    packages,
    security,
    settings,
    space,
    units,
)
from tanist.model.definition import Asset
from tanist.model.hardware import Space
from tanist.model.readout import Disk, Edited, Expiry, Firewall, Link, Packages
from tanist.model.unread import Unread
from tests.unit.facts.machine import Machine

CASES = Path(__file__).with_name("cases")
SS = "ss -H -l -n -t -u -p"


def case(name: str) -> str:
    return (CASES / name).read_text()


def test_links_tell_mtu_vlan_and_speed(tmp_path: Path) -> None:
    vlan = '[{"ifname":"eth0.7","mtu":9000,"linkinfo":{"info_kind":"vlan","info_data":{"id":7}}},{}]'
    machine = Machine(tmp_path, commands={"ip -j -d link show": vlan}, files={"/sys/class/net/eth0.7/speed": "10000\n"})
    assert links.read_links(machine.host) == (Link(name="eth0.7", mtu=9000, speed=10000, vlan=7),)
    assert links.parse_links(case("link.txt")) == (Link(name="svc0", mtu=1500),)


@pytest.mark.parametrize("said", ["", "{}", "[1]", '[{"mtu": 1}]', "null"])
def test_an_answer_of_ip_that_is_none_is_unread(tmp_path: Path, said: str) -> None:
    assert isinstance(links.read_links(Machine(tmp_path, commands={"ip -j -d link show": said}).host), Unread)


def test_listeners_tell_the_unit_that_listens(tmp_path: Path) -> None:
    groups = "1:name=systemd:/system.slice/system-postgresql.slice/postgresql@15-main.service\n0::/init.scope\n"
    machine = Machine(tmp_path, commands={SS: case("ss.txt")}, files={"/proc/237/cgroup": groups})
    found = listeners.read_listeners(machine.host)
    assert isinstance(found, tuple)
    (postgres,) = (one for one in found if one.port == 5432)  # both families, one line
    assert (postgres.address, postgres.unit, postgres.process) == ("*", "postgresql@15-main.service", "postgres")
    assert [one.address for one in found if one.port == 22] == ["10.88.0.60", "10.99.0.11"]
    unified = "0::/system.slice/cron.service\n"
    assert listeners.parse_cgroup(unified) == "cron.service"
    assert listeners.parse_cgroup("0::/user.slice/session-1.scope\n") == ""


def test_units_tell_what_a_start_lacks(tmp_path: Path) -> None:
    asked = ("postgresql@15-main.service", "nope.service", "cron.service")
    command = f"systemctl show -p {','.join(units.PROPERTIES)} -- {' '.join(asked)}"
    machine = Machine(tmp_path, commands={command: case("units.txt")}, files={"/usr/sbin/cron": "#!"})
    (tmp_path / "usr/sbin/cron").chmod(0o755)
    found = units.read_units(machine.host, asked)
    assert isinstance(found, tuple)
    assert [(one.loaded, one.lacks) for one in found] == [
        ("loaded", ("/usr/bin/pg_ctlcluster",)),
        ("not-found", ()),
        ("loaded", ()),
    ]
    assert dict(found[0].limits)["LimitNOFILE"] == "524288"
    assert units.read_programs(found) == ("/lib/systemd/system/cron.service", "/lib/systemd/system/postgresql@.service")


def test_packages_are_followed_through_what_they_need(tmp_path: Path) -> None:
    unit = "/lib/systemd/system/postgresql@.service"
    listing = f"dpkg-query -W -f {packages._FORMAT}"
    owned = f"dpkg-query -S {unit} /usr{unit}"
    machine = Machine(tmp_path, commands={listing: case("dpkg.txt"), owned: f"postgresql-common: {unit}\n"})
    found = packages.read_packages(machine.host, (unit,))
    assert isinstance(found, Packages)
    assert found.owners == ("postgresql-common",)
    assert {"adduser", "debconf"} <= set(found.needed) and "libpq5" not in found.needed
    installed = {one.name: one.version for one in found.installed}
    assert installed["postgresql-15"] == "15.20-0+deb12u1"
    assert "cron" not in installed, "removed, its configuration files are left"
    assert packages.parse_owners("diversion by dash from: /bin/sh\na, b:amd64: /bin/sh\n") == {"a", "b"}


def test_rpm_answers_where_there_is_no_dpkg(tmp_path: Path) -> None:
    form = packages.RPM_FORMAT
    commands: dict[str, str | int] = {
        f"rpm -qa --qf {form}": "cronie\t0:1.5-1\nbash\t0:5-1\n",
        f"rpm -qf --qf {form} /u/a /u/b": "cronie\t0:1.5-1\nfile /u/b is not owned by any package\n",
    }
    found = packages.read_packages(Machine(tmp_path, commands=commands).host, ("/u/a", "/u/b"))
    assert isinstance(found, Packages)
    assert (found.owners, [one.name for one in found.installed]) == (("cronie",), ["bash", "cronie"])
    assert isinstance(packages.read_packages(Machine(tmp_path).host, ()), Unread)


def test_the_packet_filter_tells_whether_it_drops_and_what_it_lets_in(tmp_path: Path) -> None:
    command = "nft -j list ruleset"
    found = firewall.read_firewall(Machine(tmp_path, commands={command: case("nft-drop.json")}).host)
    accepts = ("tcp 22", "tcp 5432", "tcp 80", "tcp 8000-8010", "tcp 9000-9005", "udp 53")
    assert found == Firewall(drops=True, accepts=accepts), "not the chain that no packet comes to"
    assert firewall.parse_ruleset(case("nft-reject.json")) == Firewall(drops=True, accepts=("tcp 22",))
    empty = '{"nftables": [{"metainfo": {"version": "1.0.6"}}]}'
    assert firewall.parse_ruleset(empty) is None
    assert firewall.read_firewall(Machine(tmp_path).host) is None
    legacy = Machine(tmp_path, commands={command: empty}, files={firewall.LEGACY: "filter\n"})
    assert isinstance(firewall.read_firewall(legacy.host), Unread)
    strange = Machine(tmp_path, commands={command: '{"nftables": [{"rule": 1}]}'})
    assert isinstance(firewall.read_firewall(strange.host), Unread)


def test_kernel_parameters_tell_what_is_in_force_and_what_is_stored(tmp_path: Path) -> None:
    machine = Machine(
        tmp_path,
        files={
            "/proc/sys/kernel/sem": "32000\t1024000000\t500\t32000\n",
            "/proc/sys/net/ipv4/conf/eth0.7/rp_filter": "1\n",
            "/etc/sysctl.d/10.conf": "# a note = 1\n-kernel.sem = 1\nnet/ipv4/conf/eth0.7/rp_filter=1\nx.* = 3\n",
            "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        },
    )
    found = settings.read_settings(machine.host)
    assert isinstance(found, tuple)
    assert [(one.name, one.value, one.stored) for one in found] == [
        ("kernel.sem", "32000 1024000000 500 32000", True),
        ("net.ipv4.conf.eth0/7.rp_filter", "1", True),
        ("transparent_hugepage", "madvise", False),
    ]


def test_security_modules_in_force(tmp_path: Path) -> None:
    assert security.read_security(Machine(tmp_path).host) == ()
    files = {security.ENFORCE: "0", security.ENABLED: "Y\n"}
    assert security.read_security(Machine(tmp_path, files=files).host) == ("selinux permissive", "apparmor")
    profiles = "/usr/sbin/cupsd (enforce)\nmysqld (complain)\n/usr/lib/x (y)//null-z (complain)\nsnap (kill)\n"
    machine = Machine(tmp_path, files={**files, security.PROFILES: profiles})
    lenient = ("apparmor of /usr/lib/x (y)//null-z only complains", "apparmor of mysqld only complains")
    assert security.read_security(machine.host)[2:] == lenient  # type: ignore[index]


def test_room_is_told_in_bytes_and_inodes() -> None:
    text = "      Avail    1B-blocks   Inodes    IFree\n78075195392 270553174016 16777216 16127618\n"
    assert space.parse_df(text, "/etc") == Space(path="/etc", free=78075195392, size=270553174016, inodes_free=16127618)
    assert space.parse_df("x\n5 9 0 0\n", "/etc").inodes_free == -1, "btrfs counts none"


def test_names_gateways_and_neighbours() -> None:
    assert names.parse_ahosts("10.88.0.50      STREAM db.lab.test\n10.88.0.50      DGRAM  \n::1 RAW\n") == (
        "10.88.0.50",
        "::1",
    )
    routes = '[{"dst":"default","gateway":"10.0.0.1","dev":"eth0","flags":[]},{"dst":"default","dev":"tun0"}]'
    assert neighbours.parse_routes(routes) == [("eth0", "10.0.0.1")]
    assert neighbours.parse_neighbours('[{"dst":"10.0.0.7","lladdr":"02:00:00:00:00:01"},{"dst":"10.0.0.8"}]') == (
        "10.0.0.7",
    )
    assert neighbours.parse_routes("") == [] and neighbours.parse_neighbours("nonsense") == ()


def test_certificates_are_found_and_their_end_is_read(tmp_path: Path) -> None:
    text = "notAfter=Nov 19 21:02:35 2036 GMT\nsubject=CN = db.lab.test\n"
    at = 2110741355.0
    assert expiries.parse_expiry(text, "/a.pem") == Expiry(path="/a.pem", title="CN = db.lab.test", at=at)
    assert expiries.parse_expiry("subject=x\n", "/a.pem") is None
    body = "-----BEGIN CERTIFICATE-----\n"
    find = "find /c -xdev ( -name *.pem -o -name *.crt -o -name *.cer -o -name *.cert -o -name *-cert.pub ) "
    find += "-type f -print0"
    machine = Machine(
        tmp_path,
        files={"/c/a.pem": body, "/c/key.pem": "-----BEGIN PRIVATE KEY-----\n"},
        commands={find: "/c/a.pem\0/c/key.pem\0", "openssl x509 -noout -enddate -subject": text},
    )
    assert expiries.read_expiries(machine.host, ("/c", "/gone")) == (
        Expiry(path="/c/a.pem", title="CN = db.lab.test", at=at),
    )


SSH_CERTIFICATE = """/k/host-cert.pub:
        Type: ssh-ed25519-cert-v01@openssh.com host certificate
        Key ID: "db.lab"
        Valid: from 2026-11-23T01:05:00 to 2027-11-22T01:06:14
        Principals:
                db
"""


def test_an_ssh_certificate_ends_and_one_for_ever_does_not(tmp_path: Path) -> None:
    find = "find /k -xdev ( -name *.pem -o -name *.crt -o -name *.cer -o -name *.cert -o -name *-cert.pub ) "
    machine = Machine(
        tmp_path,
        files={"/k/host-cert.pub": "ssh-ed25519-cert-v01@openssh.com AAAA"},
        commands={
            f"{find}-type f -print0": "/k/host-cert.pub\0",
            "ssh-keygen -L -f /k/host-cert.pub": SSH_CERTIFICATE,
        },
    )
    at = datetime(2027, 11, 22, 1, 6, 14).timestamp()
    found = expiries.read_expiries(machine.host, ("/k",))
    assert found == (Expiry(path="/k/host-cert.pub", title='ssh certificate "db.lab"', at=at),)
    assert expiries.parse_ssh_expiry("        Valid: forever\n", "/k") is None


def test_edited_files_come_newest_first() -> None:
    assert edited.parse_found("1.5 /etc/a b\n\x002.25 /etc/c\0") == (
        Edited(path="/etc/c", at=2.25),
        Edited(path="/etc/a b\n", at=1.5),
    )


def test_the_asset_is_described_without_mounting_it(tmp_path: Path) -> None:
    asset = Asset(kind="filesystem", device="/dev/asset0", fstype="xfs")
    commands: dict[str, str | int] = {
        "blockdev --getsize64 /dev/asset0": "1073741824\n",
        "blkid -p -o export /dev/asset0": "DEVNAME=/dev/asset0\nUUID=486a\nTYPE=xfs\n",
        "modprobe -n -q xfs": 1,
    }
    machine = Machine(tmp_path, commands=commands, files={"/proc/filesystems": "nodev\tproc\n\text4\n"})
    found = disk.read_disk(machine.host, asset)
    assert isinstance(found, Disk)
    assert (found.size, found.uuid, found.fstype, found.supported) == (1 << 30, "486a", "xfs", False)
    commands["modprobe -n -q xfs"] = ""
    found = disk.read_disk(Machine(tmp_path, commands=commands).host, asset)
    assert isinstance(found, Disk) and found.supported
    assert isinstance(disk.read_disk(Machine(tmp_path).host, asset), Unread)
    assert disk.read_disk(Machine(tmp_path).host, Asset(kind="directory")) is None


@pytest.mark.parametrize(("said", "found"), [("yes\n", True), ("no\n", False)])
def test_a_clock_in_step(tmp_path: Path, said: str, found: bool) -> None:
    command = "timedatectl show -p NTPSynchronized --value"
    assert clock.read_in_step(Machine(tmp_path, commands={command: said}).host) is found
    assert isinstance(clock.read_in_step(Machine(tmp_path, commands={command: "maybe"}).host), Unread)
    assert isinstance(clock.read_in_step(Machine(tmp_path, commands={command: -1}).host), Unread)
