"""Running programs in a machine by its virtio ports, beside any network: the caller's end of guest/agent.py.

Also a program: `python -m lab.vm.channel LAB NODE JSON ARGV...` with this process's own stdin, stdout and stderr.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import time
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError, LabTimeout
from lab.vm.layout import EXEC_PORTS

CHUNK = 49152
LOST = 137  # the machine lost power or started anew under the program: as one that was killed
Sink = Callable[[bytes], object]


class Session:
    """One program in the machine. `lines` of other sessions are left over from callers that have gone."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.name = os.urandom(8).hex().encode()
        self.accepted = False
        self.queue = bytearray()
        self._rest = b""

    def start(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        words = {"argv": list(argv), "env": dict(environment), "cwd": "/root"}
        self.say(b"S", json.dumps(words).encode())

    def say(self, kind: bytes, data: bytes = b"") -> None:
        """Put a line in the queue; `flush` sends."""
        self.queue += b"\n%s %s %s" % (self.name, kind, b2a_base64(data))

    def flush(self) -> None:
        """Send what the machine takes now. Never waits: the machine may be waiting for us to read."""
        try:
            del self.queue[: self.link.send(self.queue)]
        except BlockingIOError:
            pass
        except OSError:
            self.queue.clear()  # the power is gone; `take` says so

    def take(self, out: Sink, err: Sink) -> int | None:
        """Read what has come; the status once the program has ended."""
        try:
            data = self.link.recv(1 << 18)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            return LOST
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            words = line.split(b" ")
            if words[:2] == [b"-", b"B"] and self.accepted:
                return LOST
            if len(words) != 3 or words[0] != self.name:
                continue
            content = a2b_base64(words[2])
            match words[1]:
                case b"A":
                    self.accepted = True
                case b"O":
                    out(content)
                case b"R":
                    err(content)
                case b"X":
                    return int(content)
        return None


@contextmanager
def open_session(directory: Path, timeout: float | None) -> Iterator[Session]:
    """A port that nobody else uses, of the machine whose files lie in `directory`."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        for number in range(EXEC_PORTS):
            lock = os.open(directory / f"exec{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as link:
                    try:
                        link.connect(str(directory / f"exec{number}"))
                    except OSError as e:
                        raise LabError(f"{directory.name}: the machine does not answer: {e}") from None
                    link.setblocking(False)
                    yield Session(link)
                    return
            except BlockingIOError:
                pass  # another caller's
            finally:
                os.close(lock)
        if end is not None and time.monotonic() > end:
            raise LabTimeout(f"{directory.name}: all {EXEC_PORTS} ways in are taken")
        time.sleep(0.02)


def run(
    directory: Path,
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    input: bytes | None,
    timeout: float | None,
) -> tuple[int, bytes, bytes]:
    """Run a program to the end; LabTimeout, with the program killed, after `timeout` seconds."""
    out, err = bytearray(), bytearray()
    with open_session(directory, timeout) as session:
        session.start(argv, environment)
        status = _converse(session, out.extend, err.extend, memoryview(input or b""), timeout)
    if status is None:
        raise LabTimeout(f"{directory.name}: {' '.join(argv)} took longer than {timeout:g} s")
    return status, bytes(out), bytes(err)


def pass_through(directory: Path, argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run with this process's own stdin, stdout and stderr; when this process is interrupted, the program is killed."""
    with open_session(directory, None) as session:
        session.start(argv, environment)
        try:
            status = _converse(session, lambda data: _write(1, data), lambda data: _write(2, data), 0, None)
        except BaseException:
            _kill(session)
            raise
    assert status is not None
    return status


def _converse(session: Session, out: Sink, err: Sink, source: int | memoryview, timeout: float | None) -> int | None:
    """Until the program ends: its status. `source`: a file to read its input from, or all of it. None: time is over."""
    end = None if timeout is None else time.monotonic() + timeout
    open_input = True
    while True:
        if open_input and not session.queue and isinstance(source, memoryview):
            open_input, source = _feed(session, bytes(source[:CHUNK])), source[CHUNK:]
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            _kill(session)
            return None
        files: list[int | socket.socket] = [session.link]
        if open_input and not session.queue and isinstance(source, int):
            files.append(source)
        readable, writable, _ = select.select(files, [session.link] if session.queue else [], [], left)
        if writable:
            session.flush()
        if session.link in readable:
            status = session.take(out, err)
            if status is not None:
                return status
        if isinstance(source, int) and source in readable:
            open_input = _feed(session, os.read(source, CHUNK))


def _feed(session: Session, data: bytes) -> bool:
    session.say(b"I" if data else b"E", data)
    return bool(data)


def _kill(session: Session) -> None:
    """Kill the program in the machine, if the machine still reads."""
    session.say(b"K")
    session.link.settimeout(1)
    try:
        session.link.sendall(session.queue)
    except OSError:
        return


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def channel_argv(
    python: Sequence[str], repository: Path, directory: Path, argv: Sequence[str], environment: Mapping[str, str]
) -> list[str]:
    """A command line of the machine that does `pass_through`."""
    start = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from lab.vm.channel import main; sys.exit(main(sys.argv[1:]))"
    )
    return [*python, "-c", start, str(repository), str(directory), json.dumps(dict(environment)), *argv]


def main(words: list[str]) -> int:
    directory, environment, *argv = words
    return pass_through(Path(directory), argv, json.loads(environment))
