"""What this node's files looked like (inode, size, times) when the newest generation was made.

A note of this node's own, /var/lib/tanist/NAME/seen, not part of any capture: with it, a capture reads only what has
changed since, and without it everything. Blocks in the order of the walk, each for one directory (a path that ends in
"/") or for a captured path itself; a block holds a line for each name, a digest of the entry that was captured, and
its own checksum: a damaged note would make a wrong capture, so nothing of it is believed.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from tanist.capture.manifest import sort_key
from tanist.host.files import begin_writeback
from tanist.model.dataclasses import dataclass

if TYPE_CHECKING:
    from tanist.host.host import Host

FORMAT = 2
HEAD = 16384  # bytes: JSON, filled up with blanks
LENGTHS = struct.Struct("<III")
LIMIT = 1 << 30
DIGEST = 8  # bytes
SUM = struct.Struct("<I")  # CRC-32, at the end of a block
COPY = 1 << 20
UNSETTLED = b"\0" * DIGEST  # did not hold still: to be looked at again
END = "\U0010ffff"


def sum_of(path: bytes, lines: bytes, digests: bytes) -> bytes:
    return SUM.pack(zlib.crc32(digests, zlib.crc32(lines, zlib.crc32(path))))


class TornNote(Exception):
    """It is not what it says of itself: everything must be read."""


@dataclass(slots=True)
class Block:
    path: str
    lines: bytes  # NAME\0LOOK\0 for each name
    digests: bytes
    begin: int  # where it lies in the note
    end: int

    def last(self) -> str:
        """The last name in it."""
        return os.fsdecode(self.lines[:-1].rsplit(b"\0", 2)[-2].rpartition(b"\0")[2])

    def is_settled(self) -> bool:
        return UNSETTLED not in self.digests

    def parse(self, low: str = "", high: str = "") -> dict[str, tuple[str, bytes]]:
        """Look and digest by name, of the names after `low` and up to `high`."""
        words = self.lines.decode("utf-8", "surrogateescape").split("\0")
        if len(words) != 2 * (len(self.digests) // DIGEST) + 1:
            raise TornNote
        digests = (self.digests[at : at + DIGEST] for at in range(0, len(self.digests), DIGEST))
        found = dict(zip(words[0:-1:2], zip(words[1::2], digests, strict=True), strict=True))
        if not low and not high:
            return found
        return {name: item for name, item in found.items() if name > low and (not high or name <= high)}


class Blocks:
    """The blocks of a note, asked for in the order of the walk; without a note there are none."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self.file = file
        self.end = HEAD  # of the next block
        self.key, self.next = END, Block("", b"", b"", HEAD, HEAD)
        if file is not None:
            file.seek(HEAD)
            self._advance()

    def _advance(self) -> None:
        head = self._read(LENGTHS.size)
        if len(head) < LENGTHS.size:
            self.key = END
            return
        lengths = LENGTHS.unpack(head)
        if sum(lengths) > LIMIT:
            raise TornNote
        path, lines, digests = (self._read(length) for length in lengths)
        if self._read(SUM.size) != sum_of(path, lines, digests):
            raise TornNote
        begin, self.end = self.end, self.end + LENGTHS.size + sum(lengths) + SUM.size
        self.next = Block(os.fsdecode(path), lines, digests, begin, self.end)
        self.key = sort_key(self.next.path)

    def _read(self, length: int) -> bytes:
        assert self.file is not None
        try:
            return self.file.read(length)
        except OSError as error:
            raise TornNote from error

    def take(self, path: str) -> Block | None:
        """The next block of `path`; what comes before it is passed over.

        A large directory has several blocks, each followed by those of the directories among its names. So what is
        inside of `path` (a directory: it ends in "/") belongs to names that are gone; and the rest of a directory
        around it, which the walk is not through with, is never passed over.
        """
        key = path.replace("/", "\0")
        while (self.key < key and not key.startswith(self.key)) or _is_inside(self.key, key):
            self._advance()
        if self.key != key:
            return None
        found = self.next
        self._advance()
        return found


def _is_inside(key: str, directory: str) -> bool:
    return directory[-1:] == "\0" and key != directory and key.startswith(directory)


class Noting:
    """The next note while it is made: nothing is written as long as it is the same as the old one. Without a path, and
    from the moment on when it cannot be written (a full disk), nothing is noted at all: the next capture is whole."""

    def __init__(self, path: str = "", old: BinaryIO | None = None) -> None:
        self.path, self.new = path, f"{path}.new"
        self.source = os.dup(old.fileno()) if old is not None else -1  # read by position, beside the Blocks
        self.end_of_old = os.fstat(self.source).st_size if old is not None else HEAD
        self.same_until = HEAD
        self.file: BinaryIO | None = None
        self.at = HEAD
        self._ready = False

    def keep(self, block: Block) -> None:
        """As it was."""
        if self.file is None and block.begin == self.same_until:
            self.same_until = block.end
        elif self.path:
            self._append(block.path, block.lines, block.digests)

    def add(self, path: str, lines: bytes, count: int, old: Block | None) -> int:
        """A block whose digests are not known yet; answers where they belong."""
        if self.file is None and old is not None and lines == old.lines and old.begin == self.same_until:
            self.same_until = old.end
            return old.end - SUM.size - len(old.digests)
        return self._append(path, lines, b"\0" * (DIGEST * count)) if self.path else 0

    def fill(self, place: int, path: str, lines: bytes, digests: bytes, old: Block | None) -> None:
        """`place`: what add() answered for the same path and lines."""
        if not self.path or not digests:
            return
        if self.file is None and old is not None and digests == old.digests:
            return
        try:
            file = self.file or self._begin()
            file.seek(place)
            file.write(digests + sum_of(os.fsencode(path), lines, digests))
            file.seek(self.at)
        except OSError:
            self._give_up()

    def _append(self, path: str, lines: bytes, digests: bytes) -> int:
        name = os.fsencode(path)
        block = b"".join((name, lines, digests, sum_of(name, lines, digests)))
        try:
            file = self.file or self._begin()
            file.write(LENGTHS.pack(len(name), len(lines), len(digests)) + block)
        except OSError:
            self._give_up()
            return 0
        self.at += LENGTHS.size + len(block)
        return self.at - SUM.size - len(digests)

    def _give_up(self) -> None:
        self._close_file()
        with suppress(OSError):
            os.unlink(self.new)
        self.path = ""

    def _close_file(self) -> None:
        if self.file is not None:
            with suppress(OSError):  # what could not be written is wanted no more
                self.file.close()
            self.file = None

    def _begin(self) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        file = self.file = os.fdopen(os.open(self.new, flags, 0o600), "r+b", COPY)
        file.write(b" " * HEAD)
        at = HEAD
        while at < self.same_until:
            chunk = os.pread(self.source, min(COPY, self.same_until - at), at)
            if not chunk:
                raise TornNote
            file.write(chunk)
            at += len(chunk)
        self.at = at
        return file

    def is_changed(self) -> bool:
        return bool(self.path) and (self.file is not None or self.same_until != self.end_of_old)

    def save(self, head: Mapping[str, Any]) -> None:
        """In place of the old one, and on disk. Without room for it the next capture reads everything."""
        self.ready(head)
        self.sync()
        self.take_place()

    def ready(self, head: Mapping[str, Any]) -> None:
        """Written beside the old one. TornNote: that one is not what it says of itself."""
        if not self.path:
            return
        try:
            file = self.file or self._begin()
            text = json.dumps({**head, "format": FORMAT, "size": self.at}).encode()
            if len(text) > HEAD - 1:
                raise ValueError("too much to note")
            file.seek(0)
            file.write(text.ljust(HEAD - 1) + b"\n")
            file.flush()
            begin_writeback(file.fileno())
        except OSError:
            self._give_up()
        else:
            self._ready = True

    def sync(self) -> None:
        if self._ready and self.file is not None:
            try:
                os.fsync(self.file.fileno())  # not fdatasync: a kill is placed by counting those of the journal
            except OSError:
                self._ready = False

    def take_place(self) -> None:
        """Once the generation that it names has its name. Not synced: a rename that is lost leaves the old note, which
        names another generation and is not believed."""
        if self._ready:
            with suppress(OSError):
                os.rename(self.new, self.path)

    def close(self) -> None:
        self._close_file()
        if self.source >= 0:
            os.close(self.source)


def read_stamps(host: Host, store: str) -> dict[str, list[int]]:
    """Size and time of each file of a store: this node's own are not read again as long as these hold."""
    found = {name: host.files.stat(f"{store}/{name}", follow=False) for name in host.files.list(store)}
    return {name: [info.st_size, info.st_mtime_ns] for name, info in found.items() if info is not None}


def seen_path(host: Host, controller: str) -> str:
    """Where it lies for this process."""
    host.files.make_directory(f"/var/lib/tanist/{controller}", 0o700)
    return host.files.real(f"/var/lib/tanist/{controller}/seen")


def forget_seen(host: Host, controller: str) -> None:
    """The next capture reads everything, and shares nothing with those before it."""
    host.files.remove(f"/var/lib/tanist/{controller}/seen")


def open_seen(path: str) -> tuple[BinaryIO, dict[str, Any]] | None:
    """The note and its head; None when there is none that could be believed."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", COPY)
    except OSError:
        return None
    try:
        head = json.loads(file.read(HEAD))
        if head["format"] == FORMAT and head["size"] == os.fstat(file.fileno()).st_size:
            return file, head
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    file.close()
    return None
