"""A store: a directory with manifest.json, manifest.sha256, README and one or more layers (docs/formats.md).

It is complete or it does not have its name. Directories are 0700 and files 0600 at every instant. What is loaded was
written by another machine and is checked before it is used; whatever is wrong with it is a BadCapture that names it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from io import FileIO
from typing import TYPE_CHECKING

from tanist.capture.entries import StoredEntries, read_gone
from tanist.capture.manifest import About, Entry, Manifest, Part
from tanist.capture.manifest_format import parse_manifest
from tanist.capture.names import CHECKSUM, CONTENT, GONE, MANIFEST, PARTIAL, README, of_layer, store_files
from tanist.capture.tarball import BLOCK, parse_size, read_content, render_map
from tanist.model.dataclasses import replace
from tanist.model.errors import BadCapture, Refused

if TYPE_CHECKING:
    from tanist.host.host import Host

LIMITS = {MANIFEST: 16 << 20, CHECKSUM: 4096, README: 16 << 20}  # bytes
NOWHERE_ELSE: Mapping[str, str] = {}
CHUNK = 1 << 20


def save_store(
    host: Host, into: str, paths: Sequence[str], about: About, elsewhere: Mapping[str, str] = NOWHERE_ELSE
) -> Manifest:
    """Save `paths` as they are now into a new store. A complete store that is there already is left alone.
    `elsewhere`: paths that lie in another place for now, and where.

    Refused for what a store cannot hold (device nodes, mount points inside), Failed when something cannot be read or
    written; in both cases nothing is kept.
    """
    from tanist.capture.save import save_whole

    if host.files.exists(into):
        manifest = load_manifest(host, into)
        if {item.path for item in manifest.asked} != set(paths):
            raise Refused(f"{into} is there already and holds other paths")
        return manifest
    save_whole(host, into, paths, about, elsewhere)
    return load_manifest(host, into)


def clean_partials(host: Host, directory: str) -> None:
    """Remove what dead processes left half done in a directory of stores."""
    for name in host.files.list(directory):
        _, found, pid = name.rpartition(PARTIAL)
        if found and pid.isdigit() and (int(pid) == os.getpid() or not os.path.exists(f"/proc/{pid}")):
            host.files.remove_tree(f"{directory}/{name}")


# -- loading
def load_manifest(host: Host, store: str) -> Manifest:
    """The manifest, checked by its checksum and value by value; the lists of its entries, checked by theirs. BadCapture
    names the store and what is wrong."""
    manifest = load_head(host, store)
    with naming(store), opened(host, store) as directory:
        for name, part in manifest.parts:
            if not name.startswith((CONTENT, README)):
                _check_part(directory, name, part)
    return manifest


def load_head(host: Host, store: str) -> Manifest:
    """The manifest alone: of the other files only the sizes are looked at."""
    with naming(store):
        stated = host.files.read(f"{store}/{CHECKSUM}", LIMITS[CHECKSUM])
        text = host.files.read(f"{store}/{MANIFEST}", LIMITS[MANIFEST])
        if stated != f"{sha256_of(text)}  {MANIFEST}\n".encode():
            raise ValueError(f"{MANIFEST} is not what {CHECKSUM} says")
        manifest = parse_manifest(text)
        for name, part in manifest.parts:
            info = host.files.stat(f"{store}/{name}", follow=False)
            if info is None or info.st_size != part.size or not stat.S_ISREG(info.st_mode):
                raise ValueError(f"{name} {'is missing' if info is None else 'has the wrong size'}")
        return replace(manifest, entries=StoredEntries(host, store, manifest, naming))


def sha256_of(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _check_part(directory: int, name: str, part: Part) -> None:
    if measure(directory, name) != part:
        raise ValueError(f"{name} was altered")


def measure(directory: int, name: str) -> Part:
    import hashlib

    with _open_part(directory, name) as file:
        digest = hashlib.file_digest(file, "sha256")
        return Part(size=os.fstat(file.fileno()).st_size, sha256=digest.hexdigest())


def _open_part(directory: int, name: str) -> FileIO:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    return FileIO(os.open(name, flags, dir_fd=directory), "rb")


@contextlib.contextmanager
def opened(host: Host, store: str) -> Iterator[int]:
    directory = host.files.open_directory(store)
    try:
        yield directory
    finally:
        os.close(directory)


@contextlib.contextmanager
def open_contents(host: Host, store: str, manifest: Manifest) -> Iterator[tuple[int, ...]]:
    """files.tar of each layer."""
    with opened(host, store) as directory, contextlib.ExitStack() as stack:
        names = [of_layer(CONTENT, layer) for layer in range(manifest.layers)]
        yield tuple(stack.enter_context(_open_part(directory, name)).fileno() for name in names)


def verify_store(host: Host, store: str) -> Manifest:
    """Every byte of it: nothing missing, nothing added, nothing altered, each file's content where it is said to be."""
    manifest = load_head(host, store)
    with naming(store):
        found, wanted = set(host.files.list(store)), set(store_files(manifest.layers))
        if found != wanted:
            raise ValueError(f"{', '.join(sorted(found ^ wanted))}: missing, or not part of it")
        with opened(host, store) as directory:
            for name, part in manifest.parts:
                _check_part(directory, name, part)
            for layer in range(1, manifest.layers):
                with _open_part(directory, of_layer(GONE, layer)) as file:
                    for _ in read_gone(file):
                        pass
        with open_contents(host, store, manifest) as contents:
            for entry in manifest.entries:
                if entry.kind == "file":
                    check_content(contents[entry.layer], entry)
    return manifest


def check_content(content: int, entry: Entry) -> None:
    """ValueError when files.tar does not hold this file's content where the manifest says."""
    import hashlib

    stretches, stored = render_map(entry), entry.stored
    before = BLOCK + len(stretches)
    small = stored <= CHUNK
    found = os.pread(content, before + stored if small else before, entry.offset - before)
    if found[BLOCK:before] != stretches or parse_size(found[124:136]) != stored + len(stretches):
        raise ValueError(f"{entry.path}: {CONTENT} has another size for it")
    if small and len(found) == before + stored:
        digest = hashlib.sha256(memoryview(found)[before:])
    else:
        digest = hashlib.sha256()
        for chunk in read_content(content, entry):
            digest.update(chunk)
    if digest.hexdigest() != entry.sha256:
        raise ValueError(f"{entry.path}: its content in {CONTENT} was altered")


def read_stored_files(host: Host, store: str, directory: str, suffix: str) -> tuple[bytes, ...]:
    """The content of the stored files right below `directory` whose names end in `suffix`, by name."""
    found = []
    with naming(store):
        manifest = load_manifest(host, store)
        with open_contents(host, store, manifest) as contents:
            for entry in manifest.below(directory):
                if entry.kind == "file" and os.path.dirname(entry.path) == directory and entry.path.endswith(suffix):
                    check_content(contents[entry.layer], entry)
                    found.append(b"".join(read_content(contents[entry.layer], entry)))
    return tuple(found)


@contextlib.contextmanager
def naming(store: str) -> Iterator[None]:
    """Whatever is wrong with a store is a BadCapture that names it."""
    try:
        yield
    except (ValueError, OSError) as error:
        why = (
            f"{os.path.basename(error.filename or '')}: {error.strerror}" if isinstance(error, OSError) else str(error)
        )
        raise BadCapture(
            f"the capture {os.path.basename(store)} cannot be used: {why}", next_step="tanist captures"
        ) from error
