"""The machine's end of `labctl exec`: runs programs that come in by virtio ports, beside any network.

A line each way is "SESSION KIND BASE64": in S(tart: JSON of argv, env, cwd), I(nput), E(nd of input), K(ill); out
A(ccepted), O(utput), R (standard error), X (status), and B at the start of this agent. Lines of another session are
left over from a caller that has gone; a start ends the session before it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import threading
from binascii import a2b_base64, b2a_base64
from contextlib import suppress
from typing import Any

CHUNK = 65536
NAME = "lab.exec."


class Job:
    """A program under way on a port."""

    def __init__(self, session: bytes, poll: select.epoll, words: dict[str, Any]) -> None:
        self.session, self.poll, self.status = session, poll, 0
        self.pending, self.ended, self.feeding, self.deaf = bytearray(), False, False, False
        (inside, self.stdin), (out, out_inside), (err, err_inside) = os.pipe(), os.pipe(), os.pipe()
        try:
            self.process = subprocess.Popen(
                words["argv"],
                env=words["env"],
                cwd=words["cwd"],
                stdin=inside,
                stdout=out_inside,
                stderr=err_inside,
                start_new_session=True,
            )
        except OSError as e:
            for fd in (self.stdin, out, err):
                os.close(fd)
            raise SystemExit(f"{words['argv'][0]}: {e.strerror}") from None
        finally:
            for fd in (inside, out_inside, err_inside):
                os.close(fd)
        self.pid_fd = os.pidfd_open(self.process.pid)
        self.watched = {out: b"O", err: b"R", self.pid_fd: b""}
        for fd in self.watched:
            poll.register(fd, select.EPOLLIN)
        os.set_blocking(self.stdin, False)

    def drop(self, fd: int) -> None:
        del self.watched[fd]
        self.poll.unregister(fd)
        os.close(fd)

    def feed(self, data: bytes = b"") -> None:
        """Give the program as much of its input as it takes now."""
        if self.deaf:
            return
        self.pending += data
        try:
            while self.pending:
                del self.pending[: os.write(self.stdin, self.pending[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self.pending.clear()
            self.ended = True
        if bool(self.pending) != self.feeding:
            self.feeding = bool(self.pending)
            if self.feeding:
                self.poll.register(self.stdin, select.EPOLLOUT)
            else:
                self.poll.unregister(self.stdin)
        if self.ended and not self.pending:
            self.close_input()

    def close_input(self) -> None:
        if not self.deaf:
            self.deaf = True
            if self.feeding:
                self.poll.unregister(self.stdin)
            os.close(self.stdin)

    def end_input(self) -> None:
        self.ended = True
        self.feed()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        for fd in list(self.watched):
            self.drop(fd)
        self.close_input()
        self.process.wait()


class Port(threading.Thread):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.poll, self.rest = select.epoll(), b""
        self.job: Job | None = None

    def run(self) -> None:  # type: ignore[explicit-override]
        os.set_blocking(self.fd, False)
        with suppress(OSError):
            os.write(self.fd, b"\n- B \n")  # whoever listens now waits for a program of an earlier boot
        # edge-triggered: a port without a caller is "hung up" all the time
        self.poll.register(self.fd, select.EPOLLIN | select.EPOLLET)
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.fd:
                    self.read_port()
                elif self.job:
                    self.read_job(self.job, fd)

    def say(self, session: bytes, kind: bytes, data: bytes = b"") -> None:
        os.set_blocking(self.fd, True)
        line = b"\n%s %s %s" % (session, kind, b2a_base64(data))
        while line:
            try:
                line = line[os.write(self.fd, line) :]
            except OSError:
                break
        os.set_blocking(self.fd, False)

    def read_port(self) -> None:
        while True:
            try:
                data = os.read(self.fd, CHUNK)
            except BlockingIOError:
                return
            if not data:
                return
            *lines, self.rest = (self.rest + data).split(b"\n")
            for line in lines:
                words = line.split(b" ")
                if len(words) == 3:
                    with suppress(ValueError):
                        self.take(words[0], words[1], a2b_base64(words[2]))

    def take(self, session: bytes, kind: bytes, data: bytes) -> None:
        if kind == b"S":
            self.end_job(kill=True)
            self.start_job(session, json.loads(data))
        elif self.job and self.job.session == session:
            if kind == b"I":
                self.job.feed(data)
            elif kind == b"E":
                self.job.end_input()
            elif kind == b"K":
                self.job.kill()
                self.say(session, b"X", b"137")
                self.end_job()

    def start_job(self, session: bytes, words: dict[str, Any]) -> None:
        self.say(session, b"A")
        try:
            self.job = Job(session, self.poll, words)
        except SystemExit as e:
            self.say(session, b"R", f"{e}\n".encode())
            self.say(session, b"X", b"127")

    def end_job(self, *, kill: bool = False) -> None:
        if self.job:
            if kill:
                self.job.kill()
            self.job.close()
            self.job = None

    def read_job(self, job: Job, fd: int) -> None:
        if fd not in job.watched:
            job.feed()
        elif fd == job.pid_fd:
            job.status = job.process.wait()
            job.drop(fd)
        else:
            data = os.read(fd, CHUNK)
            if data:
                self.say(job.session, job.watched[fd], data)
            else:
                job.drop(fd)
        if not job.watched:
            status = 128 - job.status if job.status < 0 else job.status
            self.say(job.session, b"X", str(status).encode())
            self.end_job()


def main() -> None:
    ports = "/sys/class/virtio-ports"
    for name in sorted(os.listdir(ports)):
        with open(f"{ports}/{name}/name") as f:
            if f.read().startswith(NAME):
                Port(f"/dev/{name}").start()


if __name__ == "__main__":
    main()
