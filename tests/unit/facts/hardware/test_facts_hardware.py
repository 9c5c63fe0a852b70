"""What a node's storage stands on: sysfs and tools as the kernel's documents and real machines have them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tanist.facts.blockdevices import add_unused_paths, parse_lsblk, read_devices
from tanist.facts.carriers import read_carriers
from tanist.facts.device import Place
from tanist.facts.fshealth import parse_ext4, read_mounted_health
from tanist.facts.hardware import read_opened
from tanist.facts.lvm import read_marks
from tanist.facts.raid import mark_failed_paths, parse_raid, read_arrays, read_states
from tanist.host.host import Host
from tanist.host.local import LocalHost
from tanist.model.hardware import Array, BlockDevice, Carrier, DiskPath, FileSystemHealth, Identity, Port
from tanist.model.host import Mount
from tanist.model.layers import LvmLayer
from tanist.model.unread import Unread
from tests.unit.facts.machine import Machine
from tests.unit.host.machines import run_apart
from tests.unit.parity.hardwares import DISKS, MIRROR

SCRIPT = Path(__file__).with_name("ext4_errors.py")
ASK = "lsblk -J -b -s -o NAME,KNAME,TYPE,SIZE,SERIAL,WWN,MODEL,TRAN -- "
ALL = "lsblk -J -b -d -o NAME,KNAME,TYPE,SIZE,SERIAL,WWN,MODEL,TRAN"
# lsblk 2.38.1 of a volume on a multipath device with two paths
LSBLK = """{"blockdevices": [{"name":"ledger-tree", "kname":"dm-3", "type":"lvm", "size":1069547520, "serial":null,
 "wwn":null, "model":null, "tran":null, "children": [{"name":"mpatha", "kname":"dm-0", "type":"mpath",
 "size":1073741824, "serial":null, "wwn":null, "model":null, "tran":null, "children": [
 {"name":"sda", "kname":"sda", "type":"disk", "size":1073741824, "serial":"beaf11", "wwn":"0x6001405a", "model":"disk0",
  "tran":"fc"},
 {"name":"sdb", "kname":"sdb", "type":"disk", "size":1073741824, "serial":"beaf11", "wwn":"0x6001405a", "model":"disk0",
  "tran":"fc"}]}]}]}"""
SDA = "/sys/devices/pci0000:00/0000:00:02.0/0000:3b:00.{}/host{}/rport-2:0-0/target2:0:0/2:0:0:0/block/{}"


def machine(tmp_path: Path, commands: Mapping[str, str | int], files: Mapping[str, str]) -> Machine:
    return Machine(tmp_path, commands=commands, files=files)


def link(root: Path, at: str, to: str) -> None:
    place = root / at.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(to)


@pytest.fixture
def san(tmp_path: Path) -> Machine:
    files: dict[str, str] = {}
    for number, name in enumerate(("sda", "sdb", "sdc")):
        place = SDA.format(number % 2, number, name)
        files |= {
            f"{place}/device/state": "running\n",
            f"{place}/device/ioerr_cnt": f"0x{number}\n",
            f"{place}/dev": f"8:{16 * number}\n",
        }
    made = machine(tmp_path, {ASK + "/dev/ledger/tree": LSBLK, ALL: spare("sdc")}, files)
    for number, name in enumerate(("sda", "sdb", "sdc")):
        link(tmp_path, f"/sys/class/block/{name}", f"../../..{SDA.format(number % 2, number, name)}")
    return made


def spare(name: str) -> str:
    one = {"name": name, "kname": name, "type": "disk", "size": 1, "wwn": "0x6001405a"}
    return json.dumps(
        {"blockdevices": [one, {**one, "name": "sda", "kname": "sda"}, {**one, "kname": "x", "wwn": None}]}
    )


@pytest.mark.requirement("A16", "A23")
def test_a_volume_is_followed_down_to_the_paths_of_its_disk(san: Machine) -> None:
    found = read_devices(san.host, ["/dev/ledger/tree"])
    assert not isinstance(found, Unread)
    devices, names = found
    assert names == {"/dev/ledger/tree": "dm-3"}
    assert [(one.name, one.kind, one.below) for one in devices] == [
        ("dm-3", "lvm", ("dm-0",)),
        ("dm-0", "mpath", ("sda", "sdb")),
        ("sda", "disk", ()),
        ("sdb", "disk", ()),
    ]
    disk = devices[1]
    assert (disk.wwn, disk.serial, disk.transport, disk.io_errors) == ("0x6001405a", "beaf11", "fc", 1)
    assert disk.paths == (
        DiskPath(name="sda", adapter="0000:3b:00", state="running"),
        DiskPath(name="sdb", adapter="0000:3b:00", state="running"),
    ), "two ports of one card are one adapter"
    with_spare = {one.name: one for one in add_unused_paths(san.host, devices)}["dm-0"]
    assert [(path.name, path.used) for path in with_spare.paths] == [("sda", True), ("sdb", True), ("sdc", False)]


def test_a_path_that_multipath_has_given_up_is_failed(san: Machine) -> None:
    """drivers/md/dm-mpath.c, multipath_status(): each path with A or F and its count of failures."""
    said = "mpatha: 0 2097152 multipath 2 0 0 0 1 1 A 0 2 1 8:0 A 0 1 8:16 F 3 1 \nledger-tree: 0 2088960 linear \n"
    san._commands["dmsetup status"] = said
    found = read_devices(san.host, ["/dev/ledger/tree"])
    assert not isinstance(found, Unread)
    marked = {one.name: one for one in mark_failed_paths(san.host, found[0], read_states(san.host, found[0]))}["dm-0"]
    assert [path.state for path in marked.paths] == ["running", "failed"]


def test_an_nvme_disk_is_reached_by_each_controller_of_its_subsystem(tmp_path: Path) -> None:
    said = '{"blockdevices": [{"name":"nvme0n1","kname":"nvme0n1","type":"disk","size":1024,"tran":"nvme"}]}'
    files = {f"/sys/class/nvme-subsystem/nvme-subsys0/{name}/x": "" for name in ("nvme0", "nvme1", "power")}
    files |= {f"/sys/devices/{name}/state": state for name, state in (("a/nvme0", "live\n"), ("b/nvme1", "dead\n"))}
    made = machine(tmp_path, {ASK + "/dev/nvme0n1": said}, files)
    link(tmp_path, "/sys/class/block/nvme0n1", "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1")
    link(tmp_path, "/sys/class/nvme/nvme0", "../../devices/a/nvme0")
    link(tmp_path, "/sys/class/nvme/nvme1", "../../devices/b/nvme1")
    found = read_devices(made.host, ["/dev/nvme0n1"])
    assert not isinstance(found, Unread)
    assert found[0][0].paths == (DiskPath(name="nvme0", state="live"), DiskPath(name="nvme1", state="dead"))


def test_names_that_udev_does_not_tell_come_from_sysfs(tmp_path: Path) -> None:
    said = '{"blockdevices": [{"name":"vda","kname":"vda","type":"disk","size":1024,"serial":null,"wwn":null}]}'
    made = machine(tmp_path, {ASK + "/dev/vda": said}, {"/sys/class/block/vda/serial": "asset0\n"})
    found = read_devices(made.host, ["/dev/vda"])
    assert not isinstance(found, Unread)
    assert (found[0][0].serial, found[0][0].virtual) == ("asset0", True)


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"blockdevices": [1]}', '{"blockdevices": [{"name": "a"}]}'])
def test_an_answer_of_lsblk_that_is_none_is_unread(tmp_path: Path, said: str) -> None:
    assert isinstance(read_devices(machine(tmp_path, {ASK + "/dev/a": said}, {}).host, ["/dev/a"]), Unread)


# -- arrays

MD = "/sys/class/block/md127/md"
# of a mirror whose first disk was set faulty and whose third is being rebuilt (Linux 6.1)
SYSFS_MD = {
    f"{MD}/level": "raid1\n",
    f"{MD}/raid_disks": "2\n",
    f"{MD}/degraded": "1\n",
    f"{MD}/dev-sda/state": "faulty\n",
    f"{MD}/dev-sdb/state": "in_sync\n",
    f"{MD}/dev-sdc/state": "spare\n",
    f"{MD}/sync_action": "recover\n",
    f"{MD}/sync_completed": "1024 / 2093056\n",
    f"{MD}/mismatch_cnt": "0\n",
    f"{MD}/last_sync_action": "check\n",
}


def arrays_of(host: Host, devices: Sequence[BlockDevice]) -> tuple[Array, ...] | Unread:
    return read_arrays(host, devices, read_states(host, devices))


@pytest.mark.requirement("A18")
def test_an_array_tells_which_of_its_disks_hold_all(tmp_path: Path) -> None:
    (found,) = arrays_of(machine(tmp_path, {}, SYSFS_MD).host, (MIRROR, *DISKS[:0]))  # type: ignore[misc]
    assert found == Array(
        name="md127",
        level="raid1",
        disks=2,
        in_sync=("sdb",),
        others=("sda: faulty", "sdc: spare"),
        action="recover",
        done="1024 of 2093056",
        last_action="check",
    )


def test_a_reshaped_array_and_one_without_redundancy_are_read(tmp_path: Path) -> None:
    files = {**SYSFS_MD, f"{MD}/raid_disks": "3 (2)\n", f"{MD}/mismatch_cnt": "256\n", f"{MD}/sync_completed": "none\n"}
    (found,) = arrays_of(machine(tmp_path, {}, files).host, (MIRROR,))  # type: ignore[misc]
    assert (found.disks, found.mismatches, found.done) == (3, 256, "")
    plain = {name: text for name, text in SYSFS_MD.items() if "sync" not in name and "mismatch" not in name}
    (tmp_path / "b").mkdir()
    (found,) = arrays_of(machine(tmp_path / "b", {}, plain).host, (MIRROR,))  # type: ignore[misc]
    assert (found.action, found.mismatches) == ("idle", 0)
    assert isinstance(arrays_of(machine(tmp_path / "c", {}, {}).host, (MIRROR,)), Unread)


IMAGES = {
    name: BlockDevice(name=name, title=f"vg-lv_{part}_{n}", kind="lvm", size=1)
    for name, part, n in (("dm-0", "rmeta", 0), ("dm-1", "rimage", 0), ("dm-2", "rmeta", 1), ("dm-3", "rimage", 1))
}
VOLUME = BlockDevice(name="dm-4", title="vg-lv", kind="lvm", size=1, below=tuple(IMAGES))


@pytest.mark.requirement("A18")
@pytest.mark.parametrize(
    ("status", "in_sync", "others", "mismatches"),
    [  # the kernel's Documentation/admin-guide/device-mapper/dm-raid.rst, "Status Output"
        ("0 409600 raid raid1 2 AA 409600/409600 idle 0 0 -", ("dm-1", "dm-3"), (), 0),
        ("0 409600 raid raid1 2 Aa 1024/409600 recover 0 0 -", ("dm-1",), ("vg-lv_rimage_1: not in sync",), 0),
        ("0 409600 raid raid1 2 AD 409600/409600 idle 7 0 -", ("dm-1",), ("vg-lv_rimage_1: dead",), 7),
    ],
)
def test_a_raid_volume_of_lvm_tells_the_health_of_each_leg(
    status: str, in_sync: tuple[str, ...], others: tuple[str, ...], mismatches: int
) -> None:
    found = parse_raid(VOLUME, status, IMAGES)
    assert found is not None
    assert (found.level, found.disks, found.in_sync, found.others) == ("raid1", 2, in_sync, others)
    assert found.mismatches == mismatches


@pytest.mark.parametrize("status", ["", "0 409600 linear 8:0 2048", "0 1 raid", "0 1 raid raid1 x AA 1/1 idle 0 0 -"])
def test_a_volume_without_raid_is_no_array(status: str) -> None:
    assert parse_raid(VOLUME, status, IMAGES) is None


def test_a_raid_volume_is_found_by_its_name_among_all(tmp_path: Path) -> None:
    said = "other: 0 8 linear \nvg-lv: 0 409600 raid raid1 2 AA 409600/409600 idle 0 0 -\n"
    found = arrays_of(machine(tmp_path, {"dmsetup status": said}, {}).host, (VOLUME, *IMAGES.values()))
    assert not isinstance(found, Unread) and [one.name for one in found] == ["dm-4"]
    assert isinstance(arrays_of(machine(tmp_path, {}, {}).host, (VOLUME,)), Unread), "no dmsetup: not told"


def test_a_group_names_the_disk_that_it_has_lost(tmp_path: Path) -> None:
    from tests.unit.facts.layers.test_facts_layers import DATA, IMAGE

    disk = tmp_path / "disk"
    disk.write_bytes(IMAGE)
    layer, place = LvmLayer(group="ledger", volume="tree"), Place(device=str(disk), offset=DATA, size=0)
    marks = read_marks(LocalHost(), layer, place)
    assert marks.missing == () and [one.what for one in marks.identities] == ["volume group ledger"]
    assert marks.identities[0] != Identity(what="volume group ledger", uuid="")


# -- network


def test_what_carries_an_interface_is_a_card_a_bond_or_nothing_that_can_be_seen(tmp_path: Path) -> None:
    net = "/sys/class/net"
    files = {
        f"{net}/bond0.7/lower_bond0/x": "",
        f"{net}/bond0/bonding/slaves": "eth0 eth1\n",
        f"{net}/veth0/lower_veth1/x": "",
        f"{net}/veth1/lower_veth0/x": "",
        f"{net}/br0/lower_eth2/x": "",
        **{f"/sys/devices/pci0000:00/0000:0{n}:00.0/net/eth{n}/carrier": f"{n % 2}\n" for n in (0, 1, 2)},
    }
    made = machine(tmp_path, {}, files)
    for n in (0, 1, 2):
        link(tmp_path, f"{net}/eth{n}", f"../../devices/pci0000:00/0000:0{n}:00.0/net/eth{n}")
    found = read_carriers(made.host, ["bond0.7", "eth2", "veth0", "br0", "gone"])
    assert found == (
        Carrier(
            interface="bond0.7",
            kind="bond",
            ports=(Port(name="eth0", adapter="0000:00:00", up=False), Port(name="eth1", adapter="0000:01:00", up=True)),
        ),
        Carrier(interface="eth2", kind="nic", ports=(Port(name="eth2", adapter="0000:02:00", up=False),)),
        Carrier(interface="veth0", kind="virtual", ports=(Port(name="veth0", up=False),)),
        Carrier(interface="br0", kind="nic", ports=(Port(name="eth2", adapter="0000:02:00", up=False),)),
    )
    assert isinstance(read_carriers(machine(tmp_path / "none", {}, {}).host, ["eth0"]), Unread)


# -- file systems


def test_btrfs_tells_its_profiles(tmp_path: Path) -> None:
    place = "/sys/fs/btrfs/0a1b"
    files = {
        f"{place}/devices/sdb": "",
        f"{place}/allocation/data/single/total_bytes": "1",
        f"{place}/allocation/data/flags": "1",
        f"{place}/allocation/metadata/raid1/total_bytes": "1",
    }
    mount = Mount(target="/srv", source="/dev/sdb", fstype="btrfs", root="/", options=(), device="0:31")
    found = read_mounted_health(machine(tmp_path, {}, files).host, mount)
    assert found.profiles == ("data single", "metadata raid1")
    assert read_mounted_health(machine(tmp_path / "x", {}, {}).host, mount).profiles == ()


def test_bytes_that_are_no_ext4_are_unread() -> None:
    assert isinstance(parse_ext4(bytes(4096)), Unread)
    assert isinstance(parse_ext4(b""), Unread)


@pytest.mark.requirement("A14", "A23")
def test_the_first_block_of_each_disk_is_read_and_one_that_can_not_be_is_named(tmp_path: Path) -> None:
    there = tmp_path / "disk"
    there.write_bytes(bytes(8192))
    good, gone = read_opened(LocalHost(), (str(there), str(tmp_path / "gone")))
    assert not good.why and "No such file" in gone.why


@pytest.mark.requirement("A19", "A23")
def test_a_real_ext4_tells_its_errors_mounted_and_not(tmp_path: Path) -> None:
    found = run_apart(SCRIPT, str(tmp_path), needs=("losetup", "mkfs.ext4", "dumpe2fs", "lsblk"))
    tree = [str(tmp_path / "tree"), True]
    assert (found["whole"]["errors"], found["whole"]["marked"], found["whole"]["room"]) == (0, False, None)
    assert (found["mounted"]["errors"], found["mounted"]["room"]) == (0, tree)
    assert found["after an error"]["errors"] == 1, "before the super block is written"
    assert (found["unmounted"]["errors"], found["unmounted"]["marked"]) == (1, True)
    dumped = datetime.strptime(found["dumpe2fs"]["Last checked"], "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    assert found["unmounted"]["checked"] == dumped.timestamp()
    assert found["dumpe2fs"]["FS Error count"] == "1"


def test_a_file_system_that_keeps_no_count_says_so(tmp_path: Path) -> None:
    mount = Mount(target="/", source="/dev/sda1", fstype="xfs", root="/", options=(), device="8:1")
    assert read_mounted_health(machine(tmp_path, {}, {}).host, mount) == FileSystemHealth(fstype="xfs", tells=False)


def test_lsblk_of_an_array_names_each_disk_once() -> None:
    leg = {"name": "sda", "kname": "sda", "type": "disk", "size": 9}
    tops = [{"name": "md0", "kname": "md0", "type": "raid1", "size": 9, "children": [leg, leg]}]
    assert [one.name for one in parse_lsblk(json.dumps({"blockdevices": tops}))] == ["md0", "sda"]
