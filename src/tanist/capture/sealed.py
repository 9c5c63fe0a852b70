"""Whole generations, sealed at rest: each file of a store sealed under its own name (capture/sealing.py).

What can be told without the key: when, where and in which epoch a capture was made, the names and sizes of its files,
and which of them two captures share. No path, no owner, no content of what was captured.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from tanist.capture.generations import GenerationInfo, list_generations
from tanist.capture.manifest import Manifest, Part
from tanist.capture.manifest_format import parse_manifest
from tanist.capture.names import CHECKSUM, MANIFEST, PARTIAL
from tanist.capture.sealing import Key, is_sealed, seal, unseal
from tanist.capture.store import LIMITS, load_manifest
from tanist.model.errors import BadCapture, Failed

if TYPE_CHECKING:
    from tanist.host.host import Host

HEAD = (CHECKSUM, MANIFEST)
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def is_sealed_store(host: Host, store: str) -> bool:
    try:
        with _open(host, store, CHECKSUM) as file:
            return is_sealed(file.read(64))
    except OSError:
        return False


def seal_store(host: Host, key: Key, controller: str, plain: str, into: str, base: tuple[str, str] = ("", "")) -> None:
    """The plain store `plain`, whose name and content were verified, as a sealed one at `into`: whole or not at all.
    `base`: (plain, sealed) of another store: the parts that both have are linked."""
    manifest = load_manifest(host, plain)
    shared = {part: name for name, part in load_manifest(host, base[0]).parts} if base[0] else {}
    partial = f"{into}{PARTIAL}{os.getpid()}"
    host.files.make_directory(partial, 0o700)
    directory = host.files.open_directory(partial)
    try:
        for name, part in (*((one, None) for one in HEAD), *manifest.parts):
            if part is not None and part in shared:
                there = host.files.open_directory(base[1])
                try:
                    os.link(shared[part], name, src_dir_fd=there, dst_dir_fd=directory, follow_symlinks=False)
                finally:
                    os.close(there)
                continue
            with (
                _open(host, plain, name) as source,
                os.fdopen(os.open(name, WRITE, 0o600, dir_fd=directory), "wb") as out,
            ):
                seal(key, _context(controller, into, name, part), source, out)
                out.flush()
                os.fsync(out.fileno())
        os.fsync(directory)
    except OSError as error:
        raise Failed(f"{into} could not be sealed: {error.strerror}") from error
    finally:
        os.close(directory)
    _replace(host, partial, into)


def _replace(host: Host, partial: str, into: str) -> None:
    """In place of a plain one, or a bad one. At no instant is there neither."""
    if not host.files.exists(into):
        host.files.move(partial, into)
        return
    try:
        host.files.exchange(partial, into)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        host.files.remove_tree(into)  # this file system has no other way
        host.files.move(partial, into)
    host.files.remove_tree(partial)


def unseal_store(host: Host, keys: Sequence[Key], controller: str, sealed: str, into: str) -> None:
    """The plain store again, in a new directory `into`. BadCapture when anything of it is not what was sealed."""
    host.files.make_directory(into, 0o700)
    directory = host.files.open_directory(into)
    try:
        for name in HEAD:
            _unseal_file(host, keys, _context(controller, sealed, name, None), sealed, name, directory, LIMITS[name])
        for name, part in _parse(host, sealed, into).parts:
            context = _context(controller, sealed, name, part)
            _unseal_file(host, keys, context, sealed, name, directory, part.size)
    except FileNotFoundError as error:
        raise BadCapture(f"{os.path.basename(sealed)}: {error.filename} is missing") from error
    finally:
        os.close(directory)


def _parse(host: Host, sealed: str, into: str) -> Manifest:
    try:
        return parse_manifest(host.files.read(f"{into}/{MANIFEST}", LIMITS[MANIFEST]))
    except ValueError as error:
        raise BadCapture(f"{os.path.basename(sealed)}: {error}") from error


def copy_store(host: Host, plain: str, into: str) -> None:
    """A store that is not sealed, beside others that were."""
    host.files.make_directory(into, 0o700)
    directory = host.files.open_directory(into)
    try:
        for name in host.files.list(plain):
            with _open(host, plain, name) as source:
                _write(directory, name, iter(lambda: source.read(1 << 20), b""), 1 << 62, plain)
    finally:
        os.close(directory)


def seal_plain_ones(host: Host, key: Key, controller: str, directory: str) -> tuple[str, ...]:
    """What lay there before the definition said that it must not; answers the names. Bad ones stay as they are."""
    done = []
    for one in list_generations(host, directory):
        if not is_sealed_store(host, one.path) and _is_whole(host, one):
            seal_store(host, key, controller, one.path, one.path)
            done.append(one.name)
    return tuple(done)


def _is_whole(host: Host, generation: GenerationInfo) -> bool:
    from tanist.capture.generations import verify_generation

    return verify_generation(host, generation).state == "good"


def _context(controller: str, store: str, name: str, part: Part | None) -> str:
    """What a sealed file is: a part by its content, so that stores can share it; the head by its store."""
    if part is None:
        return f"{controller}/{os.path.basename(store)}/{name}"
    return f"{controller}/{part.size}/{part.sha256}"


def _open(host: Host, store: str, name: str) -> BinaryIO:
    directory = host.files.open_directory(store)
    try:
        return os.fdopen(os.open(name, READ, dir_fd=directory), "rb")
    finally:
        os.close(directory)


def _unseal_file(
    host: Host, keys: Sequence[Key], context: str, sealed: str, name: str, directory: int, limit: int
) -> None:
    says = f"the capture {os.path.basename(sealed)} cannot be used: {name}"
    with _open(host, sealed, name) as source:
        _write(directory, name, unseal(keys, context, source, says), limit, says)


def _write(directory: int, name: str, chunks: Iterator[bytes], limit: int, what: str) -> None:
    with os.fdopen(os.open(name, WRITE, 0o600, dir_fd=directory), "wb") as out:
        for chunk in chunks:
            limit -= len(chunk)
            if limit < 0:
                raise BadCapture(f"{what} is longer than it may be")
            out.write(chunk)
