"""Captures on the standby: one store as a plain tar stream, and back, trusting nothing in it.

send() on the active node, receive() on the other (runs/mirroring.py brings them together). The parts that a generation
shares with the one before do not travel: the standby links them. It writes into its mirror only, and a store that is
not whole never gets its name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from tanist.capture.generations import GenerationInfo, parse_generation_name, read_generation, verify_generation
from tanist.capture.manifest import Manifest, Part
from tanist.capture.manifest_format import parse_manifest
from tanist.capture.names import CHECKSUM, MANIFEST, PARTIAL
from tanist.capture.store import LIMITS, clean_partials, load_manifest
from tanist.capture.tarball import BLOCK, END, parse_size, render_member
from tanist.host.files import write_all
from tanist.model.dataclasses import replace
from tanist.model.errors import BadCapture, Failed

if TYPE_CHECKING:
    from tanist.host.host import Host

CHUNK = 1 << 20
LINE_LIMIT = 4096  # bytes


def send(host: Host, generation: str, base: str = "") -> Iterator[bytes]:
    """The store at path `generation`: a line that says what comes, then as a tar stream GEN/manifest.sha256,
    manifest.json and those parts that the store `base`, which the other side has, does not have as well."""
    manifest = load_manifest(host, generation)
    there = _parts_by_content(load_manifest(host, base)) if base else {}
    name = os.path.basename(generation)
    yield json.dumps({"format": 1, "generation": name, "base": os.path.basename(base)}).encode() + b"\n"
    directory = host.files.open_directory(generation)
    try:
        for part in (CHECKSUM, MANIFEST, *(key for key, value in manifest.parts if value not in there)):
            yield from _send_file(directory, name, part)
        yield END
    finally:
        os.close(directory)


def _parts_by_content(manifest: Manifest) -> dict[Part, str]:
    return {part: name for name, part in manifest.parts}


def _send_file(directory: int, name: str, part: str) -> Iterator[bytes]:
    fd = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        size = os.fstat(fd).st_size
        yield render_member(name, part, size)
        yield from _read_exactly(fd, size)
        yield b"\0" * (-size % BLOCK)
    finally:
        os.close(fd)


def _read_exactly(fd: int, size: int) -> Iterator[bytes]:
    while size:
        chunk = os.read(fd, min(size, CHUNK))
        if not chunk:
            raise Failed("the capture got shorter while it was sent")
        yield chunk
        size -= len(chunk)


def receive(host: Host, controller: str, stream: BinaryIO, directory: str) -> GenerationInfo | None:
    """One store from `stream` into `directory`. What comes is verified in every byte before the store gets its name;
    what is linked from a base that is here was, when it came. One that is here already stays as it is. None when
    nothing was sent; BadCapture for a stream that is not a capture of `controller`, and nothing of it is kept."""
    host.files.make_directory(directory, 0o700)
    clean_partials(host, directory)
    try:
        line = stream.readline(LINE_LIMIT)
        return _receive(host, controller, directory, stream, *_parse_line(line)) if line else None
    except ValueError as error:
        raise BadCapture(f"what was sent is not a capture of {controller}: {error}") from error
    except OSError as error:
        raise Failed(f"the capture could not be received: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            clean_partials(host, directory)


def _parse_line(line: bytes) -> tuple[str, str]:
    """(generation, base)."""
    try:
        said = json.loads(line)
    except RecursionError as error:
        raise ValueError("it does not say what it is") from error
    if not isinstance(said, dict) or said.get("format") != 1:
        raise ValueError("it comes from a tanist of another version")
    name, base = said.get("generation"), said.get("base")
    if not isinstance(name, str) or parse_generation_name(name) is None:
        raise ValueError(f"{name!r} is not the name of a capture")
    if not isinstance(base, str) or (base and parse_generation_name(base) is None):
        raise ValueError(f"{base!r} is not the name of a capture")
    return name, base


def _receive(
    host: Host, controller: str, directory: str, stream: BinaryIO, name: str, base: str
) -> GenerationInfo | None:
    generation = read_generation(host, directory, name)
    assert generation is not None
    if host.files.exists(generation.path):
        generation = verify_generation(host, generation)
        if generation.state == "good":
            return generation
        host.files.move(generation.path, f"{generation.path}.bad{PARTIAL}{os.getpid()}")  # the new one replaces it
    partial = f"{generation.path}{PARTIAL}{os.getpid()}"
    host.files.make_directory(partial, 0o700)
    _receive_files(host, partial, name, f"{directory}/{base}" if base else "", stream)
    received = replace(generation, path=partial)
    if not base:
        received = verify_generation(host, received)
        if received.state != "good":
            raise ValueError(received.reason)
    manifest = load_manifest(host, partial)
    if (manifest.node, manifest.epoch) != (generation.node, generation.epoch):
        raise ValueError(f"{name} holds another generation's capture")
    whose = manifest.controller
    if whose != controller:
        raise ValueError(f"it is one of {whose!r}")
    host.files.move(partial, generation.path)
    arrived = read_generation(host, directory, name)
    return replace(arrived or received, state="good")


def _receive_files(host: Host, partial: str, name: str, base: str, stream: BinaryIO) -> None:
    """The manifest comes first, so that its word bounds what is written."""
    directory = host.files.open_directory(partial)
    try:
        for key in (CHECKSUM, MANIFEST):
            _receive_file(directory, key, _read_header(stream, name, key, LIMITS[key]), stream)
        manifest = parse_manifest(host.files.read(f"{partial}/{MANIFEST}", LIMITS[MANIFEST]))
        here = _parts_by_content(load_manifest(host, base)) if base else {}
        _check_room(directory, sum(part.size for _, part in manifest.parts if part not in here))
        for key, it in manifest.parts:
            if it in here:
                _link_part(host, base, here[it], directory, key)
            else:
                size = _read_header(stream, name, key, min(it.size, LIMITS.get(key, it.size)))
                if _receive_file(directory, key, size, stream) != it.sha256 or size != it.size:
                    raise ValueError(f"{key} was altered on its way")
        os.fsync(directory)
    finally:
        os.close(directory)


def _check_room(directory: int, needed: int) -> None:
    found = os.fstatvfs(directory)
    if needed > found.f_bavail * found.f_frsize:
        raise OSError(errno.ENOSPC, f"{needed >> 20} MiB are to come, and there is no room for them")


def _link_part(host: Host, base: str, there: str, directory: int, part: str) -> None:
    """What a good generation has already."""
    source = host.files.open_directory(base)
    try:
        os.link(there, part, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
    finally:
        os.close(source)


def _receive_file(directory: int, part: str, size: int, stream: BinaryIO) -> str:
    """Its SHA-256."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(part, flags, 0o600, dir_fd=directory)
    try:
        digest, left = hashlib.sha256(), size
        while left:
            chunk = _read(stream, min(left, CHUNK))
            digest.update(chunk)
            write_all(fd, chunk)
            left -= len(chunk)
        os.fsync(fd)
    finally:
        os.close(fd)
    _read(stream, -size % BLOCK)
    return digest.hexdigest()


def _read_header(stream: BinaryIO, name: str, part: str, limit: int) -> int:
    """The size of the file `part` of generation `name`, which must be what comes next."""
    header = _read(stream, BLOCK)
    size = parse_size(header[124:136])
    if header != render_member(name, part, size):
        raise ValueError(f"{part} does not come where it must")
    if size > limit:
        raise ValueError(f"{part} is too large")
    return size


def _read(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = stream.read(size - len(data))
        if not chunk:
            raise ValueError("it ends too early")
        data += chunk
    return data
