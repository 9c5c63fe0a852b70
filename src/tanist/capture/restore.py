"""Make a path of this host exactly what a store has for it, by name.

A directory is owned as a whole: what the store does not have goes away, and a path that was absent is removed. Only
what differs is written, each file under a temporary name that rename(2) makes real. Nothing is followed: every step
below the path goes through descriptors. Running it again, after a kill at any point too, ends the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.capture.compare import Wanted, compare, new_inodes
from tanist.capture.manifest import Manifest
from tanist.capture.names import CONTENT
from tanist.capture.ownership import Owners
from tanist.capture.parents import make_parents, missing_parents, remove_parents
from tanist.capture.put import Changes, Put, temporary_name
from tanist.capture.store import check_content, load_manifest, naming
from tanist.host.directories import remove_entry
from tanist.model.errors import BadCapture, Failed

if TYPE_CHECKING:
    from tanist.host.host import Host


def compare_path(host: Host, store: str, path: str) -> tuple[str, ...]:
    """What restore_path would change, for people, one line each. BadCapture as there."""
    wanted = _wanted(host, store, load_manifest(host, store), path)
    if wanted.owners.missing:
        return tuple(f"{path} needs {name}, which this node lacks" for name in wanted.owners.missing)
    return tuple(f"{item.path} {item.says}" for item in compare(host, wanted))


def restore_path(host: Host, store: str, path: str) -> Changes:
    """`path` as the store has it, and on disk. Refused (accounts that this node lacks, all of them named) and
    BadCapture come before the first change; Failed may come after it."""
    manifest = load_manifest(host, store)
    wanted = _wanted(host, store, manifest, path)
    wanted.owners.check()
    try:
        with _open_content(host, store) as content:
            if wanted.entries:
                return _put_present(host, store, manifest, wanted, content)
            return _remove_absent(host, manifest, path)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise Failed(f"{path} could not be put in place{where}: {error.strerror}") from error


def _wanted(host: Host, store: str, manifest: Manifest, path: str) -> Wanted:
    if manifest.asked_for(path) is None:
        raise BadCapture(f"the capture {os.path.basename(store)} does not hold {path}", next_step="tanist captures")
    return Wanted(host, manifest, path)


@contextlib.contextmanager
def _open_content(host: Host, store: str) -> Iterator[int]:
    directory = host.files.open_directory(store)
    try:
        content = os.open(CONTENT, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        yield content
    finally:
        os.close(content)


def clear_remains(host: Host, path: str) -> None:
    """What a killed restore of `path` left beside it, where another way than restore_path puts `path` in force."""
    with _clean_directory(host, path) as directory:
        os.fsync(directory)


@contextlib.contextmanager
def _clean_directory(host: Host, path: str) -> Iterator[int]:
    """The directory that holds `path`, without what a killed restore left in it."""
    directory = host.files.open_directory(os.path.dirname(path))
    try:
        with contextlib.suppress(FileNotFoundError):
            remove_entry(directory, temporary_name(path))
        yield directory
    finally:
        os.close(directory)


def _put_present(host: Host, store: str, manifest: Manifest, wanted: Wanted, content: int) -> Changes:
    path = wanted.path
    parents = missing_parents(host, manifest, path)
    owners = Owners(host, manifest, parents)
    owners.check()
    differences = compare(host, wanted)
    with naming(store):
        new = new_inodes(wanted, differences)
        for entry in wanted.entries:
            if entry.kind == "file" and entry.path in new:
                check_content(content, entry)
    make_parents(host, parents, owners)
    with _clean_directory(host, path) as base:
        if not differences:
            return Changes(unchanged=len(wanted.entries))
        work = Put(wanted, differences, base, content)
        work.put(base, wanted.entries[0])
        host.files.sync(os.path.dirname(path))
    left = compare(host, wanted)
    if left:
        raise Failed("; ".join(f"{item.path} still {item.says}" for item in left[:5]))
    return work.changes()


def _remove_absent(host: Host, manifest: Manifest, path: str) -> Changes:
    asked = manifest.asked_for(path)
    removed: tuple[str, ...] = ()
    with contextlib.suppress(FileNotFoundError), _clean_directory(host, path) as base:
        with contextlib.suppress(FileNotFoundError):
            remove_entry(base, os.path.basename(path))
            removed = (path,)
        os.fsync(base)
    remove_parents(host, path, asked.missing_from if asked else path)
    return Changes(removed=removed)
