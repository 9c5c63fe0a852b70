"""What a file system lies on: the layers of a definition, and what does not fit together."""

from __future__ import annotations

import pytest

from tanist.definition.load import load_controller
from tanist.model.errors import BadDefinition
from tanist.model.layers import DrbdLayer, LvmLayer, MdLayer, ZfsLayer
from tests.unit.definition.test_definition_load import SMALL

UUID = "01234567:89abcdef:01234567:89abcdef"
MD = f'{{ kind = "md", device = "/dev/md/data", uuid = "{UUID}", members = ["/dev/sda", "/dev/sdb"] }}'
LVM = '{ kind = "lvm", group = "vg0", volume = "data" }'
ON_DISK = '{ kind = "lvm", group = "vg0", volume = "data", disk = "/dev/sda" }'


DRBD = '{ kind = "drbd", resource = "r0", device = "/dev/drbd0" }'
ISCSI = '{ kind = "iscsi", target = "iqn.2026-01.test:a", portals = ["10.66.0.21:3260"] }'
SHOWN = ISCSI.replace(" }", ', device = "/dev/sda" }')
MAPPED = '{ kind = "multipath", device = "/dev/mapper/a", wwid = "36001405ab0" }'


def definition(device: str, *layers: str) -> bytes:
    asset = f'asset = {{ kind = "filesystem", device = "{device}", fstype = "xfs", layer = [{", ".join(layers)}] }}'
    return SMALL.replace(b'asset = { kind = "directory" }', asset.encode())


POOL = '{ kind = "zfs", dataset = "data/tree", devices = ["/dev/sda1", "/dev/sdb1"] }'


def on_zfs(device: str, *layers: str) -> bytes:
    return definition(device, *layers).replace(b'"xfs"', b'"zfs"')


def mistake(text: bytes) -> str:
    with pytest.raises(BadDefinition) as caught:
        load_controller(text, "small.toml")
    (problem,) = caught.value.problems
    return problem.split(": ", 1)[1]


def test_a_stack_arrives_lowest_first() -> None:
    asset = load_controller(definition("/dev/vg0/data", MD, LVM), "small.toml").asset
    array = MdLayer(device="/dev/md/data", uuid=UUID, members=("/dev/sda", "/dev/sdb"))
    assert asset.layers == (array, LvmLayer(group="vg0", volume="data"))
    assert load_controller(definition("/dev/vg0/data", ON_DISK), "small.toml").asset.layers[0].device == asset.device


def test_disks_that_a_log_in_shows_are_named_by_the_layer_above_or_by_itself() -> None:
    def disks(device: str, *layers: str) -> tuple[str, ...]:
        return load_controller(definition(device, *layers), "small.toml").asset.disks

    assert disks("/dev/sda", SHOWN) == ("/dev/sda",)
    assert disks("/dev/vg0/data", SHOWN, LVM) == ("/dev/sda",)
    assert disks("/dev/vg0/data", ISCSI, MAPPED, LVM) == ("/dev/mapper/a",)
    assert disks("/dev/md/data", ISCSI, ISCSI.replace("test:a", "test:b"), MD) == ("/dev/sda", "/dev/sdb")


def test_a_device_of_which_each_node_has_a_copy_shares_no_disk() -> None:
    asset = load_controller(definition("/dev/drbd0", DRBD), "small.toml").asset
    assert asset.replicated == DrbdLayer(resource="r0", device="/dev/drbd0")
    assert asset.disks == ()
    assert load_controller(definition("/dev/vg0/data", ON_DISK), "small.toml").asset.replicated is None


def test_a_data_set_is_no_device_and_its_pool_names_all_disks() -> None:
    asset = load_controller(on_zfs("data/tree", POOL), "small.toml").asset
    assert asset.zfs == ZfsLayer(dataset="data/tree", devices=("/dev/sda1", "/dev/sdb1"))
    assert asset.zfs is not None
    assert (asset.zfs.pool, asset.device) == ("data", "data/tree")
    assert asset.disks == ("/dev/sda1", "/dev/sdb1")
    shown = load_controller(on_zfs("data/tree", SHOWN, POOL), "small.toml").asset
    assert shown.disks == ("/dev/sda1", "/dev/sdb1")


RESERVING = b'proof = { suffices = ["reservation"], reservation = { timeout = 5 } }\n'
LEASED = b'proof = { suffices = ["lease"], lease = { device = "/dev/lease" } }\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RESERVING + definition("/dev/drbd0", DRBD), "proof.reservation: each node has a disk of its own"),
        (LEASED + definition("/dev/drbd0", DRBD), "proof.lease: a lease lies on a disk that both nodes reach"),
        (definition("/dev/drbd1", DRBD), 'asset.device: "/dev/drbd1" is not the uppermost layer'),
        (
            definition("/dev/drbd/by-res/r0/0", DRBD.replace("/dev/drbd0", "/dev/drbd/by-res/r0/0")),
            "asset.layer.device",
        ),
        (definition("/dev/drbd0", DRBD).replace(b'"xfs"', b'"btrfs"'), "asset.fstype: btrfs with drbd"),
        (definition("/dev/vg0/data", DRBD, LVM), "asset.layer: drbd with other layers"),
        (definition("/dev/drbd0", DRBD.replace("r0", "r 0")), 'asset.layer.resource: "r 0" is no name of a DRBD'),
        (definition("/dev/vg0/data", LVM), "asset.layer: the lowest layer is lvm without a disk"),
        (definition("/dev/vg0/data", MD, ON_DISK), "asset.layer: an upper layer lies on the one before it"),
        (definition("/dev/md/data", ON_DISK, MD), "asset.layer: an upper layer lies on the one before it"),
        (
            definition("/dev/sda", MD, LVM),
            'asset.device: "/dev/sda" is not the uppermost layer\'s; allowed: "/dev/vg0/data"',
        ),
        (definition("/dev/md/data", MD.replace(UUID, "1-2")), 'asset.layer.uuid: "1-2" is no array\'s UUID'),
        (definition("/dev/vg0/data", ON_DISK.replace("vg0", "v g")), 'asset.layer.group: "v g" is no name for LVM'),
        (definition("/dev/vg0/data", ON_DISK.replace("lvm", "zoo")), "asset.layer.kind: "),
        (definition("/dev/vg0/data", ISCSI, LVM), "asset.layer: iscsi has no device and nothing above names its"),
        (definition("/dev/sda", ON_DISK, SHOWN), "asset.layer: iscsi lies on nothing"),
        (definition("/dev/sda", SHOWN.replace("3260", "0")), 'asset.layer.portals: "10.66.0.21:0" is no portal'),
        (definition("/dev/sda", SHOWN.replace("iqn.", "")), 'asset.layer.target: "2026-01.test:a" is no name'),
        (definition("/dev/sda", POOL), "asset.fstype: xfs on a pool"),
        (on_zfs("data/tree").replace(b", layer = []", b""), "asset.layer: a data set lies in a pool"),
        (on_zfs("data/other", POOL), 'asset.device: "data/other" is not the uppermost layer\'s; allowed: "data/tree"'),
        (on_zfs("data/tree", MD, POOL), "asset.layer: zfs names its own devices, whatever they lie on"),
        (on_zfs("data/tree", POOL.replace("data/tree", "data/../x")), 'asset.layer.dataset: "data/../x" is no ZFS'),
        (
            definition("/dev/mapper/a", ISCSI.replace(" }", ", logout = true }"), MAPPED),
            "asset.layer: a log-out leaves the multipath map without a disk; allowed: flush = true",
        ),
    ],
)
def test_what_does_not_fit_is_named(text: bytes, says: str) -> None:
    assert mistake(text).startswith(says)


@pytest.mark.parametrize(
    ("asset", "says"),
    [
        ('device = "/dev/sda", fstype = "xfs", members = ["/dev/sdb"]', "asset.members: xfs lies on one device"),
        (
            'device = "/dev/sda", fstype = "btrfs", members = ["/dev/sda"]',
            'asset.members: "/dev/sda" is named by device already',
        ),
        ('device = "/dev/sda", fstype = "btrfs", options = ["subvol=x"]', 'asset.options: "subvol=x" is tanist\'s own'),
        ('device = "/dev/sda", fstype = "btrfs", options = ["nologreplay"]', 'asset.options: "nologreplay" is'),
        (
            f'device = "/dev/vg0/data", fstype = "btrfs", members = ["/dev/sdb"], layer = [{ON_DISK}]',
            "asset.members: only one device can lie on a layer",
        ),
    ],
)
def test_other_devices_are_for_a_btrfs_on_disks(asset: str, says: str) -> None:
    text = SMALL.replace(b'{ kind = "directory" }', f'{{ kind = "filesystem", {asset} }}'.encode())
    assert mistake(text).startswith(says)


def test_a_btrfs_on_two_disks_is_mounted_whole_and_from_its_top() -> None:
    asset = b'{ kind = "filesystem", device = "/dev/sda", fstype = "btrfs", options = ["ssd"], members = ["/dev/sdb"] }'
    found = load_controller(SMALL.replace(b'{ kind = "directory" }', asset), "small.toml").asset
    assert found.disks == ("/dev/sda", "/dev/sdb")
    assert found.mount_options == ("ssd", "subvolid=5", "device=/dev/sdb")
