"""Files as distributions write them -> what of them would bring the controller up at boot. Pure."""

from __future__ import annotations

import struct

import pytest

from tanist.facts.selfstart import networks as n
from tanist.facts.selfstart.mounts import find_in_fstab, mount_unit, parse_fstab
from tanist.facts.selfstart.scripts import find_exports, find_lines
from tanist.facts.selfstart.stacks import (
    Stack,
    in_pool_cache,
    lvm_activates,
    md_assembles,
    parse_auto_activation,
    parse_lsblk,
    pools_below,
    split_mapped,
)
from tanist.facts.selfstart.units import find_started, parse_show

VIP = "10.88.0.60"

FSTAB = """\
# /etc/fstab: static file system information.
#
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
UUID=0b8e6cf1-3c6a-4a1e-9d2b-2a54e7f0a8f1 /               ext4    errors=remount-ro 0       1
/dev/vg0/oc\t/var/opt/oc/\txfs\tnoatime,_netdev\t0 0
LABEL=oc /srv/other ext4 defaults 0 2
/dev/sdb1 /var/opt/oc ext4 noauto 0 0
/dev/sdc1 /var/opt/oc ext4 noauto,x-systemd.automount 0 0
/srv/with\\040space /mnt/with\\040space none bind 0 0
UUID=1 none swap sw 0 0
//nas/x
"""

NETWORKD = """\
[Match]
Name=eth0
[Network]
DHCP=no
DNS=10.88.0.60
Address=10.88.0.11/24
Address=FD00:0::60/64
; Address=10.9.9.9/24
[Address]
Address=10.88.0.60/24
Label=eth0:1
[Route]
Destination=10.88.0.61/32
"""

KEYFILE = """\
[connection]
id=svc0
uuid=6a3d2c0e-0e1b-4c57-8d6c-5b1f4a1d2e3f
type=ethernet
interface-name=svc0

[ipv4]
address1=10.88.0.11/24,10.88.0.1
address2=10.88.0.60/24
dns=10.88.0.2;
method=manual

[ipv6]
addresses=fd00::60/64;fd00::61/64;
method=manual
"""

IFCFG = """\
TYPE=Ethernet
BOOTPROTO=none
NAME=svc0
DEVICE=svc0
ONBOOT=yes
IPADDR=10.88.0.11
PREFIX=24
IPADDR1="10.88.0.60"
GATEWAY=10.88.0.1
IPV6ADDR=fd00::60/64
IPV6ADDR_SECONDARIES="fd00::61/64 fd00::62/64"
"""

INTERFACES = """\
# This file describes the network interfaces available on your system
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

allow-hotplug svc0
iface svc0 inet static
\taddress 10.88.0.11/24
\tgateway 10.88.0.1
\tup ip addr add 10.88.0.60/24 \\
\t   dev svc0
auto svc0:1
iface svc0:1 inet static
\taddress 10.88.0.61
\tnetmask 255.255.255.0
iface spare inet static
\taddress 10.88.0.62
auto late
"""

NETPLAN = """\
network:
  version: 2
  renderer: networkd
  ethernets:
    svc0:
      dhcp4: no   # address 10.88.0.99
      addresses:
        - 10.88.0.11/24
        - "10.88.0.60/24":
            label: "svc0:1"
      nameservers:
        addresses: [10.88.0.2, 10.88.0.3]
        search: [example.org]
    svc1:
      addresses: [10.88.0.61/24, 'fd00::60/64']
      routes:
        - to: default
          via: 10.88.0.1
    svc2:
      addresses:
      - 10.88.0.62/24
      nameservers:
        addresses:
        - 10.88.0.4
"""

LVM = """\
config {
\tchecks = 1
}
activation {
\t# Configuration option activation/auto_activation_volume_list.
\t# A list of LVs or VGs which should be autoactivated.
\t# Example
\t# auto_activation_volume_list = [ "vg1", "vg2/lvol1", "@tag1", "@*" ]
\t#
\t# This configuration option does not have a default value defined.
%s
}
"""

MDADM = """\
# mdadm.conf
HOMEHOST <system>
MAILADDR root
%s
ARRAY /dev/md/0 metadata=1.2 UUID=11111111:22222222:33333333:44444444
   name=host:0
"""

LSBLK = """{"blockdevices": [
 {"name":"vg0-oc--data","path":"/dev/mapper/vg0-oc--data","type":"lvm","uuid":"u-1","label":"oc",
 "children": [{"name":"md0","path":"/dev/md0","type":"raid1","uuid":null,"label":null, "children": [
 {"name":"sda","path":"/dev/sda","type":"disk","uuid":null,"label":null}]}]}]}"""


def test_fstab_at_the_tree_or_with_the_asset_by_any_of_its_names() -> None:
    lines = parse_fstab(FSTAB)
    assert [line.target for line in lines][-2:] == ["/mnt/with space", "none"]
    assert lines[-2].source == "/srv/with space"
    found = find_in_fstab(FSTAB, ["/var/opt/oc"], ["/dev/vg0/oc", "LABEL=oc"])
    assert [(line.source, line.target) for line in found] == [
        ("/dev/vg0/oc", "/var/opt/oc"),
        ("LABEL=oc", "/srv/other"),
        ("/dev/sdc1", "/var/opt/oc"),
    ]
    assert find_in_fstab("", ["/var/opt/oc"], ["/dev/x"]) == ()


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/var/opt/oc", "var-opt-oc.mount"),
        ("/", "-.mount"),
        ("/srv/my-data", "srv-my\\x2ddata.mount"),
        ("/srv/.x y", "srv-.x\\x20y.mount"),
        ("/.hidden", "\\x2ehidden.mount"),
        ("/ü", "\\xc3\\xbc.mount"),
    ],
)
def test_the_mount_units_of_a_path_are_named_as_systemd_escape_does(path: str, unit: str) -> None:
    assert mount_unit(path) == unit


SHOW = """\
Id=oc-ec.service
Names=oc-ec.service oc.service
UnitFileState=%s
WantedBy=multi-user.target
RequiredBy=oc-suite.service
TriggeredBy=oc-ec.socket oc-ec.timer
"""


def test_a_unit_that_a_boot_pulls_in_is_named_with_what_pulls_it_in() -> None:
    (shown,) = parse_show(SHOW % "disabled").values()
    assert find_started("oc-ec.service", shown, ()) == ()
    (found,) = find_started("oc-ec.service", shown, {"oc-ec.service", "oc-suite.service", "multi-user.target"})
    assert "at boot by itself (pulled in by multi-user.target, oc-suite" in found.what
    assert found.mend == "systemctl disable oc-suite.service"
    (shown,) = parse_show(SHOW % "enabled").values()
    (found,) = find_started("oc-ec.service", shown, {"oc.service", "multi-user.target"})
    assert found.mend == "systemctl disable oc-ec.service"
    (found,) = find_started("x.service", {}, {"x.service"})
    assert found.mend == "systemctl disable x.service"


def test_a_socket_or_timer_that_a_boot_starts_is_one_too() -> None:
    (shown,) = parse_show(SHOW % "disabled").values()
    (found,) = find_started("oc-ec.service", shown, {"oc-ec.socket"})
    assert "by the socket oc-ec.socket" in found.what
    assert found.mend == "systemctl disable --now oc-ec.socket"
    assert parse_show("") == {} and parse_show("garbage") == {}


def test_networkd() -> None:
    assert n.parse_networkd(NETWORKD) == {"10.88.0.11", "10.88.0.60", "fd00::60"}


def test_networkmanager() -> None:
    assert n.parse_keyfile(KEYFILE) == {"10.88.0.11", VIP, "fd00::60", "fd00::61"}
    assert n.parse_keyfile(KEYFILE.replace("type=ethernet", "type=ethernet\nautoconnect=false")) == frozenset()


def test_ifcfg() -> None:
    assert n.parse_ifcfg(IFCFG) == {"10.88.0.11", VIP, "fd00::60", "fd00::61", "fd00::62"}
    assert n.parse_ifcfg(IFCFG.replace("ONBOOT=yes", "ONBOOT=no")) == frozenset()
    wicked = "STARTMODE='auto'\nIPADDR='10.88.0.11/24'\nIPADDR_1='10.88.0.60/24'\n# IPADDR_2='10.9.9.9'\n"
    assert n.parse_ifcfg(wicked) == {"10.88.0.11", VIP}
    assert n.parse_ifcfg(wicked.replace("auto", "manual")) == frozenset()


def test_ifupdown() -> None:
    assert n.parse_interfaces(INTERFACES) == {"10.88.0.11", VIP, "10.88.0.61"}


def test_netplan() -> None:
    assert n.parse_netplan(NETPLAN) == {"10.88.0.11", VIP, "10.88.0.61", "fd00::60", "10.88.0.62"}


@pytest.mark.parametrize(
    "parse", [n.parse_networkd, n.parse_keyfile, n.parse_ifcfg, n.parse_interfaces, n.parse_netplan]
)
@pytest.mark.parametrize("text", ["", "\n\n", "garbage", "=\n[\n]:", "address\niface\nauto\n", "\x00\ufffd=1", "- - -"])
def test_no_file_is_too_odd(parse: object, text: str) -> None:
    assert callable(parse) and parse(text) == frozenset()


@pytest.mark.parametrize(
    ("line", "value", "active"),
    [
        ("", None, True),
        ('\tauto_activation_volume_list = [ "vg0" ]', ("vg0",), True),
        ('\tauto_activation_volume_list = [ "vg0/oc-data", "root" ]', ("vg0/oc-data", "root"), True),
        ('\tauto_activation_volume_list = [ "root" ]', ("root",), False),
        ('\tauto_activation_volume_list = "root"', ("root",), False),
        ("\tauto_activation_volume_list = []", (), False),
        ('\tauto_activation_volume_list = [ "@*" ]', ("@*",), True),
    ],
)
def test_lvm(line: str, value: tuple[str, ...] | None, active: bool) -> None:
    assert parse_auto_activation(LVM % line) == value
    assert lvm_activates(LVM % line, "vg0", "oc-data") == active


UUID = "11111111:22222222:33333333:44444444"


@pytest.mark.parametrize(
    ("line", "uuid", "active"),
    [
        ("", UUID, True),
        ("", "other", True),
        ("AUTO -all", UUID, True),  # named below
        ("AUTO -all", "other", False),
        ("AUTO +imsm -all", "other", False),
        (f"ARRAY <ignore> UUID={UUID}", UUID, False),
        ("# AUTO -all", "other", True),
    ],
)
def test_md(line: str, uuid: str, active: bool) -> None:
    assert md_assembles(MDADM % line, "md0", uuid) == active


def test_what_the_asset_lies_on() -> None:
    stack = parse_lsblk(LSBLK, "/dev/mapper/vg0-oc--data")
    assert stack.volume == ("vg0", "oc-data")
    assert stack.arrays == ("md0",)
    assert {"UUID=u-1", "LABEL=oc", "/dev/vg0/oc-data", "/dev/mapper/vg0-oc--data"} <= set(stack.names)
    assert parse_lsblk("", "/dev/x") == Stack(names=("/dev/x",))
    assert parse_lsblk('{"blockdevices": [{"name": "sda", "type": "disk"}]}', "/dev/sda").volume is None
    assert split_mapped("vg0-lv") == ("vg0", "lv") and split_mapped("plain") is None


def test_zfs() -> None:
    cache = b"\x01\x01\0\0" + struct.pack(">I", 4) + b"tank" + struct.pack(">I", 2) + b"oc\0\0"
    assert in_pool_cache(cache, "tank") and in_pool_cache(cache, "oc")
    assert not in_pool_cache(cache, "tan") and not in_pool_cache(b"", "tank")
    mounts = [("/", "rpool/root", "zfs"), ("/var/opt/oc", "tank/oc", "zfs"), ("/var/opt/oc/db", "tank/db", "zfs")]
    assert pools_below(mounts, "/var/opt/oc") == ("tank",)
    assert pools_below([("/var/opt/oc", "/dev/sda", "ext4")], "/var/opt/oc") == ()


def test_exports() -> None:
    text = '# all\n/var/opt/oc/share 10.0.0.0/8(ro)\n"/var/opt/oc" *(rw)\n/srv *(ro)\n/var/opt/oc2 *(ro)\n"/unclosed\n'
    assert find_exports(text, "/var/opt/oc") == ("/var/opt/oc/share", "/var/opt/oc")


def test_cron_tables_and_scripts() -> None:
    text = (
        "# backs up /var/opt/oc\n@reboot root mount /dev/oc /var/opt/oc\n0 * * * * root systemctl start oc-ec\n"
        "* * * * * root ls /var/opt/oc2\nip addr add 10.88.0.60/24 dev svc0\nping 110.88.0.60\nping 10.88.0.601\n"
    )
    found = find_lines(text, ["/var/opt/oc", "oc-ec", "10.88.0.60", ""])
    assert [line.split()[0] for line in found] == ["@reboot", "0", "ip"]
