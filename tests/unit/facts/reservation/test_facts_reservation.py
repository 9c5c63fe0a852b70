"""Who may write to a disk: real output of sg_persist 0.67 against LIO, the kernel's NVMe test, and garbage."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tanist.facts import reservation as facts
from tanist.host.fake import FakeHost
from tanist.model.reservation import WRITE_EXCLUSIVE, Reservation, build_key, describe_key, parse_key
from tanist.model.unread import Unread

CASES = Path(__file__).parent / "cases"
A, B = 0x746EA1B2C3000001, 0x746ED4E5F6000002


def case(name: str) -> str:
    return (CASES / f"{name}.txt").read_text()


def test_the_words_of_a_real_target_are_read() -> None:
    assert facts.parse_keys(case("lio.nokeys")) == ()
    assert facts.parse_keys(case("lio.key")) == (A,)
    assert facts.parse_keys(case("lio.keys")) == (A, B)
    assert facts.parse_holder(case("lio.noreservation")) == (0, "")
    assert facts.parse_holder(case("lio.reservation")) == (A, WRITE_EXCLUSIVE)
    assert facts.parse_ability(case("lio.capabilities")) is True
    assert facts.parse_ability(case("lio.capabilities").replace("registrants only: 1", "registrants only: 0")) is False


@pytest.mark.parametrize("text", ["", "garbage", case("qemu.keys"), case("lio.conflict")])
def test_what_nobody_understands_is_never_nobody(text: str) -> None:
    assert facts.parse_keys(text) is None
    assert facts.parse_holder(text) is None
    assert facts.parse_ability(text) is None
    assert facts.parse_nvme(text) is None
    assert facts.parse_nvme_ability(text) is None


def test_a_list_that_lost_a_line_is_not_taken_for_a_shorter_one() -> None:
    torn = "".join(case("lio.keys").splitlines(keepends=True)[:-1])
    assert facts.parse_keys(torn) is None


def nvme_report(*rows: tuple[str, int, int], rtype: int = 3, count: int | None = None, name: str = "regctlext") -> str:
    """As nvme-cli's json has it: decimal keys, one row for each controller of a host."""
    listed = [{"cntlid": 65535, "rcsts": rcsts, "rkey": key, "hostid": host} for host, key, rcsts in rows]
    number = "regctl" if name == "regctlext" else "regstrnt"
    return json.dumps(
        {"gen": 4, "rtype": rtype, number: len(rows) if count is None else count, "ptpls": 0, name: listed}
    )


def test_an_nvme_report_is_read_with_old_names_and_new_ones() -> None:
    rows = (("0a" * 16, A, 1), ("0a" * 16, A, 1), ("0b" * 16, B, 0))
    for name in ("regctlext", "registrantext"):
        assert facts.parse_nvme(nvme_report(*rows, name=name)) == ((A, B), A, WRITE_EXCLUSIVE)
    assert facts.parse_nvme(nvme_report(rtype=0)) == ((), 0, "")
    assert facts.parse_nvme(nvme_report(rows[2], rtype=0)) == ((B,), 0, "")
    assert facts.parse_nvme(nvme_report(*rows, count=4)) is None, "a report that was cut short"
    assert facts.parse_nvme_ability('{"rescap": 255}') is True
    assert facts.parse_nvme_ability('{"rescap": 0}') is False


def test_a_key_tells_its_node_and_epoch_and_no_other_controllers_key_does() -> None:
    key = build_key("oc", "ec-a", 7)
    owner = parse_key(key, "oc", ["ec-b", "ec-a"])
    assert owner is not None and (owner.node, owner.epoch) == ("ec-a", 7)
    assert parse_key(key, "oc2", ["ec-a", "ec-b"]) is None
    assert parse_key(0xA1, "oc", ["ec-a", "ec-b"]) is None
    assert describe_key(key, "oc", ["ec-a"]) == "ec-a's key of epoch 7"
    assert describe_key(0xA1, "oc", ["ec-a"]) == "a foreign key, 0xa1"
    assert 0 < key < 1 << 64


# -- ways to the disk
@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    for name in ("sda", "sdb", "dm-0", "dm-1", "nvme0n1"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    block = tmp_path / "sys/class/block"
    for name, uuid in (("dm-0", "mpath-36001405"), ("dm-1", "LVM-abc")):
        (block / name / "dm").mkdir(parents=True)
        (block / name / "dm/uuid").write_text(uuid)
        for slave in ("sda", "sdb"):
            (block / name / "slaves" / slave).mkdir(parents=True)
    for slave in ("sda", "sdb"):
        (block / slave / "device").mkdir(parents=True)
        (block / slave / "device/state").write_text("running\n")
    (tmp_path / "dev/mapper").mkdir()
    os.symlink("../dm-0", tmp_path / "dev/mapper/mpatha")
    os.symlink("sda", tmp_path / "dev/asset")
    return FakeHost(str(tmp_path))


def test_each_path_of_a_multipath_device_counts_and_a_dead_one_is_named(host: FakeHost) -> None:
    found = facts.find_ways(host, "/dev/mapper/mpatha")
    assert found == facts.Ways(protocol="scsi", paths=("/dev/sda", "/dev/sdb"))
    Path(host.files.place("/sys/class/block/sdb/device/state")).write_text("offline\n")
    found = facts.find_ways(host, "/dev/mapper/mpatha")
    assert found == facts.Ways(protocol="scsi", paths=("/dev/sda",), dead=("/dev/sdb",))
    assert facts.find_ways(host, "/dev/asset") == facts.Ways(protocol="scsi", paths=("/dev/sda",))
    assert facts.find_ways(host, "/dev/nvme0n1") == facts.Ways(protocol="nvme", paths=("/dev/nvme0n1",))


def test_what_is_no_whole_disk_says_what_to_name_instead(host: FakeHost) -> None:
    Path(host.files.place("/sys/class/block/sda/partition")).write_text("1\n")
    for device, why in (
        ("/dev/asset", "is a partition"),
        ("/dev/dm-1", "no disk but a volume"),
        ("/dev/none", "no such device"),
    ):
        found = facts.find_ways(host, device)
        assert isinstance(found, Unread) and why in found.why
        assert isinstance(facts.read_reservation(host, device), Unread)


def test_a_unit_attention_is_asked_again_and_not_for_ever(host: FakeHost) -> None:
    host.answer(["sg_persist"], status=6, stderr="sg_persist failed: Unit attention")
    found = facts.read_reservation(host, "/dev/asset")
    assert isinstance(found, Unread) and "Unit attention" in found.why
    assert len(host.ran) == facts.AGAIN


def test_a_disk_is_read_by_its_own_protocols_tool_and_a_missing_tool_is_named(host: FakeHost) -> None:
    host.answer(["sg_persist", "--no-inquiry", "--readonly", "--in", "--read-keys"], case("lio.keys"))
    host.answer(["sg_persist", "--no-inquiry", "--readonly", "--in", "--read-reservation"], case("lio.reservation"))
    found = facts.read_reservation(host, "/dev/asset")
    assert found == Reservation(device="/dev/asset", paths=("/dev/sda",), keys=(A, B), holder=A, kind=WRITE_EXCLUSIVE)
    host.answer(["nvme", "resv-report", "/dev/nvme0n1"], nvme_report(("0b" * 16, B, 1)))
    found = facts.read_reservation(host, "/dev/nvme0n1")
    assert isinstance(found, Reservation) and (found.keys, found.holder) == ((B,), B)
    host.answer(["nvme"], status=127)
    found = facts.read_reservation(host, "/dev/nvme0n1")
    assert isinstance(found, Unread) and "apt-get install nvme-cli" in found.why
    host.answer(["sg_persist"], case("qemu.keys"), status=9)
    assert isinstance(facts.read_ability(host, "/dev/asset"), Unread)
