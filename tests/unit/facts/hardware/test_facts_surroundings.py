"""Disks, switches, power supplies and ZFS as their tools tell of them: smartctl 7, lldpctl, ipmitool 1.8, zfs 2.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tanist.facts.smart import parse_smart, read_disks
from tanist.facts.surroundings import parse_lldp, parse_supplies, read_shares, read_supplies, read_switches
from tanist.model.hardware import BlockDevice, DiskPath
from tanist.model.measured import DiskHealth, Share, Switch
from tanist.model.unread import Unread
from tests.unit.facts.machine import Machine

SDA = BlockDevice(name="sda", title="sda", kind="disk", size=1, paths=(DiskPath(name="sda"),))
ASK = "smartctl --json=c -n standby -a /dev/sda"
TEST = {"type": {"value": 2, "string": "Extended offline"}, "lifetime_hours": 16000}
ATA: dict[str, Any] = {
    "smartctl": {"version": [7, 3], "exit_status": 0},
    "device": {"name": "/dev/sda", "info_name": "/dev/sda [SAT]", "type": "sat", "protocol": "ATA"},
    "serial_number": "S1",
    "smart_status": {"passed": True},
    "power_on_time": {"hours": 16590},
    "ata_smart_attributes": {
        "revision": 16,
        "table": [
            {
                "id": 5,
                "name": "Reallocated_Sector_Ct",
                "value": 100,
                "thresh": 36,
                "when_failed": "",
                "raw": {"value": 0},
            },
            {"id": 9, "name": "Power_On_Hours", "value": 81, "thresh": 0, "when_failed": "", "raw": {"value": 16590}},
            {
                "id": 197,
                "name": "Current_Pending_Sector",
                "value": 100,
                "thresh": 0,
                "when_failed": "",
                "raw": {"value": 0},
            },
        ],
    },
    "ata_smart_self_test_log": {
        "standard": {
            "revision": 1,
            "table": [{**TEST, "status": {"value": 0, "string": "Completed without error", "passed": True}}],
            "count": 1,
        }
    },
}
NVME: dict[str, Any] = {
    "smartctl": {"exit_status": 0},
    "serial_number": "N1",
    "smart_status": {"passed": True, "nvme": {"value": 0}},
    "nvme_smart_health_information_log": {
        "critical_warning": 0,
        "available_spare": 100,
        "available_spare_threshold": 10,
        "percentage_used": 3,
        "media_errors": 0,
    },
    "power_on_time": {"hours": 900},
    "nvme_self_test_log": {
        "table": [
            {
                "self_test_code": {"value": 1, "string": "Short"},
                "self_test_result": {"value": 0, "string": "Completed without error"},
                "power_on_hours": 880,
            }
        ]
    },
}
SCSI: dict[str, Any] = {
    "smartctl": {"exit_status": 0},
    "serial_number": "T1",
    "smart_status": {"passed": True},
    "power_on_time": {"hours": 64579, "minutes": 53},
    "scsi_grown_defect_list": 0,
    "scsi_error_counter_log": {"read": {"total_uncorrected_errors": 0}, "write": {"total_uncorrected_errors": 0}},
    "scsi_self_test_0": {
        "code": {"value": 2, "string": "Background long"},
        "result": {"value": 0, "string": "Completed"},
        "power_on_time": {"hours": 64000},
    },
}


def changed(told: dict[str, Any], at: str, value: object) -> str:
    """`at`: keys and places, "a.0.b"."""
    whole = json.loads(json.dumps(told))
    *way, last = at.split(".")
    here = whole
    for part in way:
        here = here[int(part) if part.isdigit() else part]
    here[int(last) if last.isdigit() else last] = value
    return json.dumps(whole)


@pytest.mark.requirement("A18", "A23")
@pytest.mark.parametrize(("told", "tested"), [(ATA, 16000), (NVME, 880), (SCSI, 64000)], ids=["ata", "nvme", "scsi"])
def test_a_sound_disk_of_each_kind_is_told_with_its_last_self_test(told: dict[str, Any], tested: int) -> None:
    found = parse_smart("sda", json.dumps(told))
    assert (found.passed, found.wrong, found.tested, found.told) == (True, (), tested, True)
    assert found.hours == told["power_on_time"]["hours"]


ATTRIBUTES, LOG = "ata_smart_attributes.table", "nvme_smart_health_information_log"


@pytest.mark.requirement("A18", "A23")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed(ATA, "smart_status.passed", False), "its own verdict"),
        (changed(ATA, "smartctl.exit_status", 8), "its own verdict"),
        (changed(ATA, f"{ATTRIBUTES}.0.raw.value", 9), "9 reallocated sectors"),
        (changed(ATA, f"{ATTRIBUTES}.2.raw.value", 1), "1 pending sectors"),
        (changed(ATA, f"{ATTRIBUTES}.0.when_failed", "now"), "Reallocated_Sector_Ct below its threshold"),
        (
            changed(
                ATA,
                "ata_smart_self_test_log.standard.table.0.status",
                {"value": 112, "string": "Completed: read failure", "passed": False},
            ),
            "self-test: Completed: read failure",
        ),
        (changed(NVME, f"{LOG}.critical_warning", 4), "critical warning 0x4"),
        (changed(NVME, f"{LOG}.media_errors", 2), "2 media errors"),
        (changed(NVME, f"{LOG}.available_spare", 5), "5 % spare blocks left"),
        (changed(NVME, f"{LOG}.percentage_used", 97), "97 % of its life used"),
        (
            changed(NVME, "nvme_self_test_log.table.0.self_test_result", {"value": 7, "string": "a segment failed"}),
            "self-test: a segment failed",
        ),
        (changed(SCSI, "scsi_grown_defect_list", 4), "4 grown defects"),
        (changed(SCSI, "scsi_error_counter_log.read.total_uncorrected_errors", 3), "3 uncorrected read errors"),
    ],
)
def test_what_a_disk_complains_of_is_told_and_nothing_else(text: str, says: str) -> None:
    (said,) = parse_smart("sda", text).wrong
    assert says in said


def test_a_disk_that_sleeps_or_keeps_no_smart_data_is_no_complaint(tmp_path: Path) -> None:
    asleep = {
        "smartctl": {"exit_status": 2, "messages": [{"string": "Device is in STANDBY mode", "severity": "error"}]}
    }
    assert parse_smart("sda", json.dumps(asleep)) == DiskHealth(disk="sda", told=False)
    lun = {"smartctl": {"exit_status": 4}, "smart_support": {"available": False}, "serial_number": "L"}
    assert parse_smart("sda", json.dumps(lun)) == DiskHealth(disk="sda", serial="L", told=False)
    gone = {"smartctl": {"exit_status": 2, "messages": [{"string": "No such device", "severity": "error"}]}}
    assert parse_smart("sda", json.dumps(gone)).wrong == ("No such device",)
    machine = Machine(tmp_path, commands={ASK: json.dumps(ATA)})
    assert isinstance(read_disks(machine.host, [SDA]), tuple)
    virtual = BlockDevice(name="vda", title="vda", kind="disk", size=1, virtual=True)
    assert read_disks(machine.host, [virtual]) is None
    assert read_disks(Machine(tmp_path).host, [SDA]) is None, "no smartctl"


@pytest.mark.parametrize(
    "said", ["", "[]", "{}", '{"smartctl": 1}', '{"smartctl": {"exit_status": 0}, "smart_status": 1}']
)
def test_an_answer_of_smartctl_that_is_none_is_unread(tmp_path: Path, said: str) -> None:
    assert isinstance(read_disks(Machine(tmp_path, commands={ASK: said}).host, [SDA]), Unread)


LLDP = """lldp.eth0.via=LLDP
lldp.eth0.chassis.mac=00:11:22:33:44:55
lldp.eth0.chassis.name=switch-a
lldp.eth0.port.descr=Gi0/1
lldp.bond0.7.chassis.mac=66:77:88:99:aa:bb
"""
SDR = """PS1 Status       | C8h | ok  | 10.1 | Presence detected
PS2 Status       | C9h | ok  | 10.2 | Presence detected, Power Supply AC lost
PS3 Status       | CAh | ns  | 10.3 | No Reading
PS Redundancy    | 77h | ok  |  7.1 | Redundancy Lost
"""


@pytest.mark.requirement("A23")
def test_the_switch_at_the_end_of_each_cable_is_told(tmp_path: Path) -> None:
    wanted = (Switch(port="eth0", name="switch-a"), Switch(port="bond0.7", name="66:77:88:99:aa:bb"))
    assert parse_lldp(LLDP) == wanted
    assert read_switches(Machine(tmp_path, commands={"lldpctl -f keyvalue": LLDP}).host) == wanted
    assert read_switches(Machine(tmp_path).host) is None
    assert isinstance(read_switches(Machine(tmp_path, commands={"lldpctl -f keyvalue": 1}).host), Unread)


@pytest.mark.requirement("A23")
def test_power_supplies_are_asked_where_there_is_a_bmc(tmp_path: Path) -> None:
    lost = "PS2 Status: Presence detected, Power Supply AC lost"
    assert parse_supplies(SDR) == ("PS1 Status: Presence detected", lost, "PS Redundancy: Redundancy Lost")
    ask = {"ipmitool sdr type Power Supply": SDR}
    assert read_supplies(Machine(tmp_path, commands=ask).host) is None, "no BMC: nobody is asked"
    machine = Machine(tmp_path, commands=ask, files={"/dev/ipmi0": ""})
    assert read_supplies(machine.host) == parse_supplies(SDR)
    assert read_supplies(Machine(tmp_path).host) is None, "no ipmitool"


ZFS = "zfs get -H -t filesystem -o name,property,value mountpoint,sharenfs"
SAID = (
    "xvm\tmountpoint\t/var/opt/sun/xvm\nxvm\tsharenfs\toff\n"
    "xvm/osp\tmountpoint\t/var/opt/sun/xvm/osp\nxvm/osp\tsharenfs\trw=@10.88.0.0/24\n"
)


@pytest.mark.requirement("A47")
def test_a_data_set_that_zfs_shares_by_itself_is_told(tmp_path: Path) -> None:
    """zfs-get(8): with -H fields are separated by one tab, and there is no header."""
    found = read_shares(Machine(tmp_path, commands={ZFS: SAID}).host)
    assert found == (Share(dataset="xvm/osp", mountpoint="/var/opt/sun/xvm/osp", sharenfs="rw=@10.88.0.0/24"),)
    assert read_shares(Machine(tmp_path).host) is None
    assert isinstance(read_shares(Machine(tmp_path, commands={ZFS: 1}).host), Unread)
