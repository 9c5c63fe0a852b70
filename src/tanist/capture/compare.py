"""A path of this host beside what a store has for it. Looks only."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from tanist.capture.acl import is_acl, map_acl
from tanist.capture.manifest import Entry, Manifest
from tanist.capture.ownership import Owners
from tanist.capture.scan import CHUNK, KINDS
from tanist.host.attributes import LABEL, Attributes, path_of, pinned, read_attributes
from tanist.host.directories import DIRECTORY
from tanist.model.dataclasses import dataclass

if TYPE_CHECKING:
    from tanist.host.host import Host

What = Literal["missing", "extra", "kind", "content", "attributes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    path: str
    what: What
    says: str  # for people, after the path


class Wanted:
    """What a store has for one path, as a tree, with this host's numbers."""

    def __init__(self, host: Host, manifest: Manifest, path: str) -> None:
        self.path = path
        self.entries = manifest.below(path)
        self.owners = Owners(host, manifest, self.entries)
        self.by_path = {entry.path: entry for entry in self.entries}
        self.children: dict[str, list[Entry]] = {entry.path: [] for entry in self.entries if entry.kind == "directory"}
        self.link_count: dict[str, int] = {}
        for entry in self.entries:
            if entry.path != path:
                self.children[os.path.dirname(entry.path)].append(entry)
            first = entry.target if entry.kind == "hard link" else entry.path
            self.link_count[first] = self.link_count.get(first, 0) + 1


class Comparison:
    """One pass over the host. Use compare()."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.inodes: dict[str, tuple[int, int]] = {}

    def entry(self, directory: int, entry: Entry) -> Iterator[Difference]:
        try:
            with pinned(directory, os.path.basename(entry.path)) as pin:
                yield from self._pinned(pin, entry)
        except FileNotFoundError:
            yield Difference(path=entry.path, what="missing", says="is missing")

    def _pinned(self, pin: int, entry: Entry) -> Iterator[Difference]:
        info = os.fstat(pin)
        first = self.wanted.by_path[entry.target] if entry.kind == "hard link" else entry
        kind = KINDS.get(stat.S_IFMT(info.st_mode), "device node")
        if kind != first.kind:
            yield Difference(path=entry.path, what="kind", says=f"is a {kind}, not a {entry.kind}")
            return
        if entry.kind == "hard link":
            if self.inodes.get(entry.target) != (info.st_dev, info.st_ino):
                yield Difference(path=entry.path, what="content", says=f"is not the same file as {entry.target}")
            return
        self.inodes[entry.path] = (info.st_dev, info.st_ino)
        if (content := self._content(pin, info, entry)) is not None:
            yield content
            return
        says = describe_attributes(self.wanted.owners.local(entry), read_attributes(pin, info))
        if says:
            yield Difference(path=entry.path, what="attributes", says=says)
        if kind == "directory":
            yield from self._directory(pin, entry)

    def _content(self, pin: int, info: os.stat_result, entry: Entry) -> Difference | None:
        if entry.kind != "directory" and info.st_nlink != self.wanted.link_count[entry.path]:
            return Difference(path=entry.path, what="content", says=f"has {info.st_nlink} names (hard links)")
        if entry.kind == "link" and os.readlink("", dir_fd=pin) != entry.target:
            return Difference(path=entry.path, what="content", says="leads elsewhere")
        if entry.kind == "file" and (info.st_size != entry.size or _digest(pin) != entry.sha256):
            return Difference(path=entry.path, what="content", says="has other content")
        return None

    def _directory(self, pin: int, entry: Entry) -> Iterator[Difference]:
        fd = os.open(path_of(pin), DIRECTORY & ~os.O_NOFOLLOW)
        try:
            children = self.wanted.children[entry.path]
            for name in sorted(set(os.listdir(fd)) - {os.path.basename(child.path) for child in children}):
                yield Difference(path=f"{entry.path}/{name}", what="extra", says="is not in the store")
            for child in children:
                yield from self.entry(fd, child)
        finally:
            os.close(fd)


def _digest(pin: int) -> str:
    import hashlib

    fd = os.open(path_of(pin), os.O_RDONLY | os.O_NOATIME | os.O_CLOEXEC | os.O_NONBLOCK)
    digest = hashlib.sha256()
    try:
        while chunk := os.read(fd, CHUNK):
            digest.update(chunk)
    finally:
        os.close(fd)
    return digest.hexdigest()


def describe_attributes(wanted: Attributes, found: Attributes) -> str:
    """What differs, for people; empty when nothing does."""
    says = []
    if (wanted.uid, wanted.gid) != (found.uid, found.gid):
        says.append(f"belongs to {found.uid}:{found.gid}, not {wanted.uid}:{wanted.gid}")
    if wanted.mode != found.mode:
        says.append(f"has mode {found.mode:04o}, not {wanted.mode:04o}")
    if wanted.mtime_ns != found.mtime_ns:
        says.append("has another time")
    ours, theirs = _comparable(wanted), _comparable(found)
    if LABEL not in ours:
        theirs.pop(LABEL, None)  # the host's own policy put it there
    says += [f"differs in {name}" for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name)]
    if wanted.flags != found.flags:
        says.append(f"has flags {', '.join(found.flags) or 'none'}, not {', '.join(wanted.flags) or 'none'}")
    return "; ".join(says)


def _comparable(its: Attributes) -> dict[str, bytes]:
    """The extended attributes, ACLs in one order."""

    def same(number: int) -> int:
        return number

    return {name: map_acl(data, same, same) if is_acl(name) else data for name, data in its.xattrs}


def new_inodes(wanted: Wanted, differences: Iterable[Difference]) -> frozenset[str]:
    """The paths that a restore makes anew: those that differ, and all inside what is missing as a whole."""
    new = {item.path for item in differences if item.what in ("missing", "kind", "content")}
    for entry in wanted.entries:
        if os.path.dirname(entry.path) in new:
            new.add(entry.path)
    return frozenset(new)


def _with_whole_groups(wanted: Wanted, differences: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Hard links are right together or wrong together: else one name too few inside could hide one too many outside."""
    new, found = new_inodes(wanted, differences), {item.path: item for item in differences if item.what != "extra"}
    links = [entry for entry in wanted.entries if entry.kind == "hard link"]
    wrong = {entry.target for entry in links if entry.path in new or entry.target in new}
    members = [path for entry in links if entry.target in wrong for path in (entry.target, entry.path)]
    says = "is not one file with all its other names (hard links)"
    more = {path: Difference(path=path, what="content", says=says) for path in members if path not in new}
    return tuple(item for item in differences if found.get(item.path) is not item or item.path not in more) + tuple(
        more.values()
    )


def compare(host: Host, wanted: Wanted) -> tuple[Difference, ...]:
    """Every difference at a path, parents first."""
    path = wanted.path
    try:
        directory = host.files.open_directory(os.path.dirname(path))
    except FileNotFoundError:
        return (Difference(path=path, what="missing", says="is missing"),) if wanted.entries else ()
    try:
        if wanted.entries:
            return _with_whole_groups(wanted, tuple(Comparison(wanted).entry(directory, wanted.entries[0])))
        os.stat(os.path.basename(path), dir_fd=directory, follow_symlinks=False)
        return (Difference(path=path, what="extra", says="is not in the store"),)
    except FileNotFoundError:
        return ()
    finally:
        os.close(directory)
