"""Make a path of this host exactly what a store has for it, by name.

A directory is owned as a whole: what the store does not have goes away, and a path that was absent is removed. Only
what differs is written, each file under a temporary name that rename(2) makes real. Nothing is followed: every step
below the path goes through descriptors. Running it again, after a kill at any point too, ends the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Container, Iterator, Sequence
from threading import Thread
from typing import TYPE_CHECKING

from tanist.capture.compare import Wanted, compare
from tanist.capture.manifest import Entry, Manifest
from tanist.capture.parents import make_parents, missing_parents, remove_parents
from tanist.capture.put import Changes, Put, temporary_name
from tanist.capture.store import check_content, load_manifest, naming, open_contents
from tanist.host.directories import remove_entry
from tanist.model.errors import BadCapture, Failed

if TYPE_CHECKING:
    from tanist.host.host import Host


def compare_path(host: Host, store: str, path: str) -> tuple[str, ...]:
    """What restore_path would change, for people, one line each. BadCapture as there."""
    wanted = _wanted(host, store, load_manifest(host, store), path)
    found, _ = compare(host, wanted)
    if wanted.owners.missing:
        return tuple(f"{path} needs {name}, which this node lacks" for name in wanted.owners.missing)
    return tuple(f"{item.path} {item.says}" for item in found.values())


def restore_path(host: Host, store: str, path: str, devices: Container[str] = ()) -> Changes:
    """`path` as the store has it, and on disk. Refused (accounts that this node lacks, all of them named) and
    BadCapture come before the first change; Failed may come after it. `devices`: where device nodes may be made."""
    manifest = load_manifest(host, store)
    wanted = _wanted(host, store, manifest, path)
    try:
        if not wanted.present:
            return _remove_absent(host, manifest, path)
        with open_contents(host, store, manifest) as contents:
            return _put_present(host, store, manifest, wanted, contents, devices)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise Failed(f"{path} could not be put in place{where}: {error.strerror}") from error


def _wanted(host: Host, store: str, manifest: Manifest, path: str) -> Wanted:
    if manifest.asked_for(path) is None:
        raise BadCapture(f"the capture {os.path.basename(store)} does not hold {path}", next_step="tanist captures")
    return Wanted(host, manifest, path)


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


def _put_present(
    host: Host, store: str, manifest: Manifest, wanted: Wanted, contents: Sequence[int], devices: Container[str]
) -> Changes:
    path = wanted.path
    parents = missing_parents(host, manifest, path)

    def check_new(entry: Entry) -> None:
        try:
            if "device" in entry.kind and entry.path not in devices:
                raise ValueError(f"{entry.path} is a device node, which the definition does not name")
            if entry.kind == "file":
                check_content(contents[entry.layer], entry)
        except (ValueError, OSError):
            with naming(store):
                raise

    differences, count = compare(host, wanted, check_new)
    for parent in parents:
        wanted.owners.local(parent)
    wanted.owners.check()
    make_parents(host, parents, wanted.owners)
    with _clean_directory(host, path) as base:
        if not differences:
            return Changes(unchanged=count)
        work = Put(wanted, differences, base, contents)
        work.run()
        end_sync = _begin_sync(host, os.path.dirname(path))
        try:
            left, _ = compare(host, wanted)
        finally:
            end_sync()
    if left:
        raise Failed("; ".join(f"{item.path} still {item.says}" for item in list(left.values())[:5]))
    return work.changes(count)


def _begin_sync(host: Host, path: str) -> Callable[[], None]:
    """The file system of `path`, beside what comes next. What it answers waits until all is on disk, or raises."""
    ended: list[OSError | None] = []

    def work() -> None:
        try:
            host.files.sync(path)
            ended.append(None)
        except OSError as error:
            ended.append(error)

    def end() -> None:
        thread.join()
        (error,) = ended
        if error is not None:
            raise error

    thread = Thread(target=work, daemon=True)
    thread.start()
    return end


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
