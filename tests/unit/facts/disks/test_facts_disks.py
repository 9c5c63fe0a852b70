"""The disks of a node, from what lsblk 2.38.1 and wipefs 2.38.1 say on a real machine; and a real O_EXCL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tanist.facts.blank import MIB, SECTOR, build_token, read_edges, read_token, strip_token
from tanist.facts.disks import parse_disks, parse_wipefs, read_content, read_disks, read_reserved, try_alone
from tanist.facts.programs import parse_version, read_programs
from tanist.model.disks import DiskMark, Programs
from tanist.model.unread import Unread
from tests.unit.facts.machine import Machine

COLUMNS = "NAME,KNAME,MAJ:MIN,TYPE,SIZE,RO,SERIAL,WWN,MODEL,TRAN,MOUNTPOINT"
SIZE = 1073741824


def node(name: str, kind: str, *children: dict[str, Any], at: str | None = None, **more: Any) -> dict[str, Any]:
    one = {"name": name, "kname": name, "maj:min": "8:0", "type": kind, "size": SIZE, "ro": False, "serial": None}
    one |= {"wwn": None, "model": None, "tran": None, "mountpoint": at}
    return {**one, **more, **({"children": list(children)} if children else {})}


# of a machine with a volume on a mirror on two disks, its lease disk, and its root disk
VOLUME = node("ledger-tree", "lvm", kname="dm-0")
TREE = [
    node("sda", "disk", node("md127", "raid1", VOLUME), serial="LABasset0", wwn="0x5000c50015ea0000", model="asset0"),
    node("sdb", "disk", node("md127", "raid1", VOLUME), serial="LABasset1", wwn="0x5000c50015ea0001", model="asset1"),
    node("sdc", "disk", serial="LABlease0", wwn="0x5000c50015ea0002", size=67108864),
    node("vda", "disk", node("vda1", "part", at="/"), node("vda2", "part", at="[SWAP]")),
]


def test_who_has_a_disk_is_seen_through_all_that_lies_on_it() -> None:
    found = {one.name: one for one in parse_disks(TREE, {"sda": ("/dev/disk/by-id/wwn-0x5000c50015ea0000",)})}
    assert found["sda"].holders == ("md127 (raid1)", "ledger-tree (lvm)")
    assert (found["sda"].uses, found["sda"].word) == ((), "LABasset0")
    assert found["sda"].names == ("/dev/disk/by-id/wwn-0x5000c50015ea0000",)
    assert found["vda"].uses == ("vda1 is mounted at /", "vda2 is swap space")
    assert found["vda"].identity == "" and not found["vda"].holders
    mounted = [node("sda", "disk", node("md127", "raid1", at="/srv"))]
    assert parse_disks(mounted, {})[0].uses == ("md127 is mounted at /srv",)


def test_the_paths_of_a_multipath_device_are_no_disks_of_their_own() -> None:
    upper = node("mpatha", "mpath", kname="dm-3")
    found = parse_disks([node(name, "disk", upper, serial="beaf", wwn="0x6") for name in ("sda", "sdb")], {})
    assert [(one.name, one.kind, one.wwn) for one in found] == [
        ("sda", "path", "0x6"),
        ("dm-3", "mpath", "0x6"),
        ("sdb", "path", "0x6"),
    ]
    assert found[1].names == ("/dev/mapper/mpatha",) and found[1].holders == ()


def test_what_is_no_disk_is_left_out() -> None:
    assert parse_disks([node("sr0", "rom"), node("zram0", "disk"), node("loop0", "loop", size=0)], {}) == ()


def test_marks_have_one_key_on_every_node() -> None:
    member = "0x1000,01234567-89ab-cdef-0123-456789abcdef,none:ledger,linux_raid_member\n"
    (found,) = parse_wipefs(f"# offset,uuid,label,type\n{member}", 0)
    assert found.key == "linux_raid_member 0123456789abcdef0123456789abcdef"
    assert found.says == 'linux_raid_member "none:ledger" 01234567-89ab-cdef-0123-456789abcdef'
    (found,) = parse_wipefs("0x218,7Zfm7X-vPhV-iTo7-xUOv-Qb0q-cbzY-fFMrFD,,LVM2_member\n", 2)
    assert found.key == "part2 LVM2_member 7zfm7xvphvito7xuovqb0qcbzyffmrfd"
    assert found.says.endswith("in partition 2")
    assert parse_wipefs("0x1fe,,,dos\n0x438,d-1,,ext4\n", 0) == (
        DiskMark(kind="dos"),
        DiskMark(kind="ext4", uuid="d-1"),
    )


def content(
    tmp_path: Path, first: str, last: str = "", *, wipefs: str = "", size: int = SIZE
) -> tuple[tuple[DiskMark, ...] | Unread, str]:
    dd = "dd if=/dev/sda iflag=direct bs=1048576 skip={} count=1 status=none"
    commands: dict[str, str | int] = {
        "blockdev --flushbufs /dev/sda": "",
        "blockdev --getsize64 /dev/sda": f"{size}\n",
        "wipefs -p /dev/sda": wipefs,
        dd.format(0): first.ljust(MIB, "\0"),
        dd.format(size // MIB - 1): last.ljust(MIB, "\0"),
    }
    return read_content(Machine(tmp_path, commands=commands).host, "/dev/sda", ())


@pytest.mark.requirement("A20")
def test_a_disk_is_blank_when_there_is_no_mark_and_both_ends_are_zeros(tmp_path: Path) -> None:
    data = (DiskMark(kind="data"),)
    assert content(tmp_path, "") == ((), "")
    assert content(tmp_path, "x") == (data, "")
    assert content(tmp_path, "", "\0x") == (data, "")
    assert content(tmp_path, "x", wipefs="0x438,d-1,,ext4\n")[0] == (DiskMark(kind="ext4", uuid="d-1"),)
    token = build_token("R1", "/dev/sda").decode()
    assert content(tmp_path, token) == ((), "tanist storage prepare R1 /dev/sda")
    assert content(tmp_path, token + "x")[0] == data, "something else beside the token"
    assert isinstance(content(tmp_path, "", size=MIB)[0], Unread)


def test_what_can_not_be_read_is_never_blank(tmp_path: Path) -> None:
    silent = Machine(tmp_path, commands={"blockdev --flushbufs /dev/sda": "", "wipefs -p /dev/sda": 1})
    assert isinstance(read_content(silent.host, "/dev/sda", ())[0], Unread)
    deaf = Machine(tmp_path, commands={"blockdev --flushbufs /dev/sda": 1})
    assert isinstance(read_content(deaf.host, "/dev/sda", ())[0], Unread)


def test_a_token_fills_a_block_and_is_read_back() -> None:
    block = build_token("R1", "/dev/x")
    assert len(block) == SECTOR
    assert read_token(block) == "tanist storage prepare R1 /dev/x"
    assert read_token(b"\0" * SECTOR) == ""
    assert strip_token(block + b"rest", "R1") == b"rest"


@pytest.mark.parametrize("said", ["", "[]", '{"blockdevices": [{"name": "sda"}]}', '{"blockdevices": [1]}'])
def test_an_answer_of_lsblk_that_is_none_is_unread(tmp_path: Path, said: str) -> None:
    made = Machine(tmp_path, commands={f"lsblk -J -b -o {COLUMNS}": said})
    assert isinstance(read_disks(made.host, ("/dev/x",), every=False)[0], Unread)


def test_disks_without_udev_are_named_by_sysfs_and_links_are_sorted(tmp_path: Path) -> None:
    said = json.dumps({"blockdevices": [node("vda", "disk")]})
    made = Machine(
        tmp_path,
        commands={f"lsblk -J -b -o {COLUMNS}": said},
        files={"/sys/class/block/vda/serial": "asset0\n"},
    )
    links = tmp_path / "dev/disk/by-id"
    links.mkdir(parents=True)
    for name in ("ata-x", "wwn-0x1"):
        (links / name).symlink_to("../../vda")
    found, asked = read_disks(made.host, ("/dev/nothing",), every=False)
    assert not isinstance(found, Unread)
    assert (found[0].serial, found[0].names) == ("asset0", ("/dev/disk/by-id/wwn-0x1", "/dev/disk/by-id/ata-x"))
    assert asked == (("/dev/nothing", ""),)


def test_a_small_or_odd_disk_can_be_read_to_its_end(tmp_path: Path) -> None:
    size = 4 * MIB + 512
    block = "dd if=/dev/sda iflag=direct bs=512 skip={} count=2048 status=none"
    commands: dict[str, str | int] = {
        "blockdev --getsize64 /dev/sda": str(size),
        "dd if=/dev/sda iflag=direct bs=1048576 skip=0 count=1 status=none": "a" * MIB,
        block.format((size - MIB) // 512): "z" * MIB,
    }
    assert read_edges(Machine(tmp_path, commands=commands).host, "/dev/sda") == b"a" * MIB + b"z" * MIB


def test_versions_are_the_first_number_with_a_dot(tmp_path: Path) -> None:
    commands: dict[str, str | int] = {
        "uname -r": "6.1.0-56-cloud-amd64\n",
        "mke2fs -V": "mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0\n",
        "mkfs.xfs -V": "mkfs.xfs version 6.1.0\n",
        "lvm version": "  LVM version:     2.03.16(2) (2022-05-18)\n  Library version: 1.02.185 (2022-05-18)\n",
    }
    assert read_programs(Machine(tmp_path, commands=commands).host) == Programs(
        kernel="6.1.0", e2fsprogs="1.47.0", xfsprogs="6.1.0", mdadm="", lvm="2.03.16"
    )
    assert parse_version("mdadm - v4.2 - 2021-12-30 - Debian 4.2-5") == "4.2"


def test_a_disk_at_which_hosts_have_registered_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/sda").touch()
    ask = "sg_persist --no-inquiry --readonly --in {} /dev/sda"
    held = "  PR generation=0x2, Reservation follows:\n    Key=0xbad\n    scope: LU_SCOPE,  "
    held += "type: Write Exclusive, registrants only\n"
    commands: dict[str, str | int] = {
        ask.format("--read-keys"): "  PR generation=0x2, 1 registered reservation key follows:\n    0xbad\n",
        ask.format("--read-reservation"): held,
    }
    (use,) = read_reserved(Machine(tmp_path, commands=commands).host, "/dev/sda")
    assert "by the keys 0xbad" in use
    assert read_reserved(Machine(tmp_path, commands={}).host, "/dev/sda") == (), "sg_persist is not there"


class Refusing:
    def __init__(self, number: int, times: int = 99) -> None:
        self.number, self.times, self.asked = number, times, 0

    def claim_device(self, path: str) -> object:
        self.asked += 1
        if self.asked > self.times:
            return Path("/dev/null").open()
        raise OSError(self.number, "what the kernel says", path)

    def sleep(self, seconds: float) -> None:
        pass


@pytest.mark.parametrize(("number", "says"), [(16, "the kernel lets nobody have it alone"), (5, "it can't be opened")])
def test_a_disk_that_the_kernel_does_not_give_away_is_in_use(number: int, says: str) -> None:
    assert says in try_alone(Refusing(number), "/dev/sda")  # type: ignore[arg-type]
    assert try_alone(Refusing(16, times=2), "/dev/sda") == "", "udev had it for a moment"  # type: ignore[arg-type]
