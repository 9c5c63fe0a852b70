"""The entries of a store, one after the other, whatever their number: its layers merged as they are read.

A layer holds what was new or changed since the one below it, and `gone` what to take away from those below, with all
that lies there. Every line is checked as it is read (entry_format.py, manifest_rules.py); what does not fit is a
ValueError inside, a BadCapture that names the store outside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from heapq import merge
from io import RawIOBase
from typing import IO, TYPE_CHECKING, BinaryIO

from tanist.capture.entry_format import LINE_LIMIT, parse_line, path_in
from tanist.capture.manifest import Entries, Entry, Manifest, sort_key
from tanist.capture.manifest_rules import Order
from tanist.capture.names import ENTRIES, GONE, of_layer
from tanist.capture.values import check_path
from tanist.model.paths import is_inside

if TYPE_CHECKING:
    from typing_extensions import override

    from tanist.host.host import Host
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


KEPT = 50_000  # entries that are held in memory for a second pass; more of them are read again
CHUNK = 1 << 18

Item = tuple[str, int, bytes]  # sort key, minus the layer, the line: empty for what is gone
Naming = Callable[[str], AbstractContextManager[None]]


class StoredEntries(Entries):
    def __init__(self, host: Host, store: str, manifest: Manifest, naming: Naming) -> None:
        self.host, self.store, self.manifest, self.naming = host, store, manifest, naming

    @override
    def __len__(self) -> int:
        return self.manifest.count

    @override
    def __iter__(self) -> Iterator[Entry]:
        order = Order(self.manifest)
        with self.naming(self.store), ExitStack() as stack:
            for entry in self._parsed(stack):
                order.check(entry)
                yield entry
            order.end(self.manifest.count)

    @override
    def below(self, path: str) -> Below:
        return Below(self, path)

    def read_below(self, path: str) -> Iterator[Entry]:
        order = Order(self.manifest)
        key = sort_key(path)
        with self.naming(self.store), ExitStack() as stack:
            for entry in self._parsed(stack, key):
                if not is_inside(entry.path, path):
                    break
                order.check(entry)
                yield entry
            order.end_of(path)

    def _parsed(self, stack: ExitStack, key: str = "") -> Iterator[Entry]:
        """From `key` on."""
        streams = []
        for layer in range(self.manifest.layers):
            streams.append(_read_entries(self._open(stack, of_layer(ENTRIES, layer)), layer))
            if layer:
                streams.append(_read_gone(self._open(stack, of_layer(GONE, layer)), layer))
        for at, minus_layer, line in streams[0] if len(streams) == 1 else _visible(merge(*streams)):
            if at >= key:
                entry = parse_line(line, -minus_layer)
                if sort_key(entry.path) != at:
                    raise ValueError(f"{entry.path}: two paths in one line")
                yield entry

    def _open(self, stack: ExitStack, name: str) -> BinaryIO:
        directory = self.host.files.open_directory(self.store)
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
        finally:
            os.close(directory)
        return stack.enter_context(os.fdopen(fd, "rb", buffering=CHUNK))


class Below:
    """A path's entries, for as many passes as are wanted."""

    def __init__(self, entries: StoredEntries, path: str) -> None:
        self.entries, self.path = entries, path
        self.kept: list[Entry] | None = None

    def __iter__(self) -> Iterator[Entry]:
        if self.kept is not None:
            yield from self.kept
            return
        kept: list[Entry] | None = []
        for entry in self.entries.read_below(self.path):
            if kept is not None:
                kept.append(entry)
                if len(kept) > KEPT:
                    kept = None
            yield entry
        self.kept = kept


def _read_entries(file: BinaryIO, layer: int) -> Iterator[Item]:
    """What a higher layer hides is not parsed, but nothing is there twice: tar, used by hand, would take the last."""
    last = ""
    while line := file.readline(LINE_LIMIT):
        if line[-1:] != b"\n":
            raise ValueError("a line of its entries is torn, or far too long")
        path = path_in(line)
        key = sort_key(path)
        if key <= last:
            raise ValueError(f"{path}: twice, or not in order")
        last = key
        yield key, -layer, line


def _read_gone(file: BinaryIO, layer: int) -> Iterator[Item]:
    last = ""
    for path in read_gone(file):
        key = sort_key(path)
        if key <= last:
            raise ValueError(f"{path}: gone twice, or not in order")
        last = key
        yield key, -layer, b""


def read_gone(file: IO[bytes] | RawIOBase) -> Iterator[str]:
    """Relative to /, each ended by a zero byte, for xargs -0."""
    rest = b""
    while chunk := file.read(CHUNK):
        *names, rest = (rest + chunk).split(b"\0")
        if len(rest) > LINE_LIMIT:
            raise ValueError("what is gone is not a list of names")
        for name in names:
            yield check_path("/" + os.fsdecode(name))
    if rest:
        raise ValueError("the list of what is gone is torn")


def _visible(items: Iterator[Item]) -> Iterator[Item]:
    """Of everything that is said of a path, what the highest layer says. Items come by key, then from the highest layer
    down, and in one layer what is gone before what is there instead."""
    hidden: list[tuple[str, int]] = []  # (key, layer): hidden below that layer, this key and all inside it
    last = ""
    for key, minus_layer, line in items:
        while hidden and not (key == hidden[-1][0] or key.startswith(hidden[-1][0] + "\0")):
            hidden.pop()
        if not line:
            hidden.append((key, -minus_layer))
        elif key != last and all(layer <= -minus_layer for _, layer in hidden):
            last = key
            yield key, minus_layer, line
