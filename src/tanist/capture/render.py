"""A store's content in a scratch root, compared there: what a restore would make, without touching anything.

In: a store of this node. Out: how many entries were compared, or BadCapture, Refused (accounts that this node lacks)
or Failed with what is wrong. The scratch root is 0700 and gone at the end.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from tanist.capture.names import PARTIAL
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.store import clean_partials, load_manifest
from tanist.host.scratch import as_host
from tanist.model.errors import Failed

if TYPE_CHECKING:
    from tanist.capture.manifest import Manifest
    from tanist.host.host import Host

SCRATCH = "scratch"  # then PARTIAL and the number of the process, so that what a killed one left is removed
FILE_OVERHEAD = 4096  # bytes that a file takes on disk besides its content, roughly


def render_store(host: Host, store: str, above: str, devices: Container[str] = ()) -> str:
    """Into a new directory below `above`; answers what was done, for people. `devices`: device nodes it may hold."""
    manifest = load_manifest(host, store)
    with scratch_directory(host, above) as scratch:
        _check_room(host, scratch, manifest)
        if not _holds_xattrs(host, scratch) and _has_user_xattrs(manifest):
            return f"every byte of {len(manifest.entries)} entries; not restored: {above} cannot hold user xattrs"
        inside = as_host(host, scratch, (store,))
        different: list[str] = []
        for asked in manifest.asked:
            restore_path(inside, store, asked.path, devices)
            different += compare_path(inside, store, asked.path)
        if different:
            raise Failed(f"what was restored from it is not what was captured: {'; '.join(different[:5])}")
    return f"{len(manifest.entries)} entries restored into a scratch root and compared"


@contextlib.contextmanager
def scratch_directory(host: Host, above: str) -> Iterator[str]:
    """A new directory of root's alone; what it holds goes away with it."""
    host.files.make_directory(above, 0o700)
    clean_partials(host, above)
    path = f"{above}/{SCRATCH}{PARTIAL}{os.getpid()}"
    host.files.make_directory(path, 0o700)
    try:
        yield path
    finally:
        host.files.remove_tree(path)


def _has_user_xattrs(manifest: Manifest) -> bool:
    return any(name.startswith("user.") for entry in manifest.entries for name, _ in entry.attributes.xattrs)


def _holds_xattrs(host: Host, scratch: str) -> bool:
    """tmpfs does from Linux 6.6 on."""
    try:
        os.setxattr(host.files.real(scratch), "user.tanist", b"")
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
            return False
        raise
    return True


def _check_room(host: Host, scratch: str, manifest: Manifest) -> None:
    needed = sum(entry.size + FILE_OVERHEAD for entry in manifest.entries)
    found = os.statvfs(host.files.real(scratch))
    if needed > found.f_bavail * found.f_frsize:
        raise OSError(errno.ENOSPC, f"{needed >> 20} MiB are needed to render it", os.path.dirname(scratch))
