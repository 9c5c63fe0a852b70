"""A store: a directory with manifest.json, manifest.sha256, files.tar and README (docs/formats.md).

It is complete or it does not have its name. Directories are 0700 and files 0600 at every instant. What is loaded was
written by another machine and is checked before it is used; whatever is wrong with it is a BadCapture that names it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tanist.capture.acl import ids_in
from tanist.capture.manifest import About, Entry, Manifest, Part
from tanist.capture.manifest_format import parse_manifest, render_manifest
from tanist.capture.names import CHECKSUM, CONTENT, MANIFEST, PARTIAL, README, STORE_FILES
from tanist.capture.readme import render_readme
from tanist.capture.scan import NOWHERE_ELSE, Scan, scan_paths
from tanist.capture.tarball import BLOCK, END, TarWriter, WriteFailed, parse_size, read_content
from tanist.host.files import write_all
from tanist.model.codec import encode
from tanist.model.dataclasses import replace
from tanist.model.errors import BadCapture, Failed, Refused

if TYPE_CHECKING:
    from tanist.host.host import Host

LIMITS = {MANIFEST: 256 << 20, CHECKSUM: 4096, README: 16 << 20}  # bytes
CHUNK = 1 << 20


# -- saving
def save_store(
    host: Host, into: str, paths: Sequence[str], about: About, elsewhere: Mapping[str, str] = NOWHERE_ELSE
) -> Manifest:
    """Save `paths` as they are now into a new store. A complete store that is there already is left alone.
    `elsewhere`: paths that lie in another place for now, and where.

    Refused for what a store cannot hold (device nodes, mount points inside), Failed when something cannot be read or
    written; in both cases nothing is kept.
    """
    if host.files.exists(into):
        return _load_existing(host, into, paths)
    partial = f"{into}{PARTIAL}{os.getpid()}"
    try:
        host.files.make_directory(os.path.dirname(into), 0o700)
        clean_partials(host, os.path.dirname(into))
        host.files.make_directory(partial, 0o700)
        manifest = _write_store(host, partial, paths, about, elsewhere)
        host.files.move(partial, into)
    except BaseException as error:
        with contextlib.suppress(OSError):  # else the next save removes it
            host.files.remove_tree(partial)
        cause = error.error if isinstance(error, WriteFailed) else error
        if isinstance(cause, OSError):
            raise Failed(f"{into} could not be written: {cause.strerror or cause}; nothing of it is kept") from error
        raise
    return manifest


def _load_existing(host: Host, into: str, paths: Sequence[str]) -> Manifest:
    manifest = load_manifest(host, into)
    if {item.path for item in manifest.asked} != set(paths):
        raise Refused(f"{into} is there already and holds other paths")
    return manifest


def clean_partials(host: Host, directory: str) -> None:
    """Remove what dead processes left half done in a directory of stores."""
    for name in host.files.list(directory):
        _, found, pid = name.rpartition(PARTIAL)
        if found and pid.isdigit() and (int(pid) == os.getpid() or not os.path.exists(f"/proc/{pid}")):
            host.files.remove_tree(f"{directory}/{name}")


def _write_store(
    host: Host, partial: str, paths: Sequence[str], about: About, elsewhere: Mapping[str, str]
) -> Manifest:
    directory = host.files.open_directory(partial)
    try:
        manifest = build_manifest(host, _write_content(host, directory, paths, elsewhere), about)
        readme = render_readme(manifest)
        _write_file(directory, README, readme)
        parts = ((CONTENT, _measure(directory, CONTENT)), (README, _measure(directory, README)))
        text = render_manifest(replace(manifest, parts=parts))
        _write_file(directory, MANIFEST, text)
        _write_file(directory, CHECKSUM, f"{_sha256(text)}  {MANIFEST}\n".encode())
        os.fsync(directory)
        return parse_manifest(text)  # what cannot be loaded again must not be kept
    except ValueError as error:
        raise Failed(f"what was found cannot be stored: {error}") from error
    finally:
        os.close(directory)


def _write_content(host: Host, directory: int, paths: Sequence[str], elsewhere: Mapping[str, str]) -> Scan:
    with os.fdopen(_create(directory, CONTENT), "r+b", buffering=CHUNK) as out:
        scan = scan_paths(host, paths, TarWriter(out, host.user_name, host.group_name), elsewhere)
        out.write(END)
        out.flush()
        os.fsync(out.fileno())
    return scan


def build_manifest(host: Host, scan: Scan, about: About) -> Manifest:
    """What a scan found, as a manifest whose parts are not written yet."""
    users, groups = ids_in(scan.entries)
    return Manifest(
        controller=about.controller,
        node=about.node,
        created=render_instant(about.created),
        epoch=about.epoch,
        run=about.run,
        version=about.version,
        asked=tuple(scan.asked),
        parents=tuple(scan.parents.values()),
        entries=tuple(scan.entries),
        users=tuple((name, host.user_id(name)) for name in sorted(set(about.users))),
        groups=tuple((name, host.group_id(name)) for name in sorted(set(about.groups))),
        acl_users=tuple((number, scan.user(number)) for number in users if scan.user(number)),
        acl_groups=tuple((number, scan.group(number)) for number in groups if scan.group(number)),
        unsteady=tuple(scan.unsteady),
        facts=json.loads(json.dumps(about.facts if isinstance(about.facts, dict) else encode(about.facts))),
    )


def render_instant(seconds: float) -> str:
    ns = round(seconds * 1e6) * 1000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns % 10**9:09d}Z"


def _create(directory: int, name: str) -> int:
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)


def _write_file(directory: int, name: str, data: bytes) -> None:
    fd = _create(directory, name)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _measure(directory: int, name: str) -> Part:
    import hashlib

    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    with os.fdopen(fd, "rb", buffering=0) as file:
        digest = hashlib.file_digest(file, "sha256")
        return Part(size=os.fstat(fd).st_size, sha256=digest.hexdigest())


# -- loading
def load_manifest(host: Host, store: str) -> Manifest:
    """The manifest, checked by its checksum and value by value. BadCapture names the store and what is wrong."""
    with naming(store):
        stated = host.files.read(f"{store}/{CHECKSUM}", LIMITS[CHECKSUM])
        text = host.files.read(f"{store}/{MANIFEST}", LIMITS[MANIFEST])
        if stated != f"{_sha256(text)}  {MANIFEST}\n".encode():
            raise ValueError(f"{MANIFEST} is not what {CHECKSUM} says")
        manifest = parse_manifest(text)
        for name, part in manifest.parts:
            info = host.files.stat(f"{store}/{name}", follow=False)
            if info is None or info.st_size != part.size:
                raise ValueError(f"{name} {'is missing' if info is None else 'has the wrong size'}")
        return manifest


def verify_store(host: Host, store: str) -> Manifest:
    """Every byte of it: nothing missing, nothing added, nothing altered, each file's content where it is said to be."""
    manifest = load_manifest(host, store)
    with naming(store):
        found = set(host.files.list(store))
        if found != set(STORE_FILES):
            raise ValueError(f"{', '.join(sorted(found ^ set(STORE_FILES)))}: missing, or not part of it")
        directory = host.files.open_directory(store)
        try:
            for name, part in manifest.parts:
                if _measure(directory, name) != part:
                    raise ValueError(f"{name} was altered")
            _verify_members(directory, manifest)
        finally:
            os.close(directory)
    return manifest


def _verify_members(directory: int, manifest: Manifest) -> None:
    fd = os.open(CONTENT, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        for entry in manifest.entries:
            if entry.kind == "file":
                check_content(fd, entry)
    finally:
        os.close(fd)


def check_content(content: int, entry: Entry) -> None:
    """ValueError when files.tar does not hold this file's content where the manifest says."""
    import hashlib

    header = os.pread(content, BLOCK, entry.offset - BLOCK)
    if parse_size(header[124:136]) != entry.size:
        raise ValueError(f"{entry.path}: {CONTENT} has another size for it")
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
        fd = os.open(host.files.real(f"{store}/{CONTENT}"), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for entry in manifest.below(directory):
                if entry.kind == "file" and os.path.dirname(entry.path) == directory and entry.path.endswith(suffix):
                    check_content(fd, entry)
                    found.append(b"".join(read_content(fd, entry)))
        finally:
            os.close(fd)
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
