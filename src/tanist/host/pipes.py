"""Programs whose output goes somewhere else than to this process: into another program, or to whoever called it.

They are tied to this process (setpriv(1), --pdeathsig): whatever ends it, they end.
"""

from __future__ import annotations

import errno
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO

from tanist.host.environment import ENVIRONMENT
from tanist.host.processes import OUTPUT_LIMIT, account_of, end_process
from tanist.model.host import Ran

TIED = ("setpriv", "--pdeathsig", "KILL", "--")


def pipe(first: Sequence[str], second: Sequence[str], *, timeout: float) -> tuple[Ran, Ran]:
    deadline = time.monotonic() + timeout
    with tempfile.TemporaryFile() as complaint, tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as grumble:
        source = _start(first, subprocess.PIPE, complaint)
        try:
            sink = _start(second, told, grumble, source.stdout)
            try:
                assert source.stdout is not None
                source.stdout.close()  # the sink has it: the source must notice when that one ends
                for process in (sink, source):
                    process.wait(max(deadline - time.monotonic(), 0.001))
            except subprocess.TimeoutExpired:
                raise OSError(errno.ETIMEDOUT, f"{first[0]}: no end within {timeout:g} s, killed") from None
            finally:
                end_process(sink)
        finally:
            end_process(source)
        return (
            Ran(argv=tuple(first), status=source.returncode, stdout=b"", stderr=_tail(complaint)),
            Ran(argv=tuple(second), status=sink.returncode, stdout=_tail(told), stderr=_tail(grumble)),
        )


def pass_on(argv: Sequence[str], *, user: str = "") -> int:
    account, environment = account_of(user)
    process = subprocess.Popen(
        [*TIED, *argv], stdin=subprocess.DEVNULL, env=environment, cwd="/", start_new_session=True, **account
    )
    try:
        return process.wait()
    finally:
        end_process(process)


def _start(
    argv: Sequence[str], out: int | IO[bytes], err: IO[bytes], stdin: int | IO[bytes] | None = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*TIED, *argv], stdin=stdin, stdout=out, stderr=err, env=ENVIRONMENT, cwd="/", start_new_session=True
    )


def _tail(file: IO[bytes]) -> bytes:
    size = file.seek(0, 2)
    file.seek(max(size - OUTPUT_LIMIT, 0))
    return file.read()
