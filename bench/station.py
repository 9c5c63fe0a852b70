"""The lab that is measured in: two nodes with tanist and PostgreSQL, and a client that asks all the time."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.controllers import postgresql
from lab.controllers.install import ROOT, install_tanist
from lab.lab import Lab

HERE = Path(__file__).resolve().parent
BENCH, CLIENTS = "/opt/bench", "/opt/clients"
SETTLE = 0.3  # seconds between two measurements: what the last one left to do is not the next one's


class BenchError(Exception):
    """A command that was to be measured failed; its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Seconds of CLOCK_MONOTONIC. `let_go`: 0.0 when not asked for."""

    began: float
    ended: float
    let_go: float = 0.0
    answers: tuple[float, ...] = ()  # when the client was answered meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    lab: Lab

    def run(self, node: str, argv: Sequence[str], *, let_go: bool = False, ask: bool = False) -> Timed:
        """Run a command on a node, timed there; with `ask`, the client asks from before until after."""
        watch = ["--let-go", postgresql.TREE, postgresql.ADDRESS] if let_go else []
        timed = ["python3", f"{BENCH}/node/timed.py", *watch, "--", *argv]
        answers: list[float] = []
        with self._asking(answers) if ask else _nothing():
            done = self.lab.exec(node, timed, check=True, timeout=300)
            time.sleep(SETTLE)
        report = json.loads(done.stdout)
        if report["status"] != 0:
            raise BenchError(f"{node}: {' '.join(argv)}: status {report['status']}:\n{report['said']}")
        if let_go and report["let_go"] is None:
            raise BenchError(f"{node}: {' '.join(argv)}: it ended, and the asset is still here:\n{report['said']}")
        return Timed(
            began=report["began"], ended=report["ended"], let_go=report["let_go"] or 0.0, answers=tuple(answers)
        )

    @contextmanager
    def _asking(self, answers: list[float]) -> Iterator[None]:
        """The client asks while the block runs; what it heard is in `answers` afterwards."""
        poll = ["python3", f"{BENCH}/node/poll.py", CLIENTS, postgresql.ADDRESS]
        argv = self.lab.enter_argv("client", poll)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            assert client.stdout is not None
            if client.stdout.readline() != b"asking\n":
                raise BenchError("the client did not begin to ask")
            try:
                yield
            finally:
                said, _ = client.communicate(timeout=30)
            answers += json.loads(said)

    def read(self, node: str, script: str) -> str:
        return self.lab.exec(node, ["sh", "-c", script], check=True).stdout.decode()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def open_station(beside: str = "") -> Iterator[Station]:
    """ec-a is the active node of postgresql, ec-b its standby. Taken down at the end. `beside`: a letter for each of
    several that are up at once."""
    lab = Lab(f"bench{beside}{os.getpid()}")
    try:
        lab.up()
        install_tanist(lab)
        postgresql.prepare(lab)
        for node in ("ec-a", "ec-b", "client"):
            lab.push(node, HERE, BENCH)
        lab.push("client", ROOT / "lab" / "clients", CLIENTS)
        yield Station(lab=lab)
    finally:
        lab.down()
