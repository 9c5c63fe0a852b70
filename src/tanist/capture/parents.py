"""The directories above a path: made where they are missing, taken away again where a restore had made them."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from tanist.capture.manifest import Entry, Manifest
from tanist.capture.ownership import Owners
from tanist.capture.put import temporary_name
from tanist.host.attributes import apply_attributes, pinned
from tanist.host.directories import remove_entry
from tanist.model.dataclasses import replace

if TYPE_CHECKING:
    from tanist.host.host import Host

IN_USE = {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOENT, errno.ENOTDIR}


def missing_parents(host: Host, manifest: Manifest, path: str) -> tuple[Entry, ...]:
    """The recorded directories above `path` that this host lacks, topmost first."""
    above = (entry for entry in manifest.parents if path.startswith(entry.path + "/"))
    return tuple(sorted((e for e in above if not host.files.exists(e.path)), key=lambda e: len(e.path)))


def make_parents(host: Host, parents: tuple[Entry, ...], owners: Owners) -> None:
    """As they were where the store was saved. One that is there already is never touched."""
    for entry in parents:
        temporary = temporary_name(entry.path)
        directory = host.files.open_directory(os.path.dirname(entry.path))
        try:
            with contextlib.suppress(FileNotFoundError):  # of a restore that was killed
                remove_entry(directory, temporary)
            os.mkdir(temporary, 0o700, dir_fd=directory)
            with pinned(directory, temporary) as pin:
                apply_attributes(pin, replace(owners.local(entry), mtime_ns=os.fstat(pin).st_mtime_ns))
            os.rename(temporary, os.path.basename(entry.path), src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
        finally:
            os.close(directory)


def remove_parents(host: Host, path: str, top: str) -> None:
    """Removes the empty directories above `path` up to `top`, which were not there when the store was saved."""
    while path != top:
        path = os.path.dirname(path)
        try:
            directory = host.files.open_directory(os.path.dirname(path))
        except FileNotFoundError:
            continue
        try:
            with contextlib.suppress(FileNotFoundError):  # of a restore that was killed while it made this one
                remove_entry(directory, temporary_name(path))
            os.rmdir(os.path.basename(path), dir_fd=directory)
            os.fsync(directory)
        except OSError as error:
            if error.errno not in IN_USE:
                raise
        finally:
            os.close(directory)
