"""What the children of host/exports.py do: this machine's mount of an export, or a look at one. Few imports: each look
starts one.

In: arguments. Out: for a mount, mount(8)'s status and words; for a look four lines (the claim as hex digits, "-" where
there is none; "locked" or "free"; whose the claim's directory is; the note of who had the lock), or status 1 with the
reason.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys

from tanist.host import syscalls
from tanist.host.environment import ENVIRONMENT
from tanist.model.exports import FSTYPE, LOCK

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

PLACE = "/run/tanist/look"  # mounted on in a look's own mount namespace only
CLAIM, CLAIM_LIMIT, NOTE_LIMIT = ".tanist/claim", 12288, 512
CLONE_NEWNS, CLONE_NEWUTS = 0x20000, 0x4000000
MS_REC, MS_SLAVE = 0x4000, 0x80000
FLOCK = "hhxxxxqqixxxx"  # struct flock: type, whence, start, length, pid


def work(client: str, export: str, options: str, place: str = "") -> int:
    """Without `place`, a look: what it mounts is seen by nobody, and gone with it. `client`: this machine's name, for
    the filer."""
    syscalls.unshare(CLONE_NEWUTS)
    syscalls.set_nodename(client)
    if place:
        return _mount(export, place, options)
    syscalls.unshare(CLONE_NEWNS)
    syscalls.mount_flags("/", MS_REC | MS_SLAVE)  # what is unmounted outside meanwhile goes here as well
    os.makedirs(PLACE, mode=0o700, exist_ok=True)
    status = _mount(export, PLACE, options)
    if status:
        return status
    try:
        print("\n".join(_look()), flush=True)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}" if error.filename else error.strerror, file=sys.stderr, flush=True)
        return 1
    return 0


def _mount(export: str, place: str, options: str) -> int:
    argv = ["mount", "-t", FSTYPE, "-o", options, "--", export, place]
    return os.spawnvpe(os.P_WAIT, argv[0], argv, ENVIRONMENT)  # noqa: S606 - subprocess takes longer to import


def _look() -> Sequence[str]:
    try:
        info = os.stat(f"{PLACE}/{os.path.dirname(CLAIM)}")
    except FileNotFoundError:
        return "-", "free", "-1", ""
    claim = _read(CLAIM, CLAIM_LIMIT)
    locked, note = _ask_for_lock()
    return ("-" if claim is None else claim.hex()), ("locked" if locked else "free"), str(info.st_uid), note


def _read(name: str, limit: int) -> bytes | None:
    try:
        fd = os.open(f"{PLACE}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror, name) from None
    try:
        return os.read(fd, limit)
    finally:
        os.close(fd)


def _ask_for_lock() -> tuple[bool, str]:
    """Asked, never tried: one that was had, for a moment, would be refused to an owner that claims it after the
    filer's restart."""
    try:
        fd = os.open(f"{PLACE}/{LOCK}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False, ""
    try:
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        found = struct.unpack_from("h", fcntl.fcntl(fd, fcntl.F_GETLK, asked))[0]
        words = os.read(fd, NOTE_LIMIT).decode("utf-8", "replace").split()
        return found != fcntl.F_UNLCK, " ".join(words)
    finally:
        os.close(fd)
