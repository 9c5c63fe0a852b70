"""`tanist storage check`: a closer look at this node's storage than a check takes, and what is kept of it.

Asks the disks (SMART), the switches, the power supplies and ZFS; notes the room of the tree; measures, on the active
node in the tree, on a standby by reading only. Nothing is measured where room is short, or a run is at work.
"""

from __future__ import annotations

import re

from tanist.facts.device import ask
from tanist.facts.hardware import read_hardware
from tanist.facts.smart import read_disks
from tanist.facts.surroundings import read_shares, read_supplies, read_switches
from tanist.host.measuring import Limits, measure
from tanist.model.dataclasses import replace
from tanist.model.errors import TanistError
from tanist.model.hardware import Array, BlockDevice, Space, StorageReadout
from tanist.model.measured import Looked, Measured, Sample, Scrub, Speed
from tanist.model.unread import Unread
from tanist.parity.redundancy import Stack
from tanist.plan import places
from tanist.runs.keeping import keep, load_kept
from tanist.runs.session import Session
from tanist.runs.verification import giving_way

SAMPLES, SPEEDS = 120, 30  # that are kept
APART = 6 * 3600.0  # seconds between two samples: thirty days are kept
HOUR = 3600.0
LIMITS = Limits()
SPARE = 5  # percent of the room that must be free for a measurement
READ_MIB = 64  # that a standby reads
MIB = 1 << 20
COPIED = re.compile(r"(\d+) bytes.* copied, ([0-9.e+-]+) s")


def look(session: Session, *, measuring: bool | None = None) -> Measured:
    """Look now, and keep it. `measuring` None: where the definition's time has passed since the last measurement."""
    host, now = session.host, session.host.now()
    kept = load_measured(session)
    old = kept if isinstance(kept, Measured) else Measured()
    storage = read_hardware(host, session.controller, session.node)
    seen = storage if isinstance(storage, StorageReadout) else None
    new = replace(
        old,
        looked=Looked(
            at=now,
            disks=read_disks(host, find_disks(seen)) if seen else Unread("no disk could be listed"),
            supplies=read_supplies(host),
            switches=read_switches(host),
            shares=read_shares(host),
        ),
        samples=add_sample(old.samples, seen, now),
        scrubs=add_scrubs(old.scrubs, seen, now),
    )
    if measuring or (measuring is None and is_due(session, old, now)):
        new = add_speed(session, new, seen)
    keep(session, places.measured(session.name), "measured", new)
    return new


def find_disks(storage: StorageReadout) -> tuple[BlockDevice, ...]:
    devices = () if isinstance(storage.devices, Unread) else storage.devices
    names = [storage.top, *(one.name for one in storage.opened)]
    return Stack(devices, ()).lowest(name for name in names if name)


def is_due(session: Session, old: Measured, now: float) -> bool:
    every = session.controller.storage.measure_every_hours * HOUR
    last = max((one.at for one in old.speeds), default=0.0)
    return bool(every) and not 0 <= now - last < every


def add_sample(old: tuple[Sample, ...], storage: StorageReadout | None, now: float) -> tuple[Sample, ...]:
    room = storage.room if storage else None
    if not isinstance(room, Space) or (old and 0 <= now - old[-1].at < APART):
        return old
    return (*old, Sample(at=now, free=room.free, inodes_free=room.inodes_free))[-SAMPLES:]


def add_scrubs(old: tuple[Scrub, ...], storage: StorageReadout | None, now: float) -> tuple[Scrub, ...]:
    """md tells that it checks while it does, and afterwards only that it did."""
    arrays: tuple[Array, ...] = () if storage is None or isinstance(storage.arrays, Unread) else storage.arrays
    at_work = [one.name for one in arrays if one.action in ("check", "repair")]
    seen = [one.name for one in arrays if one.last_action in ("check", "repair")]
    known = {one.array: one for one in old}
    known |= {name: Scrub(array=name, at=now) for name in seen if name not in known}
    known |= {name: Scrub(array=name, at=now) for name in at_work}
    return tuple(known.values())


# -- how fast


def add_speed(session: Session, old: Measured, storage: StorageReadout | None) -> Measured:
    why = why_not(storage)
    if why:
        return replace(old, skipped=why)
    try:
        with giving_way(session, "measurement"):  # an open file would keep the tree from being unmounted
            speed = measure_tree(session) if storage and storage.room else measure_disk(session)
    except (OSError, TanistError) as error:
        return replace(old, skipped=error.message if isinstance(error, TanistError) else str(error))
    return replace(old, speeds=(*old.speeds, speed)[-SPEEDS:], skipped="")


def why_not(storage: StorageReadout | None) -> str:
    """ "" where it may be measured."""
    if storage is None:
        return "the storage can't be looked at"
    if isinstance(storage.room, Unread):
        return storage.room.why
    room = storage.room
    if room and (room.free < max(4 * LIMITS.size, room.size * SPARE // 100) or 0 <= room.inodes_free < 100):
        return f"too little room: {room.free // MIB} MiB are free"
    return ""


def measure_tree(session: Session) -> Speed:
    found = measure(session.host, places.measuring(session.controller.tree), LIMITS)
    return Speed(
        at=session.host.now(),
        fsyncs_per_s=round(found.fsyncs_per_s, 1),
        fsync_worst_ms=round(found.fsync_worst * 1000, 2),
        write_mib_per_s=round(found.write_bytes_per_s / MIB, 1),
        read_mib_per_s=round(found.read_bytes_per_s / MIB, 1),
    )


def measure_disk(session: Session) -> Speed:
    """The way of a standby to the same disk: the first of the asset's, read and nothing else."""
    disks = session.controller.asset.disks
    if not disks:
        raise OSError("a plain directory is measured where it is in use")
    argv = ["dd", f"if={disks[0]}", "of=/dev/null", "iflag=direct", "bs=1M", f"count={READ_MIB}"]
    ran = ask(session.host, argv, timeout=60.0)
    if isinstance(ran, Unread):
        raise OSError(ran.why)
    return Speed(at=session.host.now(), read_mib_per_s=parse_dd(ran.complaint))


def parse_dd(said: str) -> float:
    """dd(1): "67108864 bytes (67 MB, 64 MiB) copied, 0.5 s, 134 MB/s". OSError for anything else."""
    match = COPIED.search(said)
    if match is None or float(match[2]) <= 0:
        raise OSError(f"dd: {said}")
    return round(int(match[1]) / MIB / float(match[2]), 1)


# -- what is kept


def load_measured(session: Session) -> Measured | Unread:
    path = places.measured(session.name)
    found = load_kept(session, path, "measured", Measured, path)
    return Measured() if found is None else found
