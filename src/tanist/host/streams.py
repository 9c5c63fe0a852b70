"""Programs whose output, or input, is a file: as much as there is, never in memory.

The files are opened here, as root, below a directory that is opened part by part: the account of the program need not
be able to open them, and no link leads astray.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from tanist.host.files import Files
from tanist.host.processes import FileSink, Started
from tanist.model.host import Ran

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def run_into(files: Files, argv: Sequence[str], into: str, *, limit: int, timeout: float, user: str) -> Ran:
    directory = files.open_directory(os.path.dirname(into))
    try:
        fd = os.open(os.path.basename(into), NEW, 0o600, dir_fd=directory)
        try:
            ran = Started(argv, timeout=timeout, user=user, sink=FileSink(fd, limit)).end()
            os.fsync(fd)
        finally:
            os.close(fd)
        os.fsync(directory)
        return ran
    finally:
        os.close(directory)


def run_from(files: Files, argv: Sequence[str], source: str, *, timeout: float, user: str) -> Ran:
    directory = files.open_directory(os.path.dirname(source))
    try:
        fd = os.open(os.path.basename(source), OLD, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        return Started(argv, timeout=timeout, user=user, source=fd).end()
    finally:
        os.close(fd)
