"""What numbers inodes had before a re-owning walk touched them: on the disk before the first of them is changed.

A record is a directory of files, one for each attempt and worker. A file is a row of frames: magic, kind, length, 16
bytes of SHA-256, payload. Kinds: H, the map of that attempt (JSON); P, plain inodes (number, uid, gid); S, inodes of
which chown(2) would drop something, with all their attributes (JSON). A frame that is torn at the end of a file was
never acknowledged, so its inodes were not changed: it is dropped. A whole frame behind a torn one is damage:
OSError(EILSEQ), nothing is guessed. docs/design/ownership.md says what follows from a record.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator
from typing import Any

from tanist.host.attributes import Attributes
from tanist.model.dataclasses import dataclass, field
from tanist.model.host import Renumber

MAGIC = b"tanistRE"
HEAD = struct.Struct("<8scI16s")
PLAIN = struct.Struct("<QII")  # inode, uid, gid

Pair = tuple[int, int]
Numbers = dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """A Renumber to look things up in."""

    users: Numbers
    groups: Numbers

    @classmethod
    def of(cls, renumber: Renumber) -> Numbering:
        return cls(users=dict(renumber.users), groups=dict(renumber.groups))

    def owner(self, pair: Pair) -> Pair:
        return self.users.get(pair[0], pair[0]), self.groups.get(pair[1], pair[1])


@dataclass(slots=True)
class Record:
    owners: dict[int, Pair] = field(default_factory=dict)  # inode -> owner before it was touched
    special: dict[int, Attributes] = field(default_factory=dict)
    attempts: list[Numbering] = field(default_factory=list)

    def may_have(self, old: Pair, found: Pair) -> bool:
        """Is `found` what it was, or what one of the attempts made of it?"""
        return found == old or any(attempt.owner(old) == found for attempt in self.attempts)


# -- text
def render_frame(kind: bytes, payload: bytes) -> bytes:
    digest = hashlib.sha256(kind + payload).digest()[:16]
    return HEAD.pack(MAGIC, kind, len(payload), digest) + payload


def render_header(numbering: Numbering) -> bytes:
    body = {"format": 1, "users": [*numbering.users.items()], "groups": [*numbering.groups.items()]}
    return render_frame(b"H", json.dumps(body).encode())


def render_special(inode: int, its: Attributes) -> bytes:
    xattrs = [[name, data.hex()] for name, data in its.xattrs]
    return json.dumps([inode, its.mode, its.uid, its.gid, its.mtime_ns, xattrs, its.flags]).encode() + b"\n"


def parse_frames(data: bytes, path: str) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while (found := _frame_at(data, at)) is not None:
        kind, payload, at = found
        yield kind, payload
    behind = data.find(MAGIC, at + 1)
    while behind != -1:
        if _frame_at(data, behind) is not None:
            raise OSError(errno.EILSEQ, f"the record is damaged at byte {at}, and goes on behind it", path)
        behind = data.find(MAGIC, behind + 1)


def _frame_at(data: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    if len(data) - at < HEAD.size:
        return None
    magic, kind, length, digest = HEAD.unpack_from(data, at)
    payload = data[at + HEAD.size : at + HEAD.size + length]
    if magic != MAGIC or len(payload) != length or hashlib.sha256(kind + payload).digest()[:16] != digest:
        return None
    return kind, payload, at + HEAD.size + length


def parse_record(files: dict[str, bytes], mine: Callable[[int], bool]) -> Record:
    """All attempts together. The first record of an inode counts: later attempts do not record it again."""
    record = Record()
    for path, data in sorted(files.items()):
        for kind, payload in parse_frames(data, path):
            if kind == b"H":
                record.attempts.append(_parse_header(json.loads(payload), path))
            elif kind == b"P":
                for inode, uid, gid in PLAIN.iter_unpack(payload):
                    if mine(inode):
                        record.owners.setdefault(inode, (uid, gid))
            else:
                _parse_special(payload, record, mine)
    return record


def _parse_header(body: dict[str, Any], path: str) -> Numbering:
    if body["format"] != 1:
        raise OSError(errno.EPROTO, f"format {body['format']!r}, this tanist knows 1", path)
    return Numbering(users=dict(body["users"]), groups=dict(body["groups"]))


def _parse_special(payload: bytes, record: Record, mine: Callable[[int], bool]) -> None:
    for line in payload.splitlines():
        inode, mode, uid, gid, mtime_ns, xattrs, flags = json.loads(line)
        if not mine(inode):
            continue
        record.owners.setdefault(inode, (uid, gid))
        its = Attributes(
            mode=mode,
            uid=uid,
            gid=gid,
            mtime_ns=mtime_ns,
            xattrs=tuple((name, bytes.fromhex(data)) for name, data in xattrs),
            flags=tuple(flags),
        )
        record.special.setdefault(inode, its)


# -- disk
def load_record(directory: str, mine: Callable[[int], bool]) -> Record:
    files = {}
    for name in os.listdir(directory):
        if name.startswith("attempt-"):
            with open(f"{directory}/{name}", "rb") as file:
                files[f"{directory}/{name}"] = file.read()
    return parse_record(files, mine)


class Writer:
    """Appends to one file of a record, made with its header at the first use: a walk that only takes back has none."""

    def __init__(self, path: str, numbering: Numbering) -> None:
        self._path = path
        self._numbering = numbering
        self._fd = -1

    def append(self, *frames: bytes) -> None:
        """On the disk when it returns."""
        data = b"".join(frames)
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            data = render_header(self._numbering) + data
            directory = os.open(os.path.dirname(self._path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        os.fdatasync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
