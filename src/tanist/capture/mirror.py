"""Captures on the standby: one store as a plain tar stream, and back, trusting nothing in it.

send() on the active node, receive() on the other (`tanist mirror receive NAME` reads its standard input). The standby
writes below /var/lib/tanist/NAME/mirror only, and a store that is not whole never gets its name.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from tanist.capture.generations import GenerationInfo, parse_generation_name, read_generation, verify_generation
from tanist.capture.manifest_format import parse_manifest
from tanist.capture.names import MANIFEST, PARTIAL, STORE_FILES
from tanist.capture.store import LIMITS, clean_partials, load_manifest
from tanist.capture.tarball import BLOCK, END, parse_size, render_member
from tanist.host.files import write_all
from tanist.model.dataclasses import replace
from tanist.model.errors import BadCapture, Failed

if TYPE_CHECKING:
    from tanist.host.host import Host

CHUNK = 1 << 20
CONTROLLER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def mirror_directory(controller: str) -> str:
    if CONTROLLER.fullmatch(controller) is None:
        raise ValueError(f"{controller!r} is not the name of a controller")
    return f"/var/lib/tanist/{controller}/mirror"


def missing(here: Sequence[str], there: Sequence[str]) -> tuple[str, ...]:
    """The generations that the other side lacks, oldest first by name."""
    return tuple(sorted(name for name in set(here) - set(there) if parse_generation_name(name)))


def send(host: Host, generation: str) -> Iterator[bytes]:
    """The store at path `generation` as a tar stream: GEN/manifest.sha256, manifest.json, README, files.tar."""
    load_manifest(host, generation)
    name = os.path.basename(generation)
    directory = host.files.open_directory(generation)
    try:
        for part in STORE_FILES:
            fd = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                size = os.fstat(fd).st_size
                yield render_member(name, part, size)
                yield from _read_exactly(fd, size)
                yield b"\0" * (-size % BLOCK)
            finally:
                os.close(fd)
        yield END
    finally:
        os.close(directory)


def _read_exactly(fd: int, size: int) -> Iterator[bytes]:
    while size:
        chunk = os.read(fd, min(size, CHUNK))
        if not chunk:
            raise Failed("the capture got shorter while it was sent")
        yield chunk
        size -= len(chunk)


def receive(host: Host, controller: str, stream: BinaryIO) -> GenerationInfo:
    """One store from `stream`, verified in every byte before it gets its name. One that is here already stays as it
    is. BadCapture for a stream that is not a capture of `controller`; nothing of it is kept."""
    directory = mirror_directory(controller)
    host.files.make_directory(directory, 0o700)
    clean_partials(host, directory)
    try:
        return _receive(host, controller, directory, stream)
    except ValueError as error:
        raise BadCapture(f"what was sent is not a capture of {controller}: {error}") from error
    except OSError as error:
        raise Failed(f"the capture could not be received: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            clean_partials(host, directory)


def _receive(host: Host, controller: str, directory: str, stream: BinaryIO) -> GenerationInfo:
    name, size = _read_header(stream, STORE_FILES[0])
    generation = read_generation(host, directory, name)
    if generation is None:
        raise ValueError(f"{name!r} is not the name of a capture")
    if host.files.exists(generation.path):
        generation = verify_generation(host, generation)
        if generation.state == "good":
            return generation
        host.files.move(generation.path, f"{generation.path}.bad{PARTIAL}{os.getpid()}")  # the new one replaces it
    partial = f"{generation.path}{PARTIAL}{os.getpid()}"
    host.files.make_directory(partial, 0o700)
    _receive_files(host, partial, name, size, stream)
    received = verify_generation(host, replace(generation, path=partial))
    if received.state != "good":
        raise ValueError(received.reason)
    whose = load_manifest(host, partial).controller
    if whose != controller:
        raise ValueError(f"it is one of {whose!r}")
    host.files.move(partial, generation.path)
    arrived = read_generation(host, directory, name)
    return replace(arrived or received, state="good")


def _receive_files(host: Host, partial: str, name: str, size: int, stream: BinaryIO) -> None:
    limits = dict(LIMITS)
    directory = host.files.open_directory(partial)
    try:
        for part in STORE_FILES:
            if part != STORE_FILES[0]:
                found, size = _read_header(stream, part)
                if found != name:
                    raise ValueError(f"{found!r} among the files of {name!r}")
            if size > limits[part]:
                raise ValueError(f"{part} is too large")
            _receive_file(directory, part, size, stream)
            if part == MANIFEST:  # sent before them, so that its word bounds what is written
                text = host.files.read(f"{partial}/{MANIFEST}", LIMITS[MANIFEST])
                limits |= {key: value.size for key, value in parse_manifest(text).parts}
        os.fsync(directory)
    finally:
        os.close(directory)


def _receive_file(directory: int, part: str, size: int, stream: BinaryIO) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(part, flags, 0o600, dir_fd=directory)
    try:
        left = size
        while left:
            chunk = _read(stream, min(left, CHUNK))
            write_all(fd, chunk)
            left -= len(chunk)
        os.fsync(fd)
    finally:
        os.close(fd)
    _read(stream, -size % BLOCK)


def _read_header(stream: BinaryIO, part: str) -> tuple[str, int]:
    """The generation's name and the size of its file `part`, which must be what comes next."""
    header = _read(stream, BLOCK)
    size = parse_size(header[124:136])
    generation = os.fsdecode(header[345:500].rstrip(b"\0"))
    if parse_generation_name(generation) is None:
        raise ValueError(f"{generation!r} is not the name of a capture")
    if header != render_member(generation, part, size):
        raise ValueError(f"{part} does not come where it must")
    return generation, size


def _read(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = stream.read(size - len(data))
        if not chunk:
            raise ValueError("it ends too early")
        data += chunk
    return data
