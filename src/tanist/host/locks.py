"""flock(2) with a note of who holds it. The kernel lets go when the holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time

from tanist.model.dataclasses import dataclass

NOTE_LIMIT = 4096
NOTE_PATIENCE = 0.2  # seconds; who has just taken the lock writes its note next


@dataclass(slots=True)
class FileLock:
    fd: int

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def take_lock(path: str, note: str) -> FileLock | str:
    """The lock, or the note of the one who has it. The file stays for good: removing it would part the lock in two."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held = "" if error.errno not in (errno.EWOULDBLOCK, errno.EACCES) else _read_note(fd)
        os.close(fd)
        if not held:
            raise
        return held
    os.ftruncate(fd, 0)  # the note of the last one, which nobody is to be told
    os.pwrite(fd, note.encode()[:NOTE_LIMIT], 0)
    return FileLock(fd)


def _read_note(fd: int) -> str:
    deadline = time.monotonic() + NOTE_PATIENCE
    while not (held := os.pread(fd, NOTE_LIMIT, 0).decode("utf-8", "replace").strip()):
        if time.monotonic() > deadline:
            return "a process that left no note"
        time.sleep(0.01)
    return held
