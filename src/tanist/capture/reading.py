"""The content of one file, as it is at one moment: read again while it changes, sparse files by their data alone."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator

from tanist.capture.entry_format import SEGMENTS

ATTEMPTS = 3
SMALL = 4 << 20  # bytes that are held in memory
CHUNK = 1 << 20

Stretches = tuple[tuple[int, int], ...]


def find_data(fd: int, info: os.stat_result) -> Stretches | None:
    """Where a sparse file has data (lseek(2), SEEK_DATA); None for one without holes, or with too many."""
    if info.st_blocks * 512 >= info.st_size:
        return None
    found: list[tuple[int, int]] = []
    end, size = 0, info.st_size
    while end < size and len(found) <= SEGMENTS:
        try:
            begin = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # nothing but a hole
            if error.errno == errno.EINVAL:
                return None  # this file system does not tell
            raise
        end = min(os.lseek(fd, begin, os.SEEK_HOLE), size)
        if begin < end:
            found.append((begin, end - begin))
    os.lseek(fd, 0, os.SEEK_SET)
    if len(found) > SEGMENTS or found == [(0, size)]:
        return None
    return tuple(found)


def read_chunks(fd: int, size: int, data: Stretches | None) -> Iterator[bytes]:
    """At most `size` bytes, or the stretches of `data`."""
    for begin, length in ((0, size),) if data is None else data:
        if begin or data is not None:
            os.lseek(fd, begin, os.SEEK_SET)
        while length > 0:
            chunk = os.read(fd, min(length, CHUNK))
            if not chunk:
                return
            yield chunk
            length -= len(chunk)


def read_small(fd: int, info: os.stat_result) -> tuple[bytes, Stretches | None]:
    """The stored bytes. A file that got shorter meanwhile gives what is left of it."""
    data = find_data(fd, info)
    if info.st_size == 0 or data == ():
        return b"", data
    if data is None:
        found = os.read(fd, min(info.st_size, CHUNK))
        if len(found) < info.st_size:
            found += b"".join(read_chunks(fd, info.st_size - len(found), None))
        return found, data
    return b"".join(read_chunks(fd, info.st_size, data)), data


def key(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns


class Counting:
    """Passes chunks on, with their number of bytes and checksum."""

    def __init__(self, chunks: Iterator[bytes], enough: int) -> None:
        self.chunks, self.enough = chunks, enough
        self.size, self.digest = 0, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.digest.update(chunk)
            self.size += len(chunk)
            yield chunk
        missing = self.enough - self.size  # it got shorter: filled up, so that what was promised is kept
        while missing > 0:
            chunk = b"\0" * min(missing, CHUNK)
            self.digest.update(chunk)
            yield chunk
            missing -= len(chunk)
