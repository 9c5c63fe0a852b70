"""A real Ops Center on 127.0.0.1 below a directory of its own: for tests, and for a look.

python -m lab.opscenter.trial
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .config import Config
from .configure import configure
from .layout import Layout
from .software import install

PASSWORDS = {"admin": "opscenter"}
_START_SECONDS = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Trial:
    def __init__(self, root: Path) -> None:
        self.layout = Layout(root=root)
        self.port, self.proxy_port = free_port(), free_port()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        install(self.layout)
        self.move_to("machine-a")
        config = Config(listen="127.0.0.1", port=self.port, proxy_listen="127.0.0.1", proxy_port=self.proxy_port)
        configure(self.layout, config, PASSWORDS)

    def move_to(self, machine: str) -> None:
        """What a takeover looks like to the product: the same data, another machine."""
        path = self.layout.at("/etc/machine-id")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(machine + "\n")

    def start(self, *parts: str) -> None:
        """ec, jobs, proxy: returns when each has said READY=1, as systemd would."""
        for part in parts:
            address = str(self.layout.root / f"notify-{part}")
            Path(address).unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.bind(address)
                command = [sys.executable, "-m", f"{__package__}.{part}", "--root", str(self.layout.root)]
                with (self.layout.root / f"{part}.log").open("ab") as log:
                    self._running[part] = subprocess.Popen(
                        command, env={**os.environ, "NOTIFY_SOCKET": address}, stdout=log, stderr=log
                    )
                self._wait_ready(part, channel)

    def _wait_ready(self, part: str, channel: socket.socket) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not select.select([channel], [], [], 0.02)[0]:
            if self._running[part].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{part} did not start: {(self.layout.root / f'{part}.log').read_text()}")
        assert channel.recv(100) == b"READY=1"

    def kill(self, *parts: str) -> None:
        """As a power cut does: no warning."""
        for part in parts:
            self._end(part, signal.SIGKILL)

    def stop(self, *parts: str) -> None:
        for part in parts:
            code = self._end(part, signal.SIGTERM)
            assert code == 0, (part, code)

    def _end(self, part: str, number: signal.Signals) -> int:
        process = self._running.pop(part)
        process.send_signal(number)
        return process.wait(timeout=10)

    def close(self) -> None:
        self.kill(*self._running)


@contextlib.contextmanager
def running(root: Path, *parts: str) -> Iterator[Trial]:
    trial = Trial(root)
    try:
        trial.start(*parts)
        yield trial
    finally:
        trial.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "ec", "jobs", "proxy") as trial:
        print(f"http://127.0.0.1:{trial.port}/ (admin, opscenter); the tree is {trial.layout.tree}; ^C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
