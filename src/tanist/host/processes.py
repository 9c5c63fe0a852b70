"""Running one program to its end, or killing it at its time limit.

In: an argument list, bytes for its stdin. Out: Ran. No shell, a small fixed environment, no terminal (own session), no
inherited descriptors. Never waits longer than the limit, even when a background child keeps the pipes open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO, Protocol, TypedDict

from tanist.host.environment import ENVIRONMENT
from tanist.host.files import write_all
from tanist.model.host import Ran

OUTPUT_LIMIT = 1 << 20  # bytes kept of stdout and of stderr, half from the start and half from the end
LINGER = 0.2  # seconds that pipes are still read after the program itself has ended
POLL = 0.05
NOT_THERE = 127
NOT_RUNNABLE = 126


class _Account(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class Sink(Protocol):
    def add(self, data: bytes) -> None: ...


class _Output:
    """The first and the last half megabyte of a stream."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.tail = bytearray()
        self.left_out = 0

    def add(self, data: bytes) -> None:
        room = OUTPUT_LIMIT // 2 - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        if len(self.tail) > OUTPUT_LIMIT:  # trimmed rarely: each trim copies half a megabyte
            self._trim()

    def _trim(self) -> None:
        surplus = len(self.tail) - OUTPUT_LIMIT // 2
        if surplus > 0:
            self.left_out += surplus
            del self.tail[:surplus]

    def whole(self) -> bytes:
        self._trim()
        gap = b"\n[... %d bytes left out ...]\n" % self.left_out if self.left_out else b""
        return bytes(self.head) + gap + bytes(self.tail)


class FileSink:
    """All of a stream, up to so many bytes."""

    def __init__(self, fd: int, limit: int) -> None:
        self._fd, self._left, self._limit = fd, limit, limit

    def add(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise OSError(errno.EFBIG, f"it said more than {self._limit} bytes")
        write_all(self._fd, data)


def run_program(argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0, user: str = "") -> Ran:
    """Every exit status is an answer; OSError(ETIMEDOUT) when the program was killed at the limit."""
    return Started(argv, stdin=stdin, timeout=timeout, user=user).end()


class Started:
    """A program that runs meanwhile. `end` must be called: until then nobody reads what it says."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        user: str = "",
        source: int | None = None,
        sink: Sink | None = None,
    ) -> None:
        """`source`: a descriptor that it reads instead of `stdin`; `sink`: where its stdout goes instead of the Ran."""
        self._argv, self._stdin, self._timeout, self._sink = tuple(argv), stdin, timeout, sink
        self._deadline = time.monotonic() + timeout
        self._ran: Ran | None = None
        account, environment = account_of(user)
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=source if source is not None else subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
                start_new_session=True,
                close_fds=True,
                **account,
            )
        except FileNotFoundError:
            self._ran = self._not_run(NOT_THERE, "not found")
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.ENOEXEC):
                raise
            self._ran = self._not_run(NOT_RUNNABLE, f"{error.strerror}")

    def _not_run(self, status: int, why: str) -> Ran:
        return Ran(argv=self._argv, status=status, stdout=b"", stderr=f"{self._argv[0]}: {why}".encode())

    def end(self) -> Ran:
        """Waits for its end; as `run_program`. The limit counts from the start."""
        if self._ran is not None:
            return self._ran
        try:
            out, err = _converse(self._process, self._stdin, self._deadline, self._sink)
            self._process.wait(max(self._deadline - time.monotonic(), 0.001))
        except subprocess.TimeoutExpired:
            raise OSError(errno.ETIMEDOUT, f"{self._argv[0]}: no end within {self._timeout:g} s, killed") from None
        finally:
            end_process(self._process)
        return Ran(argv=self._argv, status=self._process.returncode, stdout=out, stderr=err)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Kill its whole process group when it still runs; close the pipes."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: cannot be waited for
            process.wait(1.0)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def account_of(user: str) -> tuple[_Account, dict[str, str]]:
    if not user:
        return {}, ENVIRONMENT
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise OSError(errno.EINVAL, f"no such account: {user}") from None
    account = _Account(user=entry.pw_uid, group=entry.pw_gid, extra_groups=os.getgrouplist(entry.pw_name, entry.pw_gid))
    return account, {**ENVIRONMENT, "HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}


def _converse(
    process: subprocess.Popen[bytes], stdin: bytes, deadline: float, elsewhere: Sink | None = None
) -> tuple[bytes, bytes]:
    """Feed stdin, collect both outputs, until they are closed or the program has ended and says nothing more."""
    out, err = _Output(), _Output()
    waiting = memoryview(stdin)
    ended: float | None = None
    with selectors.DefaultSelector() as selector:
        for pipe, events, sink in (
            (process.stdin, selectors.EVENT_WRITE, None),
            (process.stdout, selectors.EVENT_READ, elsewhere or out),
            (process.stderr, selectors.EVENT_READ, err),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, events, sink)
        while selector.get_map():
            ready = selector.select(max(min(POLL, deadline - time.monotonic()), 0.001))
            now = time.monotonic()
            for key, _ in ready:
                if key.data is None:
                    waiting = _feed(selector, key.fileobj, waiting)  # type: ignore[arg-type]
                else:
                    _drain(selector, key.fileobj, key.data)  # type: ignore[arg-type]
            # only now: its last words wait in the pipes, however late this process gets to read them
            if ended is not None and (not ready or now > ended + LINGER):
                break  # somebody in the background holds the pipes: not our program any more
            if ended is None and process.poll() is not None:
                ended = now
            if ended is None and now > deadline:
                raise subprocess.TimeoutExpired(process.args, 0)
    return out.whole(), err.whole()


def _feed(selector: selectors.BaseSelector, pipe: IO[bytes], waiting: memoryview) -> memoryview:
    try:
        waiting = waiting[os.write(pipe.fileno(), waiting[:65536]) :]
    except BlockingIOError:
        return waiting
    except BrokenPipeError:  # it did not want to read all of it
        waiting = waiting[:0]
    if not waiting:
        selector.unregister(pipe)
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    return waiting


def _drain(selector: selectors.BaseSelector, pipe: IO[bytes], sink: Sink) -> None:
    """As much as a pipe holds (pipe(7)): nothing of an ended program stays behind."""
    data = os.read(pipe.fileno(), 65536)
    if data:
        sink.add(data)
    else:
        selector.unregister(pipe)
