"""Runs in a client of the NFS server: numbered lines, each with fsync, under a lock that is held all the time.

Usage: appender.py FILE NOTES. Notes, a line each with the time: "locked", "N" once line N is on the server's disk,
"failed" with the reason, which ends it.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time


def main(path: str, notes: str) -> None:
    kept = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(what: str) -> None:
        os.write(kept, f"{time.time():.2f} {what}\n".encode())

    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        note("locked")
        number = 0
        while True:
            number += 1
            os.write(fd, f"{number}\n".encode())
            os.fsync(fd)
            note(f"{number}")
            time.sleep(0.1)
    except OSError as error:
        note(f"failed {error}")
        raise


main(*sys.argv[1:])
