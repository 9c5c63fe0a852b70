"""NFS exports on this machine: mounted, unmounted, looked at; and the lock that their owner holds.

mount(8) does the mounting: its helper resolves names and agrees on a version. Whatever asks the filer is done by a
child with a time limit, which can be killed while it waits (the kernel's NFS client waits killably), so that a filer
which is away hangs nobody. Never unmounted lazily: pages would go on being written from a mount that nobody sees.

A filer knows its clients by name, the machine's host name if nothing else is said (Documentation/filesystems/nfs/
client-identifier.rst), and takes a second one of that name for the first one, restarted: for a look of the standby's it
would drop the owner's locks. A controller's host name moves, so each machine mounts under a name of its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Sequence

from tanist.host import export_look
from tanist.host.export_look import NOTE_LIMIT
from tanist.host.locks import FileLock
from tanist.host.mountinfo import find_mount, read_mounts
from tanist.host.processes import run_program
from tanist.model.exports import FSTYPE, judge_options
from tanist.model.host import ExportSeen, Mount, Ran

MOUNT_PATIENCE = 60.0  # seconds
UNMOUNT_PATIENCE = 20.0  # seconds, for what was written to reach the filer, and again for the unmount


def is_export(mount: Mount | None) -> bool:
    return mount is not None and mount.fstype == FSTYPE


def mount_export(export: str, place: str, options: Sequence[str]) -> None:
    """Safe to repeat. OSError with mount(8)'s words, and where the options in force are not what an owner needs: what
    was mounted here is unmounted again, what was there before is left as it is."""
    there = find_mount(read_mounts(), place)
    if there is not None and (not is_export(there) or there.source != export):
        said = f"{there.source} ({there.fstype}) is already mounted there, not {export}"
        raise OSError(errno.EBUSY, f"{place}: {said}")
    if there is None:
        ran = _run_child(export, (*options, "retry=0"), place, MOUNT_PATIENCE)
        if ran.status != 0:
            raise OSError(errno.EIO, f"mount of {export} at {place}: {ran.complaint}")
    mounted = find_mount(read_mounts(), place)
    wrong = judge_options(mounted.wide) if mounted else ("it is not in the table of mounts",)
    if wrong and there is None:
        unmount_export(place)
    if wrong:
        raise OSError(errno.EINVAL, f"mount of {export} at {place}: {'; '.join(wrong)}")


def unmount_export(place: str) -> None:
    """What was written is on the filer first. OSError(EBUSY) when in use; OSError(ETIMEDOUT) where the filer does not
    answer: then it is mounted still, or its last pages are on their way, and nobody else may have it."""
    ran = run_program(["sync", "--file-system", place], timeout=UNMOUNT_PATIENCE)
    if ran.status != 0:
        raise OSError(errno.EIO, f"unmount of {place}: {ran.complaint}")
    ran = run_program(_unmount(place), timeout=UNMOUNT_PATIENCE)
    if ran.status != 0:
        raise OSError(_why_kept(ran), f"unmount of {place}: {ran.complaint}")


def _why_kept(ran: Ran) -> int:
    words = ran.complaint
    return errno.EBUSY if "busy" in words else errno.EINVAL if "not mounted" in words else errno.EIO


def _unmount(place: str, *more: str) -> list[str]:
    """Without its helper, and without a look at the path, which would ask the filer."""
    return ["umount", "-i", "-c", *more, "--", place]


def abandon_export(place: str) -> None:
    """All that waits for the filer ends with an error, and what was not written yet is lost (umount2(2), MNT_FORCE):
    for a tree that is another node's. It stays mounted where somebody has a file open."""
    ran = run_program(_unmount(place, "-f"), timeout=UNMOUNT_PATIENCE)
    if ran.status != 0:
        raise OSError(_why_kept(ran), f"forced unmount of {place}: {ran.complaint}")


# -- the owner's lock
class RecordLock(FileLock):
    def renew(self, note: bytes) -> None:
        """On the filer when it returns. OSError where the lock was lost: the filer took this node for dead."""
        os.pwrite(self.fd, note[:NOTE_LIMIT].ljust(NOTE_LIMIT), 0)
        os.fsync(self.fd)


def hold_record(path: str, note: bytes) -> RecordLock | None:
    """fcntl(2) on the whole file, with a note of who has it; None where somebody else has. Never waits for that one.
    Closing any other descriptor of the file in this process lets go of it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = RecordLock(fd)
        held.renew(note)
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise
    return held


# -- a look, and the child that mounts
def look_at_export(export: str, options: Sequence[str], seconds: float) -> ExportSeen:
    """OSError with the reason; at the latest after so many seconds."""
    try:
        ran = _run_child(export, options, "", seconds)
    except OSError as error:
        if error.errno != errno.ETIMEDOUT:
            raise
        raise OSError(errno.ETIMEDOUT, f"its filer gave no answer within {seconds:g} s") from None
    lines = ran.text.split("\n")
    if ran.status != 0 or len(lines) < 4:
        raise OSError(errno.EIO, ran.complaint)
    claim, locked, owner, note = lines[:4]
    data = None if claim == "-" else bytes.fromhex(claim)
    return ExportSeen(claim=data, locked=locked != "free", note=note, owner=int(owner))


def _run_child(export: str, options: Sequence[str], place: str, seconds: float) -> Ran:
    """Until its end. Its mounts carry this machine's name, whatever host name it has at the moment."""
    begin = f"from {export_look.__name__} import work; sys.exit(work(*sys.argv[1:]))"
    code = f"import sys; sys.path[:0] = {sys.path!r}; {begin}"
    argv = [sys.executable, "-IS", "-c", code, client_name(), export, ",".join(options), place]
    return run_program(argv, timeout=seconds)


def client_name() -> str:
    """By which a filer knows this machine, the same after a boot: then it drops what it had of the boot before."""
    try:
        with open("/etc/machine-id") as file:
            found = file.read().strip()
    except OSError:
        found = ""
    return f"tanist-{found or os.uname().nodename}"[:64]
