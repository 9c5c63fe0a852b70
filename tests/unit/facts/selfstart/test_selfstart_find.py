"""A host with one of all that would start the controller behind the gate's back: each named, with its mend."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest

from tanist.facts.selfstart.find import find_starters
from tanist.facts.selfstart.units import PROPERTIES
from tanist.model.dataclasses import replace
from tanist.model.host import Mount, Ran
from tanist.model.layers import ZfsLayer
from tests.unit.facts.selfstart import test_selfstart_parse as samples
from tests.unit.runs.world import UNITS, Node, World, said


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return World(tmp_path).b


def put(node: Node, path: str, text: str, mode: int = 0o644) -> None:
    node.files.make_directory(path.rsplit("/", 1)[0])
    node.files.write(path, text.encode(), mode)


def found(node: Node) -> dict[str, str]:
    return {one.what: one.mend for one in find_starters(node, node.world.controller)}


def test_a_node_that_is_set_up_as_it_should_be_has_nothing(node: Node) -> None:
    put(node, "/etc/fstab", "UUID=1 / ext4 defaults 0 1\n")
    put(node, "/etc/cron.d/oc", "* * * * * root ls /var/opt/oc\n")  # of [cron]: the gate parks it
    put(node, "/etc/exports.d/tanist-oc.exports", "/var/opt/oc/share *(ro)\n")
    put(node, "/etc/rc.local", "#!/bin/sh\nmount /var/opt/oc\n")  # not executable
    assert found(node) == {}


NETWORK_FILES = {
    "/etc/systemd/network/10-svc.network": samples.NETWORKD,
    "/etc/systemd/network/10-svc.network.d/vip.conf": samples.NETWORKD,
    "/etc/NetworkManager/system-connections/svc0.nmconnection": samples.KEYFILE,
    "/etc/sysconfig/network-scripts/ifcfg-svc0": samples.IFCFG,
    "/etc/sysconfig/network/ifcfg-svc0": "IPADDR='10.88.0.60/24'\n",
    "/etc/network/interfaces": samples.INTERFACES,
    "/etc/network/interfaces.d/svc": samples.INTERFACES,
    "/etc/netplan/50-cloud-init.yaml": samples.NETPLAN,
}


@pytest.mark.requirement("A61", "A62")
@pytest.mark.parametrize("path", NETWORK_FILES)
def test_a_network_profile_with_a_service_address(node: Node, path: str) -> None:
    put(node, path, NETWORK_FILES[path])
    says = found(node)
    assert f"{path} brings up the service address 10.88.0.60 at boot" in says
    assert all(mend.startswith("take it out") for mend in says.values())


@pytest.mark.requirement("A05", "A62")
@pytest.mark.parametrize(
    ("path", "text", "mode", "what"),
    [
        ("/etc/fstab", "/dev/asset /mnt ext4 defaults 0 2\n", 0o644, "/etc/fstab mounts /dev/asset at /mnt at boot"),
        ("/etc/fstab", "UUID=2 /etc/opt/oc none bind 0 0\n", 0o644, "/etc/fstab mounts UUID=2 at /etc/opt/oc at boot"),
        ("/etc/exports", "/var/opt/oc *(rw)\n", 0o644, "/etc/exports exports /var/opt/oc, whatever lies there"),
        (
            *("/etc/exports.d/x.exports", "/var/opt/oc/a *(rw)\n", 0o644),
            "/etc/exports.d/x.exports exports /var/opt/oc/a, whatever lies there",
        ),
        (
            *("/etc/crontab", "@reboot root mount /var/opt/oc\n", 0o644),
            "/etc/crontab runs on a standby too: @reboot root mount /var/opt/oc",
        ),
        (
            *("/var/spool/cron/crontabs/root", "@reboot systemctl start oc-ec.service\n", 0o600),
            "/var/spool/cron/crontabs/root runs on a standby too: @reboot systemctl start oc-ec.service",
        ),
        (
            *("/etc/cron.daily/oc", "#!/bin/sh\ndu " + "/var/opt/oc " * 20, 0o755),
            "/etc/cron.daily/oc runs on a standby too: du " + ("/var/opt/oc " * 20)[:94] + "...",
        ),
        (
            *("/etc/rc.local", "#!/bin/sh\nip addr add 10.88.0.60/24 dev svc0\n", 0o755),
            "/etc/rc.local runs at boot: ip addr add 10.88.0.60/24 dev svc0",
        ),
    ],
)
def test_a_line_of_a_file(node: Node, path: str, text: str, mode: int, what: str) -> None:
    put(node, path, text, mode)
    says = found(node)
    assert list(says) == [what] and says[what]


def test_units_with_their_sockets_and_mount_units(node: Node) -> None:
    pulled = "default.target\n● oc-ec.service\n  multi-user.target\n  oc-proxy.socket\n  var-opt-oc.mount\n"
    node.answer(["systemctl", "list-dependencies"], pulled)
    shows = {
        UNITS[0]: "Id=oc-ec.service\nNames=oc-ec.service\nUnitFileState=enabled\nWantedBy=multi-user.target\n",
        UNITS[1]: "Id=oc-proxy.service\nNames=oc-proxy.service\nTriggeredBy=oc-proxy.socket\n",
    }
    node.answer_with(["systemctl", "show", "-p", PROPERTIES], lambda argv, _: said(argv, shows[argv[-1]].encode()))
    says = found(node)
    assert list(says.values()) == [
        "systemctl disable oc-ec.service",
        "systemctl disable --now oc-proxy.socket",
        "systemctl disable 'var-opt-oc.mount'",
    ]


def test_lvm_and_md_below_the_asset(node: Node) -> None:
    node.answer(["lsblk"], samples.LSBLK)
    node.answer(["vgs"], "  enabled\n")
    node.answer(["mdadm"], f"MD_LEVEL=raid1\nMD_UUID={samples.UUID}\n")
    assert found(node) == {
        "LVM activates vg0/oc-data on this node at boot": "vgchange --setautoactivation n vg0",
        "MD assembles /dev/md0 on this node at boot": f"in mdadm.conf: ARRAY <ignore> UUID={samples.UUID}   "
        "then: update-initramfs -u (dracut -f)",
    }
    node.answer(["vgs"], "\n")
    put(node, "/etc/mdadm/mdadm.conf", f"ARRAY <ignore> UUID={samples.UUID}\n")
    assert found(node) == {}
    node.answer(["vgs"], status=127)
    put(node, "/etc/lvm/lvm.conf", samples.LVM % 'auto_activation_volume_list = [ "root" ]')
    assert found(node) == {}


@pytest.mark.requirement("A62")
def test_tools_that_hang_on_a_dead_disk_end_no_look(node: Node) -> None:
    """Seen on a mirror whose last disk hung: mdadm did not come back, and `tanist check` ended with it."""

    def hang(argv: Sequence[str], _: bytes) -> Ran:
        raise OSError(errno.ETIMEDOUT, f"{argv[0]}: no end within 10 s, killed")

    node.answer(["lsblk"], samples.LSBLK)
    for program in ("vgs", "mdadm"):
        node.answer_with([program], hang)
    assert len(found(node)) == 2, "the configuration alone would start both"
    node.answer_with(["lsblk"], hang)
    assert found(node) == {}


def test_a_pool_in_the_zfs_cache(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    mount = Mount(target="/var/opt/oc", source="tank/oc", fstype="zfs", root="/", options=("rw",), device="0:9")
    monkeypatch.setattr(Node, "mounts", lambda _: (mount,))
    assert found(node) == {}
    node.files.make_directory("/etc/zfs")
    node.files.write("/etc/zfs/zpool.cache", b"\0\0\0\x04tank")
    assert list(found(node).values()) == ["zpool set cachefile=none tank"]


def test_the_definitions_own_pool_is_looked_for_while_it_is_released(node: Node) -> None:
    controller = node.world.controller
    layer = ZfsLayer(dataset="tank/oc", devices=("/dev/a",))
    asset = replace(controller.asset, device="tank/oc", fstype="zfs", layers=(layer,))
    put(node, "/etc/zfs/zpool.cache", "\0\0\0\x04tank")
    node.answer(["systemctl", "list-dependencies"], "default.target\nzfs-import-scan.service\n")
    mends = [one.mend for one in find_starters(node, replace(controller, asset=asset))]
    assert mends == ["zpool set cachefile=none tank", "systemctl disable zfs-import-scan.service"]
