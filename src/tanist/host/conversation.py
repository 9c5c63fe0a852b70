"""Talking to a program line by line, for as long as it takes, without ever waiting longer than one says."""

from __future__ import annotations

import errno
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType

from tanist.host.environment import ENVIRONMENT
from tanist.host.processes import end_process

LINE_LIMIT = 1 << 20  # bytes
COMPLAINT_LIMIT = 16384


class Conversation:
    """A started program: lines in, lines out. Killed with its process group at the end of the block.

    OSError(ETIMEDOUT) when it keeps silent, OSError(EPIPE) with its last words once it has ended. Timeouts in seconds.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = tuple(argv)
        self._unread = bytearray()
        self._said = bytearray()  # the end of stderr

    def __enter__(self) -> Conversation:
        self._process = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._err = self._process.stderr.fileno()
        self._hears = {self._out, self._err}
        for fd in (self._in, self._out, self._err):
            os.set_blocking(fd, False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end_process(self._process)

    @property
    def complaint(self) -> str:
        """The last line of its stderr."""
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    @property
    def last_words(self) -> str:
        """All of what is kept of its stderr."""
        return self._said.decode("utf-8", "replace").strip()

    def write_line(self, line: str, timeout: float) -> None:
        if "\n" in line:
            raise ValueError("a line has no newline inside")
        self.write(line.encode() + b"\n", timeout)

    def write(self, data: bytes, timeout: float) -> None:
        """All of it; `timeout` for this call."""
        waiting = memoryview(data)
        deadline = time.monotonic() + timeout
        while waiting:
            if self._in in self._wait(deadline, writing=True):
                try:
                    waiting = waiting[os.write(self._in, waiting) :]
                except BrokenPipeError:
                    raise self._ended() from None

    def read_line(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while (end := self._unread.find(b"\n")) < 0:
            if self._out not in self._hears:
                raise self._ended()
            if len(self._unread) > LINE_LIMIT:
                raise OSError(errno.EMSGSIZE, f"{self.argv[0]}: a line longer than {LINE_LIMIT} bytes")
            self._wait(deadline)
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return line.decode("utf-8", "replace")

    def finish(self, timeout: float) -> int:
        """Close its stdin and wait for its end: the exit status. What it still says is dropped."""
        assert self._process.stdin
        self._process.stdin.close()
        deadline = time.monotonic() + timeout
        while self._hears:
            self._wait(deadline)
            self._unread.clear()
        try:
            return self._process.wait(max(deadline - time.monotonic(), 0.001))
        except subprocess.TimeoutExpired:
            raise self._silent() from None

    def _wait(self, deadline: float, *, writing: bool = False) -> set[int]:
        """Take in what has come. Answers which descriptors were ready."""
        with selectors.SelectSelector() as selector:
            for fd in self._hears:
                selector.register(fd, selectors.EVENT_READ)
            if writing:
                selector.register(self._in, selectors.EVENT_WRITE)
            ready = {key.fd for key, _ in selector.select(max(deadline - time.monotonic(), 0))}
        if not ready:
            raise self._silent()
        for fd in ready & self._hears:
            data = os.read(fd, 65536)
            if not data:
                self._hears.discard(fd)
            elif fd == self._out:
                self._unread += data
            else:
                self._said = (self._said + data)[-COMPLAINT_LIMIT:]
        return ready

    def _silent(self) -> OSError:
        return OSError(errno.ETIMEDOUT, f"{self.argv[0]}: no answer in time")

    def _ended(self) -> OSError:
        try:
            while self._err in self._hears:
                self._wait(time.monotonic() + 0.2)
            status = str(self._process.wait(0.2))
        except (OSError, subprocess.TimeoutExpired):
            status = "unknown"
        return OSError(errno.EPIPE, f"{self.argv[0]} has ended (status {status}): {self.complaint}")
