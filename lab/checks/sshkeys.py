"""Does the same ssh server answer? Asked on the client, with a known_hosts file that was written before."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

from lab.errors import LabError
from lab.lab import Lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether the host key was the known one, what `hostname` said there, and the evidence when it was not."""

    same: bool
    hostname: str
    evidence: str


@dataclass(slots=True)
class KnownHost:
    lab: Lab
    address: str
    node: str = "client"
    keys: frozenset[str] = field(default_factory=frozenset)

    @property
    def path(self) -> str:
        return f"/root/known_hosts.{self.address}"

    def remember(self) -> int:
        """Write known_hosts from what the address shows now; returns how many keys."""
        self.keys = self.scan()
        if not self.keys:
            raise LabError(f"no ssh server answers at {self.address}")
        text = "".join(f"{key}\n" for key in sorted(self.keys)).encode()
        self.lab.exec(self.node, ["sh", "-c", f"cat > {self.path}"], input=text, check=True)
        return len(self.keys)

    def scan(self) -> frozenset[str]:
        done = self.lab.exec(self.node, ["ssh-keyscan", "-T", "5", self.address])
        return frozenset(line for line in done.stdout.decode().splitlines() if line and not line.startswith("#"))

    def check(self) -> Answer:
        """Log in with the remembered keys alone, and compare every key that is shown."""
        done = self._log_in()
        now = self.scan()
        said = f"ssh {self.address}: status {done.returncode}: {done.stderr.decode().strip()[-600:]}"
        if done.returncode == 0 and now != self.keys:
            said = f"ssh-keyscan {self.address}: {len(now - self.keys)} new keys, {len(self.keys - now)} missing"
        same = done.returncode == 0 and now == self.keys
        return Answer(same=same, hostname=done.stdout.decode().strip(), evidence="" if same else said)

    def _log_in(self) -> subprocess.CompletedProcess[bytes]:
        options = (f"UserKnownHostsFile={self.path}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes")
        words = [w for o in (*options, "BatchMode=yes", "ConnectTimeout=5") for w in ("-o", o)]
        return self.lab.exec(self.node, ["ssh", *words, f"root@{self.address}", "hostname"])
