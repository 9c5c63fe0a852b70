"""What the nodes measured of their storage and were told of it: room and its trend, speed, disks. Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from tanist.model.hardware import FileSystemHealth, Space, StorageReadout
from tanist.model.measured import DiskHealth, Looked, Measured, Sample, Speed
from tanist.model.pair import Pair
from tanist.model.paths import is_inside
from tanist.model.readiness import Found
from tanist.model.readout import Readout
from tanist.model.times import DAY, is_to_come, render_span, render_time
from tanist.model.unread import Unread
from tanist.parity.finding import few, good, untold, wrong

FEW = 4
GIB, MIB = 1 << 30, 1 << 20
SOON = 30.0  # days until it is full
ENOUGH = 3  # samples that a trend needs, and earlier runs that a speed is held against
HALF = 0.5  # of what it was: slower
STALE = 3 * DAY  # a look that is older: the agent looks every six hours
UNCHECKED = 180 * DAY  # a medium that nobody has read whole for longer
UNCHECKED_HOURS = 24 * 180
FULL, TIGHT = 2, 10  # percent that are free
Pairs = list[tuple[Readout, Measured]]


def check_measured(pair: Pair) -> Iterator[Found]:
    for one in pair.known:
        storage = one.storage if isinstance(one.storage, StorageReadout) else None
        if storage is not None:
            yield from _check_room(pair, one, storage)
        if isinstance(one.measured, Unread):
            yield untold("storage check", [(one.node, one.measured.why)], subject=one.node)
        elif one.measured is not None:
            yield _check_age(pair, one, one.measured)
            yield from _check_speed(pair, one, one.measured)
            yield from _check_checked(pair, one, one.measured, storage)
            if one.measured.looked is not None:
                yield from _check_looked(pair, one, one.measured.looked, storage)


def _check_age(pair: Pair, one: Readout, measured: Measured) -> Found:
    if measured.looked is None:
        return wrong("storage check", f"nobody looked closely at the storage of {one.node} yet", subject=one.node)
    at = measured.looked.at
    if is_to_come(at, pair.now) or pair.now - at > STALE:
        return wrong("storage check", f"the last close look at {one.node} was {render_time(at)}", subject=one.node)
    says = f"{one.node} looked closely {render_span(pair.now - at)} ago"
    return good("storage check", says, subject=one.node)


# -- room


def _check_room(pair: Pair, one: Readout, storage: StorageReadout) -> Iterator[Found]:
    room = storage.room
    if isinstance(room, Unread):
        yield untold("capacity", [(one.node, room.why)], subject=one.node)
    if not isinstance(room, Space):
        return
    free = 100 * room.free // max(room.size, 1)
    says = f"{room.free / GIB:.1f} of {room.size / GIB:.1f} GiB are free in {room.path} of {one.node}"
    if room.free < 16 * MIB or room.inodes_free == 0:
        yield wrong("tree full", f"{says}, and {max(room.inodes_free, 0)} inodes", subject=one.node)
        return
    samples = one.measured.samples if isinstance(one.measured, Measured) else ()
    now = Sample(at=pair.now, free=room.free, inodes_free=room.inodes_free)
    days = {
        "room": days_until([(x.at, x.free) for x in (*samples, now)]),
        "inodes": days_until([(x.at, x.inodes_free) for x in (*samples, now) if x.inodes_free >= 0]),
    }
    soon = [
        f"its {what} will be used up in {left:.0f} days at this rate" for what, left in days.items() if 0 <= left < SOON
    ]
    if soon or free < FULL or 0 <= room.inodes_free < 1000:
        said = [*soon, *([f"{room.inodes_free} inodes are left"] if 0 <= room.inodes_free < 1000 else [])]
        yield wrong("capacity", "; ".join([says, *said]), subject=one.node)
    elif free < TIGHT:
        yield wrong("capacity", f"{says}: {free} %", subject=one.node)
    else:
        trend = f", for {days['room']:.0f} days at this rate" if days["room"] >= 0 else ""
        yield good("capacity", f"{says}{trend}", subject=one.node)


def days_until(points: Sequence[tuple[float, float]]) -> float:
    """Until the amount is 0, by the straight line of least squares through the points (time, amount); -1: it does not
    shrink, or there are too few of them, or they lie within a day."""
    if len(points) <= ENOUGH or points[-1][0] - points[0][0] < DAY:
        return -1.0
    count, first = len(points), points[0][0]
    times = [(at - first) / DAY for at, _ in points]
    mean, middle = sum(times) / count, sum(amount for _, amount in points) / count
    spread = sum((t - mean) ** 2 for t in times)
    slope = sum((t - mean) * (amount - middle) for t, (_, amount) in zip(times, points, strict=True)) / spread
    return points[-1][1] / -slope if slope < 0 else -1.0


# -- speed


def _check_speed(pair: Pair, one: Readout, measured: Measured) -> Iterator[Found]:
    if not measured.speeds:
        why = f": {measured.skipped}" if measured.skipped else ""
        if any(_floors(pair)) or measured.skipped:
            yield wrong("storage speed", f"{one.node} has not measured it{why}", subject=one.node)
        return
    last, earlier = measured.speeds[-1], measured.speeds[:-1]
    says = f"{one.node}: {_tell(last)}, {render_span(max(pair.now - last.at, 0))} ago"
    slow = [*_below(pair, last), *_slower(last, earlier)]
    if slow:
        yield wrong("storage speed", f"{says}; {'; '.join(slow)}", subject=one.node)
    else:
        yield good("storage speed", says, subject=one.node)


FIGURES = (
    ("fsyncs_per_s", "min_fsyncs_per_s", "fsyncs per second"),
    ("write_mib_per_s", "min_write_mib_per_s", "MiB/s written"),
    ("read_mib_per_s", "min_read_mib_per_s", "MiB/s read"),
)


def _floors(pair: Pair) -> list[int]:
    return [getattr(pair.controller.storage, floor) for _, floor, _ in FIGURES]


def _below(pair: Pair, last: Speed) -> list[str]:
    floors = zip(FIGURES, _floors(pair), strict=True)
    return [
        f"the definition asks for {floor} {unit}"
        for (name, _, unit), floor in floors
        if floor and 0 < getattr(last, name) < floor
    ]


def _slower(last: Speed, earlier: Sequence[Speed]) -> list[str]:
    found = []
    for name, _, unit in FIGURES:
        before = [value for one in earlier if (value := getattr(one, name))]
        if len(before) >= ENOUGH and 0 < getattr(last, name) < HALF * median(before):
            found.append(f"less than half of what it was: {median(before):.0f} {unit}")
    return found


def _tell(speed: Speed) -> str:
    said = [f"{getattr(speed, name):.0f} {unit}" for name, _, unit in FIGURES if getattr(speed, name)]
    worst = [f"the slowest of them {speed.fsync_worst_ms:.1f} ms"] if speed.fsync_worst_ms else []
    return ", ".join([*said[:1], *worst, *said[1:]])


# -- what disks, switches, supplies and ZFS say


def _check_looked(pair: Pair, one: Readout, looked: Looked, storage: StorageReadout | None) -> Iterator[Found]:
    yield from _check_disks(one, looked)
    yield from _check_supplies(one, looked)
    yield from _check_switches(one, looked, storage)
    yield from _check_shares(pair, one, looked)


def _check_disks(one: Readout, looked: Looked) -> Iterator[Found]:
    if looked.disks is None:
        return
    if isinstance(looked.disks, Unread):
        yield untold("disk health", [(one.node, looked.disks.why)], subject=one.node)
        return
    for disk in looked.disks:
        name = f"{disk.disk} ({disk.serial})" if disk.serial else disk.disk
        subject = f"{disk.disk} on {one.node}"
        if disk.wrong:
            yield wrong("disk health", f"{name}, seen on {one.node}: {few(disk.wrong, FEW)}", subject=subject)
        elif disk.told:
            hours = f", {disk.hours} hours powered on" if disk.hours >= 0 else ""
            yield good("disk health", f"{name} calls itself sound, seen on {one.node}{hours}", subject=subject)


BROKEN = ("lost", "fail", "error", "absent", "out-of-range", "degraded", "non-redundant", "insufficient")


def _check_supplies(one: Readout, looked: Looked) -> Iterator[Found]:
    if looked.supplies is None:
        return
    if isinstance(looked.supplies, Unread):
        yield untold("power supply", [(one.node, looked.supplies.why)], subject=one.node)
        return
    bad = [said for said in looked.supplies if any(word in said.lower() for word in BROKEN)]
    units = [said for said in looked.supplies if "presence detected" in said.lower() and said not in bad]
    if bad:
        yield wrong("power supply", f"{one.node}: {few(bad, FEW)}", subject=one.node)
    elif len(units) == 1:
        yield wrong("power supply", f"{one.node} has one power supply: {units[0]}", subject=one.node)
    else:
        yield good("power supply", f"{one.node}: {few(looked.supplies, FEW)}", subject=one.node)


def _check_switches(one: Readout, looked: Looked, storage: StorageReadout | None) -> Iterator[Found]:
    """Of an interface with several ports: are they on several switches?"""
    if isinstance(looked.switches, Unread):
        yield untold("switch", [(one.node, looked.switches.why)], subject=one.node)
        return
    carriers = () if storage is None or isinstance(storage.carriers, Unread) else storage.carriers
    names = {switch.port: switch.name for switch in looked.switches or ()}
    for carrier in carriers:
        told = {port.name: names[port.name] for port in carrier.ports if port.name in names}
        subject = f"{carrier.interface} of {one.node}"
        said = ", ".join(f"{port} on {switch}" for port, switch in told.items())
        if told and len(set(told.values())) == 1:
            yield wrong("switch", f"{subject} hangs on one switch: {said}", subject=subject)
        elif told:
            yield good("switch", f"{subject}: {said}", subject=subject)


def _check_shares(pair: Pair, one: Readout, looked: Looked) -> Iterator[Found]:
    if looked.shares is None:
        return
    if isinstance(looked.shares, Unread):
        yield untold("sharenfs", [(one.node, looked.shares.why)], subject=one.node)
        return
    tree = pair.controller.tree
    wanted = [tree, *(f"{tree}/{export.path}" for export in pair.controller.exports)]
    bad = [share for share in looked.shares if any(_reaches(share.mountpoint, path) for path in wanted)]
    for share in bad:
        says = f"{share.dataset} is shared by ZFS itself on {one.node} ({share.mountpoint}, sharenfs={share.sharenfs})"
        mend = f"zfs set sharenfs=off {share.dataset}, on {one.node}"
        yield wrong("sharenfs", says, subject=f"{share.dataset} on {one.node}", mend=mend)
    if not bad:
        yield good("sharenfs", f"ZFS on {one.node} shares nothing of {tree}", subject=one.node)


def _reaches(mountpoint: str, path: str) -> bool:
    """One lies in the other: a share of a directory above gives out what lies in it, too."""
    return is_inside(path, mountpoint) or is_inside(mountpoint, path)


# -- when each medium was read whole last


def _check_checked(pair: Pair, one: Readout, measured: Measured, storage: StorageReadout | None) -> Iterator[Found]:
    old = [*_old_arrays(pair, measured, storage), *_old_disks(measured), *_old_file_system(pair, one, storage)]
    if old:
        yield wrong("media check", f"{one.node}: {few(old, FEW)}", subject=one.node)


def _old_arrays(pair: Pair, measured: Measured, storage: StorageReadout | None) -> Iterator[str]:
    arrays = () if storage is None or isinstance(storage.arrays, Unread) else storage.arrays
    known = {one.array: one.at for one in measured.scrubs}
    for array in arrays:
        if array.action in ("check", "repair"):
            continue
        if array.name not in known:
            yield f"{array.name} was never seen at a check"
        elif pair.now - known[array.name] > UNCHECKED:
            yield f"{array.name} was checked last {render_time(known[array.name])}"


def _old_disks(measured: Measured) -> Iterator[str]:
    disks = measured.looked.disks if measured.looked else None
    told: tuple[DiskHealth, ...] = () if disks is None or isinstance(disks, Unread) else disks
    for disk in told:
        if disk.told and disk.tested < 0:
            yield f"{disk.disk} knows of no self-test"
        elif disk.told and 0 <= disk.tested < disk.hours - UNCHECKED_HOURS:
            yield f"the last self-test of {disk.disk} was {disk.hours - disk.tested} powered-on hours ago"


def _old_file_system(pair: Pair, one: Readout, storage: StorageReadout | None) -> Iterator[str]:
    """Where it is mounted: both nodes read the same super block."""
    health = storage.filesystem if storage else None
    if one.active and isinstance(health, FileSystemHealth) and 0 < health.checked < pair.now - 2 * UNCHECKED:
        yield f"{health.fstype} was checked last {render_time(health.checked)}"
