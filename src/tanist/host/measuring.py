"""How fast a file system takes and gives: a short measurement that gives way.

In: a directory and limits. Out: figures. One file of at most `size` bytes is written there, synced, read and removed;
what a killed measurement left, the next one replaces. After each access it rests as long as that took, so that half of
the time is others'. Past the page cache where the file system does that (O_DIRECT).
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tanist.model.dataclasses import dataclass

if TYPE_CHECKING:
    from tanist.host.host import Host

NAME = "probe"
CHUNK = 1 << 20  # bytes of one access to measure throughput
BLOCK = 4096  # and of one that is synced


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    size: int = 16 << 20  # bytes, a multiple of CHUNK
    syncs: int = 200
    seconds: float = 1.0  # for each of the three parts, its rests not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """0.0: that part was not done. `written`: bytes in all."""

    fsyncs_per_s: float
    fsync_worst: float  # seconds
    write_bytes_per_s: float
    read_bytes_per_s: float
    written: int


def measure(host: Host, directory: str, limits: Limits) -> Measurement:
    """OSError where it can't be done; the file is gone then, too."""
    parent, name = os.path.split(directory)
    with contextlib.ExitStack() as stack:
        inside = host.files.open_directory(directory, create=0o700)
        stack.callback(os.close, inside)
        above = host.files.open_directory(parent)
        stack.callback(os.close, above)
        stack.callback(_remove, name, above, os.rmdir)
        _remove(NAME, inside, os.unlink)
        stack.callback(_remove, NAME, inside, os.unlink)
        fd = _open(inside)
        stack.callback(os.close, fd)
        return _measure(host, fd, limits)


def _measure(host: Host, fd: int, limits: Limits) -> Measurement:
    with mmap.mmap(-1, CHUNK) as buffer:
        buffer[:] = os.urandom(CHUNK)  # nothing that a storage could leave out
        view = memoryview(buffer)
        try:
            chunks = limits.size // CHUNK
            writing = _repeat(host, chunks, limits.seconds, lambda n: _demand(os.pwrite(fd, view, n * CHUNK), CHUNK))
            begun = host.monotonic()
            os.fsync(fd)
            synced = host.monotonic() - begun
            small = view[:BLOCK]
            blocks = max(len(writing) * CHUNK // BLOCK, 1)
            syncing = _repeat(host, limits.syncs, limits.seconds, lambda n: _write_synced(fd, small, n % blocks))
            small.release()
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            reading = _repeat(
                host, len(writing), limits.seconds, lambda n: _demand(os.preadv(fd, [view], n * CHUNK), CHUNK)
            )
        finally:
            view.release()
    return Measurement(
        fsyncs_per_s=_rate(len(syncing), sum(syncing)),
        fsync_worst=max(syncing, default=0.0),
        write_bytes_per_s=_rate(len(writing) * CHUNK, sum(writing) + synced),
        read_bytes_per_s=_rate(len(reading) * CHUNK, sum(reading)),
        written=len(writing) * CHUNK + len(syncing) * BLOCK,
    )


def _write_synced(fd: int, data: memoryview, block: int) -> None:
    """As a database writes its log: in place, and on the disk before it goes on."""
    _demand(os.pwrite(fd, data, block * BLOCK), BLOCK)
    os.fdatasync(fd)


def _repeat(host: Host, times: int, seconds: float, do: Callable[[int], None]) -> list[float]:
    """What each took, until it was done so often or for so long."""
    took: list[float] = []
    while len(took) < times and sum(took) < seconds:
        begun = host.monotonic()
        do(len(took))
        took.append(host.monotonic() - begun)
        host.sleep(took[-1])
    return took


def _rate(amount: float, seconds: float) -> float:
    return amount / seconds if seconds > 0 else 0.0


def _demand(done: int, wanted: int) -> None:
    if done != wanted:
        raise OSError(errno.EIO, f"{done} bytes instead of {wanted}")


def _open(directory: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(NAME, flags | os.O_DIRECT, 0o600, dir_fd=directory)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    _remove(NAME, directory, os.unlink)  # some file systems make it before they refuse
    return os.open(NAME, flags, 0o600, dir_fd=directory)


def _remove(name: str, directory: int, how: Callable[..., None]) -> None:
    with contextlib.suppress(OSError):
        how(name, dir_fd=directory)
