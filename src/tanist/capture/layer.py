"""One layer of a store while it is written: entries.jsonl, gone and files.tar, hashed on the way.

In: entries in order, each with its content. Out: the layer's parts. files.tar is written by a thread of its own, so
that hashing and writing go on while the next files are read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from queue import Queue
from threading import Thread

from tanist.capture.entry_format import render_line
from tanist.capture.manifest import Entry, Part
from tanist.capture.names import CONTENT, ENTRIES, GONE, layer_parts, of_layer
from tanist.capture.tarball import BLOCK, END, TYPES, ZEROS, Named, render_member_of
from tanist.host.files import begin_writeback, write_all

BUFFER = 1 << 20
Mark = tuple[int, "hashlib._Hash"]
PUSH = 16 << 20  # bytes that go towards the disk together
WAITING = 8  # buffers between the reader and the writer


class WriteFailed(Exception):
    """Not an OSError, so that a full disk is never taken for a file that cannot be read."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class Written:
    """A new private file that is hashed while it is written."""

    def __init__(self, directory: int, name: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(name, flags, 0o600, dir_fd=directory)
        self.size, self.digest = 0, hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.digest.update(data)
        write_all(self.fd, data)
        self.size += len(data)

    def rewind(self, size: int, digest: hashlib._Hash) -> None:
        os.lseek(self.fd, size, os.SEEK_SET)
        os.ftruncate(self.fd, size)
        self.size, self.digest = size, digest

    def part(self) -> Part:
        """As it is now: written, not on disk yet."""
        begin_writeback(self.fd)
        return Part(size=self.size, sha256=self.digest.hexdigest())

    def sync(self) -> None:
        os.fsync(self.fd)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


class Beside:
    """Writes to a Written in a thread. Errors come out of the next call here, as WriteFailed."""

    def __init__(self, file: Written) -> None:
        self.file, self.size = file, 0  # size: with what still waits
        self._parts: list[bytes] = []
        self._length = 0
        self._pushed = 0
        self._queue: Queue[bytes | None] = Queue(WAITING)
        self._error: OSError | None = None
        self._thread: Thread | None = None

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)
        self._length += len(data)
        if self._length >= BUFFER:
            self._flush()

    def _flush(self) -> None:
        if self._error is not None:
            raise WriteFailed(self._error)
        if self._thread is None:
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()
        self._queue.put(b"".join(self._parts))
        self._parts, self._length = [], 0

    def _work(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                if self._error is None:
                    self.file.write(data)
                    self._push()
            except OSError as error:
                self._error = error
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _push(self) -> None:
        """The disk works while the next files are read."""
        if self.file.size - self._pushed >= PUSH:
            begin_writeback(self.file.fd, self._pushed, self.file.size - self._pushed)
            self._pushed = self.file.size

    def mark(self) -> Mark:
        """All that came before is written."""
        self._settle()
        return self.file.size, self.file.digest.copy()

    def rewind(self, mark: Mark) -> None:
        self._settle()
        self.file.rewind(mark[0], mark[1].copy())
        self.size = mark[0]
        self._pushed = min(self._pushed, mark[0])

    def _settle(self) -> None:
        if self._thread is None:
            try:
                self.file.write(b"".join(self._parts))
            except OSError as error:
                raise WriteFailed(error) from error
            self._parts, self._length = [], 0
            return
        self._flush()
        self._queue.join()
        if self._error is not None:
            raise WriteFailed(self._error)

    def part(self) -> Part:
        self._settle()
        return self.file.part()

    def close(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self.file.close()


def _make_files(directory: int, names: Iterable[str]) -> dict[str, Written]:
    """All of them, or (disk full) none is left open."""
    made: dict[str, Written] = {}
    try:
        for name in names:
            made[name] = Written(directory, name)
    except OSError:
        for file in made.values():
            file.close()
        raise
    return made


class Layer:
    """Open until finish(); close() in any case."""

    def __init__(self, directory: int, number: int, user: Named, group: Named) -> None:
        self.number, self.user, self.group = number, user, group
        self.files = _make_files(directory, layer_parts(number))
        self.content = Beside(self.files[of_layer(CONTENT, number)])
        self.lines: list[bytes] = []
        self.taken: list[bytes] = []
        self.took = False

    def put(self, entry: Entry, chunks: Iterable[bytes] = ()) -> None:
        """Into files.tar. `chunks` are exactly what `entry.stored` says."""
        if entry.kind not in TYPES:
            return
        content, header = self.content, render_member_of(entry, self.user, self.group)
        entry.offset = content.size + len(header)
        content.write(header)
        for chunk in chunks:
            content.write(chunk)
        if rest := -(content.size - entry.offset) % BLOCK:
            content.write(ZEROS[:rest])

    def note(self, entry: Entry, body: str) -> None:
        """Into entries.jsonl. `body`: what render_entry() made of it."""
        self.lines.append(render_line(entry, body))
        if len(self.lines) > 2000:
            self._write(ENTRIES, self.lines)

    def mark(self) -> Mark:
        return self.content.mark()

    def rewind(self, mark: Mark) -> None:
        """What was put since then is not in files.tar."""
        self.content.rewind(mark)

    def take_away(self, path: str) -> None:
        self.took = True
        if self.number:
            self.taken.append(os.fsencode(path[1:]) + b"\0")
            if len(self.taken) > 2000:
                self._write(GONE, self.taken)

    def _write(self, name: str, waiting: list[bytes]) -> None:
        try:
            self.files[of_layer(name, self.number)].write(b"".join(waiting))
        except OSError as error:
            raise WriteFailed(error) from error
        waiting.clear()

    def finish(self) -> tuple[tuple[str, Part], ...]:
        """All of it is written; sync() brings it to the disk."""
        self._write(ENTRIES, self.lines)
        if self.number:
            self._write(GONE, self.taken)
        self.content.write(END)
        content = of_layer(CONTENT, self.number)
        try:
            parts = {content: self.content.part()}
            parts.update((name, file.part()) for name, file in self.files.items() if name != content)
        except OSError as error:
            raise WriteFailed(error) from error
        return tuple((name, parts[name]) for name in self.files)

    def sync(self) -> None:
        for file in self.files.values():
            file.sync()

    def close(self) -> None:
        self.content.close()
        for name, file in self.files.items():
            if name != of_layer(CONTENT, self.number):
                file.close()
