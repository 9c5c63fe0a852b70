"""What disks say of their own health: smartctl(8) with JSON output. A disk that sleeps is not woken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tanist.model.hardware import BlockDevice
from tanist.model.measured import DiskHealth
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

# ATA attributes whose raw value counts damage (smartctl(8), -A): reallocated, reported, pending, offline uncorrectable
DAMAGE = {5: "reallocated sectors", 187: "uncorrectable errors", 197: "pending sectors", 198: "unreadable sectors"}
TIMEOUT = 20.0  # seconds for each disk
NO_DEVICE, FAILING = 0x2, 0x8  # bits of the exit status (smartctl(8), "EXIT STATUS")
WORN = 90  # percent of its life that an SSD has used


def read_disks(host: Host, disks: Iterable[BlockDevice]) -> tuple[DiskHealth, ...] | Unread | None:
    """None where there is no disk of which it can be known, or no smartctl."""
    found = []
    for disk in disks:
        if disk.virtual:
            continue
        device = f"/dev/{disk.paths[0].name if disk.paths else disk.name}"
        try:
            ran = host.run(["smartctl", "--json=c", "-n", "standby", "-a", device], timeout=TIMEOUT, ok=None)
        except OSError as error:
            return Unread(f"smartctl {device}: {error.strerror or error}")
        if ran.status == 127:
            return None
        try:
            found.append(parse_smart(disk.title, ran.text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return Unread(f"smartctl {device}: its answer can't be read: {error!r}")
    return tuple(found) or None


def parse_smart(disk: str, text: str) -> DiskHealth:
    """ValueError, KeyError, TypeError or AttributeError for what `smartctl --json` does not print."""
    told = json.loads(text)
    status = int(told["smartctl"]["exit_status"])
    if "smart_status" not in told:
        return DiskHealth(
            disk=disk, serial=str(told.get("serial_number", "")), told=False, wrong=_messages(told, status)
        )
    passed = bool(told["smart_status"]["passed"]) and not status & FAILING
    wrong = ("its own verdict: it is about to fail",) if not passed else ()
    return DiskHealth(
        disk=disk,
        serial=str(told.get("serial_number", "")),
        passed=passed,
        wrong=(*wrong, *_ata(told), *_nvme(told), *_scsi(told), *_failed_tests(told)),
        hours=int(told.get("power_on_time", {}).get("hours", -1)),
        tested=_tested(told),
    )


def _messages(told: dict[str, Any], status: int) -> tuple[str, ...]:
    """It can't be opened: worth a word. One that has no SMART, or sleeps, is none."""
    said = [str(one["string"]) for one in told["smartctl"].get("messages", []) if one.get("severity") == "error"]
    return tuple(said) if status & NO_DEVICE and not any("STANDBY" in one for one in said) else ()


def _ata(told: dict[str, Any]) -> list[str]:
    table = told.get("ata_smart_attributes", {}).get("table", [])
    found = [
        f"{one['raw']['value']} {DAMAGE[one['id']]}" for one in table if one["id"] in DAMAGE and one["raw"]["value"]
    ]
    return found + [
        f"{one['name']} below its threshold" for one in table if one.get("when_failed") in ("now", "FAILING_NOW")
    ]


def _nvme(told: dict[str, Any]) -> list[str]:
    log = told.get("nvme_smart_health_information_log", {})
    found = [f"critical warning {log['critical_warning']:#x}"] if log.get("critical_warning") else []
    found += [f"{log['media_errors']} media errors"] if log.get("media_errors") else []
    if log.get("available_spare", 100) < log.get("available_spare_threshold", 0):
        found.append(f"{log['available_spare']} % spare blocks left")
    return found + ([f"{log['percentage_used']} % of its life used"] if log.get("percentage_used", 0) >= WORN else [])


def _scsi(told: dict[str, Any]) -> list[str]:
    grown = told.get("scsi_grown_defect_list", 0)
    found = [f"{grown} grown defects"] if grown else []
    log = told.get("scsi_error_counter_log", {})
    counts = ((kind, log.get(kind, {}).get("total_uncorrected_errors", 0)) for kind in ("read", "write", "verify"))
    return found + [f"{count} uncorrected {kind} errors" for kind, count in counts if count]


def _ata_tests(told: dict[str, Any]) -> list[dict[str, Any]]:
    log = told.get("ata_smart_self_test_log", {})
    return list((log.get("extended") or log.get("standard") or {}).get("table", []))


def _failed_tests(told: dict[str, Any]) -> list[str]:
    """The newest one that ended: ATA says `passed`, NVMe 5 to 7 (a segment failed)."""
    ended = [one["status"] for one in _ata_tests(told) if "passed" in one.get("status", {})]
    nvme = [one["self_test_result"] for one in told.get("nvme_self_test_log", {}).get("table", [])]
    if ended and not ended[0]["passed"]:
        return [f"self-test: {ended[0]['string']}"]
    return [f"self-test: {nvme[0]['string']}"] if nvme and nvme[0]["value"] in (5, 6, 7) else []


def _tested(told: dict[str, Any]) -> int:
    good = [int(one["lifetime_hours"]) for one in _ata_tests(told) if one.get("status", {}).get("passed")]
    table = told.get("nvme_self_test_log", {}).get("table", [])
    good += [int(one["power_on_hours"]) for one in table if one["self_test_result"]["value"] == 0]
    scsi = [told[f"scsi_self_test_{n}"] for n in range(20) if f"scsi_self_test_{n}" in told]
    good += [
        int(one["power_on_time"]["hours"])
        for one in scsi
        if one.get("result", {}).get("value") == 0 and "power_on_time" in one
    ]
    return max(good, default=-1)
