"""Load on a service address, from the client: started, stopped, held against what the server has, and its outages.

Times are CLOCK_MONOTONIC seconds: one clock for the machine and every node of the lab.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from lab.errors import LabError
from lab.lab import Lab
from lab.run import wait_until

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
PROGRAMS = {"postgresql": ("pgledger.py", "--create"), "opscenter": ("ecledger.py",)}
TARGET = "/root/clients"
Kind = Literal["postgresql", "opscenter"]


@dataclass(frozen=True, slots=True)
class Ack:
    number: int
    sent: float
    acked: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From the last acknowledgement to the first one of a write sent after `since`."""

    last: float
    first: float

    @property
    def seconds(self) -> float:
        return self.first - self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the server has against what it acknowledged; `status` 0: all of it, once."""

    status: int
    acked: int
    rows: int
    missing: int
    twice: int
    unknown: int
    evidence: str


@dataclass(slots=True)
class LedgerRun:
    """One load client; its ledger grows over several starts, so that all is verified at the end."""

    lab: Lab
    kind: Kind
    address: str
    rate: float = 200.0
    threads: int = 2
    name: str = ""
    node: str = "client"

    @property
    def path(self) -> str:
        return f"/root/ledger-{self.name or self.kind}"

    @property
    def unit(self) -> str:
        return f"ledger-{self.name or self.kind}.service"

    def start(self) -> None:
        """Returns when the first write of this start was acknowledged."""
        self.lab.exec(self.node, ["rm", "-rf", TARGET], check=True)
        self.lab.push(self.node, CLIENTS, TARGET)
        program, *more = PROGRAMS[self.kind]
        options = ["--ledger", self.path, "--threads", str(self.threads), "--rate", f"{self.rate:g}", *more]
        argv = ["python3", "-B", f"{TARGET}/{program}", "run", *options, self.address]
        begun = time.monotonic()
        self.lab.exec(self.node, ["systemd-run", "-q", "--collect", "--unit", self.unit, *argv], check=True)
        self.wait_ack(begun)

    def stop(self) -> None:
        """Returns when the ledger is closed."""
        self.lab.exec(self.node, ["systemctl", "stop", self.unit], check=True)

    def acks(self) -> list[Ack]:
        done = self.lab.exec(self.node, ["cat", self.path])
        return parse_acks(done.stdout.decode().splitlines()) if done.returncode == 0 else []

    def wait_ack(self, since: float, timeout: float = 60) -> Ack:
        """The first acknowledgement of a write that was sent after `since`."""
        found: list[Ack] = []

        def look() -> bool:
            found[:] = [ack for ack in self.last_acks() if ack.sent > since]
            return bool(found)

        try:
            wait_until("acknowledged write", look, timeout=timeout, pause=0.02)
        except LabError:
            raise LabError(f"no write was acknowledged by {self.address} in {timeout:g} s{self._complaint()}") from None
        return found[0]

    def last_acks(self) -> list[Ack]:
        done = self.lab.exec(self.node, ["tail", "-n", "50", self.path])
        return parse_acks(done.stdout.decode().splitlines())

    def _complaint(self) -> str:
        done = self.lab.exec(self.node, ["journalctl", "-q", "-n", "5", "-o", "cat", "-u", self.unit])
        said = done.stdout.decode().strip()
        return f": {said}" if said else ""

    def outage(self, since: float) -> Outage:
        """The interruption that lies around or after `since`. LabError when the service has not answered again."""
        return find_outage(self.acks(), since)

    def verify(self) -> Verdict:
        program, *_ = PROGRAMS[self.kind]
        argv = ["python3", "-B", f"{TARGET}/{program}", "verify", "--ledger", self.path, self.address]
        done = self.lab.exec(self.node, argv, timeout=180)
        return parse_verdict(done.returncode, done.stdout, done.stderr)


def parse_acks(lines: Iterable[str]) -> list[Ack]:
    """Acknowledgements in order; a torn line (the client is writing it) is none."""
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("k") == "ack":
            found.append(Ack(entry["n"], entry["sent"], entry["acked"]))
    return found


def find_outage(acks: Iterable[Ack], since: float) -> Outage:
    """The longest silence between acknowledgements that ends after `since`."""
    times = sorted(ack.acked for ack in acks)
    gaps = [Outage(last=a, first=b) for a, b in pairwise(times) if b > since]
    if not gaps:
        raise LabError("no write was acknowledged afterwards")
    return max(gaps, key=lambda gap: gap.seconds)


def parse_verdict(status: int, out: bytes, err: bytes) -> Verdict:
    said = err.decode(errors="replace").strip()
    body = json.loads(out) if out.strip() else {}
    return Verdict(
        status=status,
        acked=body.get("acked", 0),
        rows=body.get("rows", 0),
        missing=len(body.get("missing", ())),
        twice=len(body.get("twice", ())),
        unknown=body.get("unknown", 0),
        evidence=said or f"missing {body.get('missing', [])[:10]}, twice {body.get('twice', [])[:10]}",
    )
