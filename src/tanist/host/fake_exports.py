"""NFS exports of fake hosts: a disk whose name is the export's, and the lock beside its claim."""

from __future__ import annotations

import errno
import os

from tanist.host.fake_world import FakeDisk
from tanist.model.dataclasses import dataclass
from tanist.model.exports import LOCK
from tanist.model.host import ExportSeen

CLAIM = ".tanist/claim"


@dataclass(slots=True, eq=False)
class FakeRecord:
    disk: FakeDisk
    name: str

    def renew(self, note: bytes) -> None:
        if self.disk.locked != self.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.disk.note = note.decode().strip()

    def close(self) -> None:
        if self.disk.locked == self.name:
            self.disk.locked = ""


def look_at(disks: dict[str, FakeDisk], export: str) -> ExportSeen:
    disk = disks.get(export)
    if disk is None or disk.away:
        raise OSError(errno.ETIMEDOUT, "its filer gave no answer within 20 s")
    if disk.looks == 0:
        disk.locked, disk.looks = "", -1
    disk.looks -= disk.looks > 0
    claim = os.path.join(disk.path, CLAIM)
    there = os.path.isdir(os.path.dirname(claim))
    data = None
    if os.path.exists(claim):
        with open(claim, "rb") as file:
            data = file.read()
    return ExportSeen(claim=data, locked=bool(disk.locked), note=disk.note, owner=0 if there else -1)


def hold(disk: FakeDisk | None, path: str, name: str, note: bytes) -> FakeRecord | None:
    if disk is None or not path.endswith(LOCK):
        raise OSError(errno.EINVAL, "no export", path)
    if disk.locked not in ("", name):
        return None
    disk.locked = name
    held = FakeRecord(disk, name)
    held.renew(note)
    return held
