"""The shared disks: sparse files behind loop devices, seen by ec-a and ec-b as /dev/asset0 and /dev/asset1."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.layout import DISK_COUNT, LOCKS, Layout
from lab.run import run, wait_until


@dataclass(frozen=True, slots=True)
class Disk:
    """One shared disk: its name in the nodes (asset0), its backing file and its loop device on the machine."""

    name: str
    image: Path
    loop: Path

    @property
    def number(self) -> str:
        """MAJOR:MINOR"""
        return (Path("/sys/block") / self.loop.name / "dev").read_text().strip()

    @property
    def node_paths(self) -> tuple[str, ...]:
        return (f"/dev/{self.name}", f"/dev/disk/by-id/lab-{self.name}", str(self.loop))


@dataclass(frozen=True, slots=True)
class DiskMount:
    """A mount of a shared disk, as one process of a node sees it."""

    disk: Disk
    point: str
    fstype: str
    pid: int


def create(layout: Layout, size: int) -> None:
    """Make and attach what is missing; an attached disk keeps its device and its data."""
    attached = {d.name for d in attached_disks(layout)}
    for i in range(DISK_COUNT):
        image = layout.image(i)
        if image.stem in attached:
            continue
        image.parent.mkdir(parents=True, exist_ok=True)
        if not image.exists():
            with image.open("wb") as f:
                f.truncate(size)
        attach(image)


def attach(image: Path, loop: Path | None = None) -> Path:
    """Attach to the given loop device or to any free one."""
    if loop is not None:
        run(["losetup", loop, image])
        return loop
    with loop_lock():
        return Path(run(["losetup", "--find", "--show", image]).stdout.strip())


@contextmanager
def loop_lock() -> Iterator[None]:
    """Labs take turns at the machine's loop devices."""
    fd = os.open(LOCKS / "tanist-lab-loop.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def attached_disks(layout: Layout) -> list[Disk]:
    """What the kernel says: every loop device whose backing file is one of this lab's (removed files included)."""
    found = []
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = entry.read_text().strip().removesuffix(" (deleted)")
        except OSError:
            continue  # detached meanwhile
        if backing.startswith(f"{layout.directory}/"):
            found.append(Disk(Path(backing).stem, Path(backing), Path("/dev") / entry.parts[3]))
    return sorted(found, key=lambda d: (d.name, d.loop.name))


def mounts_of(disks: Iterable[Disk], pids: Iterable[int]) -> list[DiskMount]:
    """Mounts of the disks in every mount namespace that those processes are in."""
    seen: set[str] = set()
    found = []
    by_number = {d.number: d for d in disks}
    for pid in pids:
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
            if namespace in seen:
                continue
            text = Path(f"/proc/{pid}/mountinfo").read_text()
        except OSError:
            continue  # the process has ended
        seen.add(namespace)
        found += list(parse_mountinfo(text, by_number, pid))
    return found


def parse_mountinfo(text: str, by_number: dict[str, Disk], pid: int) -> Iterator[DiskMount]:
    for line in text.splitlines():
        fields, _, tail = line.partition(" - ")
        words, (fstype, source) = fields.split(), tail.split()[:2]
        # btrfs shows an anonymous number: there the source tells
        disk = by_number.get(words[2]) or next((d for d in by_number.values() if source in d.node_paths), None)
        if disk is not None:
            point = words[4].encode().decode("unicode_escape")
            yield DiskMount(disk, point, fstype, pid)


def wait_released(disk: Disk, timeout: float = 20) -> None:
    """Wait until no kernel user (a mount) holds the device; mounts of a dead namespace go away a little later."""
    wait_until(f"{disk.loop} released", lambda: _is_free(disk.loop), timeout=timeout)


def _is_free(loop: Path) -> bool:
    try:
        os.close(os.open(loop, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def detach(disk: Disk) -> None:
    """Detach, and prove it: with an opener left, the kernel would only promise to do it later."""
    run(["losetup", "--detach", disk.loop])
    backing = Path("/sys/block") / disk.loop.name / "loop" / "backing_file"
    wait_until(f"{disk.loop} detached (a process has it open?)", lambda: not backing.exists(), timeout=5)


def write_count(disk: Disk) -> tuple[int, int]:
    """Writes that the device has completed, and requests under way."""
    words = (Path("/sys/block") / disk.loop.name / "stat").read_text().split()
    return int(words[4]), int(words[8])


def copy_as_received(disk: Disk, target: Path, tries: int = 20) -> None:
    """Copy the backing file at one point in time: a copy during which the device was written to is thrown away."""
    for _ in range(tries):
        before = write_count(disk)
        run(["cp", "--sparse=always", disk.image, target])
        if before[1] == 0 and write_count(disk) == before:
            return
    raise LabError(f"{disk.loop} is written to all the time; no consistent copy in {tries} tries")
