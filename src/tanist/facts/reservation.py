"""Persistent reservations of a whole disk: who is registered, who holds it, what the disk can do. Only reads.

In: a host and a device. Out: a Reservation, or Unread with the words of the tool. SCSI by sg_persist(8), NVMe by
nvme(1); of a multipath device each path counts by itself, because the disk knows paths and not machines. A unit
attention (the disk has something to tell first) is asked again.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Literal

from tanist.facts.device import resolve
from tanist.model.dataclasses import dataclass
from tanist.model.reservation import EXCLUSIVE_ACCESS, WRITE_EXCLUSIVE, Reservation
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tanist.host.host import Host
    from tanist.model.host import Ran

UNIT_ATTENTION, ABORTED = 6, 11  # exit statuses of sg3_utils(8)
AGAIN, PAUSE = 10, 0.1  # tries, and seconds between two
INSTALL = {"sg_persist": "apt-get install sg3-utils", "nvme": "apt-get install nvme-cli"}
KEY = re.compile(r"^\s+0x([0-9a-f]+)\s*$", re.MULTILINE)
HOLDER = re.compile(r"Key=0x([0-9a-f]+)\s+scope: LU_SCOPE,\s+type: ([^\n]+)")
NVME_KINDS = {
    1: "Write Exclusive",
    2: "Exclusive Access",
    3: WRITE_EXCLUSIVE,
    4: EXCLUSIVE_ACCESS,
    5: "Write Exclusive, all registrants",
    6: "Exclusive Access, all registrants",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How this node reaches a disk. `dead`: paths that the kernel has given up for now."""

    protocol: Literal["scsi", "nvme"]
    paths: tuple[str, ...]
    dead: tuple[str, ...] = ()


def read_reservation(host: Host, device: str, timeout: float = 10.0) -> Reservation | Unread:
    ways = find_ways(host, device)
    if isinstance(ways, Unread):
        return ways
    read = read_scsi if ways.protocol == "scsi" else read_nvme
    return read(host, device, ways.paths, timeout)


# -- ways to the disk
def find_ways(host: Host, device: str) -> Ways | Unread:
    """The paths of a multipath device, or the disk itself; Unread for what is no whole disk."""
    real = resolve(host, device)
    if real is None:
        return Unread(f"{device}: no such device on this node")
    name = posixpath.basename(real)
    if host.files.exists(f"/sys/class/block/{name}/partition"):
        return Unread(f"{device} is a partition, and a reservation is the whole disk's: name the disk in devices")
    if name.startswith("dm-"):
        return _find_multipath(host, device, name)
    protocol: Literal["scsi", "nvme"] = "nvme" if name.startswith("nvme") else "scsi"
    return Ways(protocol=protocol, paths=(real,))


def _find_multipath(host: Host, device: str, name: str) -> Ways | Unread:
    block = f"/sys/class/block/{name}"
    try:
        uuid = host.files.read(f"{block}/dm/uuid").decode()
        slaves = host.files.list(f"{block}/slaves")
    except OSError as error:
        return Unread(f"{device}: {error.strerror or error}")
    if not uuid.startswith("mpath-"):
        return Unread(f"{device} is no disk but a volume on one: name the disks below it in devices")
    alive = tuple(f"/dev/{slave}" for slave in slaves if _is_running(host, slave))
    dead = tuple(f"/dev/{slave}" for slave in slaves if f"/dev/{slave}" not in alive)
    if not alive:
        return Unread(f"{device}: none of its paths works ({', '.join(dead) or 'it has none'})")
    return Ways(protocol="scsi", paths=alive, dead=dead)


def _is_running(host: Host, disk: str) -> bool:
    try:
        return host.files.read(f"/sys/class/block/{disk}/device/state").strip() in (b"running", b"live")
    except OSError:
        return False


# -- asking
def ask_disk(host: Host, argv: Sequence[str], timeout: float) -> Ran | Unread:
    """A finished command of any status. Unread: the program is missing, or did not end in its time and was left."""
    tries = 0
    while True:
        try:
            ran = host.run(argv, timeout=timeout, ok=None)
        except OSError as error:
            return Unread(error.strerror or f"{error}")
        tries += 1
        if ran.status not in (UNIT_ATTENTION, ABORTED) or tries == AGAIN:
            return Unread(f"{argv[0]} is not installed: {INSTALL[argv[0]]}") if ran.status == 127 else ran
        host.sleep(PAUSE)


def read_scsi(host: Host, device: str, paths: tuple[str, ...], timeout: float) -> Reservation | Unread:
    said = []
    for what in ("--read-reservation", "--read-keys"):
        ran = ask_disk(host, ["sg_persist", "--no-inquiry", "--readonly", "--in", what, paths[0]], timeout)
        if isinstance(ran, Unread):
            return Unread(f"{device}: {ran.why}")
        if ran.status != 0:
            return Unread(f"{device}: {ran.complaint}")
        said.append(ran.text)
    holder = parse_holder(said[0])
    keys = parse_keys(said[1])
    if holder is None or keys is None:
        return Unread(
            f"{device}: sg_persist says what nobody understands: {said[0 if holder is None else 1].strip()!r}"
        )
    return Reservation(device=device, paths=paths, keys=keys, holder=holder[0], kind=holder[1])


def parse_keys(text: str) -> tuple[int, ...] | None:
    if "NO registered reservation keys" in text:
        return ()
    found = tuple(int(key, 16) for key in KEY.findall(text))
    count = re.search(r"(\d+) registered reservation keys? follows?", text)
    return found if count and int(count[1]) == len(found) else None


def parse_holder(text: str) -> tuple[int, str] | None:
    """Key and kind; a key of 0 with no kind: nobody reserved it."""
    if "NO reservation held" in text:
        return 0, ""
    match = HOLDER.search(text)
    return (int(match[1], 16), match[2].strip()) if match else None


def read_nvme(host: Host, device: str, paths: tuple[str, ...], timeout: float) -> Reservation | Unread:
    ran = ask_disk(host, ["nvme", "resv-report", paths[0], "--eds", "--output-format=json"], timeout)
    if isinstance(ran, Unread):
        return Unread(f"{device}: {ran.why}")
    if ran.status != 0:
        return Unread(f"{device}: {ran.complaint}")
    found = parse_nvme(ran.text)
    if found is None:
        return Unread(f"{device}: nvme says what nobody understands: {ran.text.strip()[:200]!r}")
    keys, holder, kind = found
    return Reservation(device=device, paths=paths, keys=keys, holder=holder, kind=kind)


def parse_nvme(text: str) -> tuple[tuple[int, ...], int, str] | None:
    """Keys, holder and kind of a report with extended data. A host registers once, whatever its number of paths."""
    try:
        report = json.loads(text)
        rows = report.get("regctlext", report.get("registrantext"))
        count = report.get("regctl", report.get("regstrnt"))
        hosts = {str(row["hostid"]): (int(row["rkey"]), int(row["rcsts"]) & 1) for row in rows}
        if int(count) != len(rows):
            return None
        kind = NVME_KINDS.get(int(report["rtype"]), "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    held = [key for key, holds in hosts.values() if holds]
    return tuple(key for key, _ in hosts.values()), held[0] if held and kind else 0, kind


# -- what the disk can do
def read_ability(host: Host, device: str, timeout: float = 10.0) -> str | Unread:
    """How it can reserve, for people; Unread: it can't, or can't tell."""
    ways = find_ways(host, device)
    if isinstance(ways, Unread):
        return ways
    if ways.protocol == "nvme":
        argv = ["nvme", "id-ns", ways.paths[0], "--output-format=json"]
    else:
        argv = ["sg_persist", "--no-inquiry", "--readonly", "--in", "--report-capabilities", ways.paths[0]]
    ran = ask_disk(host, argv, timeout)
    if isinstance(ran, Unread):
        return ran
    can = parse_nvme_ability(ran.text) if ways.protocol == "nvme" else parse_ability(ran.text)
    if ran.status != 0 or can is None:
        return Unread(f"{device} has no persistent reservations: {ran.complaint}")
    if not can:
        return Unread(f"{device} does not know the kind {WRITE_EXCLUSIVE!r}")
    paths = f", {len(ways.paths)} paths" if len(ways.paths) > 1 else ""
    dead = f", without {', '.join(ways.dead)}, which does not work" if ways.dead else ""
    return f"{'NVMe' if ways.protocol == 'nvme' else 'SCSI-3'} reservations{paths}{dead}"


def parse_ability(text: str) -> bool | None:
    """Whether it can do what is asked of it. A type mask that is not valid says nothing against it (SPC-4, 6.16.4)."""
    if "Report capabilities response" not in text:
        return None
    return "(TMV): 0" in text or "Write Exclusive, registrants only: 1" in text


def parse_nvme_ability(text: str) -> bool | None:
    """RESCAP of Identify Namespace: bit 3 is Write Exclusive, Registrants Only."""
    try:
        return bool(int(json.loads(text)["rescap"]) & 1 << 3)
    except (ValueError, KeyError, TypeError):
        return None
