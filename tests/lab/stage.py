"""A pair with one controller on it, as the lab tests use it: short ways to type commands and to look."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from lab.checks import Fingerprint, KnownHost, LedgerRun, diff, read_fingerprint
from lab.controllers import opscenter, postgresql
from lab.controllers.install import install_tanist
from lab.lab import Lab
from lab.layout import node_spec
from lab.machine import why_no_lab

Kind = Literal["postgresql", "opscenter"]
MODULES = {"postgresql": postgresql, "opscenter": opscenter}
# A directory's own time says that an entry came and went in it, which is true; what is in it is compared byte for byte.
# The exports are written afresh by each takeover.
OWN_TIMES = (
    *("/etc", "/etc/tanist/identity", "/etc/cron.d", "/etc/ssl/private", "/etc/ssl/certs", "/etc/exports.d"),
    "/etc/exports.d/tanist-opscenter.exports",
)
ASK = """
import http.client, json, sys
method, path, token, body = sys.argv[1:]
link = http.client.HTTPConnection("ec.lab.test", 8080, timeout=10)
link.request(method, path, body or None, {"Authorization": "Bearer " + token})
reply = link.getresponse()
print(json.dumps([reply.status, json.loads(reply.read())]))
"""


@contextmanager
def open_lab(name: str, *, tanist: bool = False) -> Iterator[Lab]:
    """A lab with all three nodes up, under a name of this process; taken down in the end. With `tanist`: on both nodes.

    Where there can be no lab, the test is skipped, with the reason."""
    reason = why_no_lab()
    if reason is not None:
        pytest.skip(reason)
    lab = Lab(f"{name}{os.getpid()}")
    try:
        lab.up()
        if tanist:
            install_tanist(lab)
        yield lab
    finally:
        lab.down()


@dataclass(frozen=True, slots=True)
class Ran:
    status: int
    out: str
    err: str


@dataclass(slots=True)
class Stage:
    """`kept` holds what one step saw and a later one compares."""

    lab: Lab
    kind: Kind
    fstype: str
    mode: str
    ledger: LedgerRun
    known: KnownHost
    kept: dict[str, Any] = field(default_factory=dict)
    owners: list[str] = field(default_factory=lambda: ["ec-a"])  # who held it, in order

    @property
    def tree(self) -> str:
        return str(MODULES[self.kind].TREE)

    @property
    def device(self) -> str:
        return str(MODULES[self.kind].DEVICE)

    @property
    def address(self) -> str:
        return str(MODULES[self.kind].ADDRESS)

    @property
    def hostname(self) -> str:
        return {"postgresql": "db", "opscenter": "ec"}[self.kind]

    @property
    def units(self) -> tuple[str, ...]:
        ec = ("sun-xvm-ec.service", "sun-xvm-jobs.service", "sun-xvm-proxy.service")
        return {"postgresql": ("postgresql@15-main.service",), "opscenter": ec}[self.kind]

    @property
    def outside(self) -> tuple[str, ...]:
        """What moves by capture, cron entries apart."""
        pg = ("/etc/postgresql", "/etc/ssl/private/db.key", "/etc/ssl/certs/db.pem")
        return {"postgresql": pg, "opscenter": ("/etc/sun-xvm",)}[self.kind]

    @property
    def cron(self) -> str:
        return {"postgresql": "/etc/cron.d/postgresql-ledger", "opscenter": "/etc/cron.d/sun-xvm"}[self.kind]

    @property
    def binds(self) -> tuple[str, ...]:
        loopback = ("/etc/opt/SUNWuce", "/var/opt/SUNWuce", "/opt/SUNWuce")
        return {"postgresql": (), "opscenter": loopback}[self.kind]

    # ---- typing

    def run(self, node: str, *argv: str, timeout: float = 300, stdin: bytes | None = None) -> Ran:
        done = self.lab.exec(node, argv, input=stdin, timeout=timeout)
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def sh(self, node: str, script: str, timeout: float = 120) -> str:
        """What a shell script prints; an error when it fails."""
        return self.lab.exec(node, ["sh", "-c", script], check=True, timeout=timeout).stdout.decode().strip()

    def tanist(self, node: str, verb: str, *words: str) -> str:
        """`tanist VERB NAME WORD...`, which must end well. Gives everything that it said."""
        ran = self.run(node, "tanist", verb, self.kind, *words)
        assert ran.status == 0, f"tanist {verb} {shlex.join(words)} on {node}: {ran.status}\n{ran.out}{ran.err}"
        return ran.out + ran.err

    def refused(self, node: str, status: int, verb: str, *words: str) -> str:
        """The same, which must be refused with this status and change nothing of the node."""
        before = self.fingerprint(node)
        ran = self.run(node, "tanist", verb, self.kind, *words)
        assert ran.status == status, f"tanist {verb} on {node}: {ran.status}, not {status}\n{ran.out}{ran.err}"
        assert diff(before, self.fingerprint(node)) == []
        return ran.out + ran.err

    def switch(self, typed_on: str, to: str) -> None:
        self.tanist(typed_on, "switchover", "--to", to, "--reason", f"from {typed_on}")
        self.owners.append(to)

    # ---- looking

    def status(self, node: str) -> dict[str, Any]:
        ran = self.run(node, "tanist", "status", self.kind, "--json")
        found: dict[str, Any] = json.loads(ran.out)
        return {**found, "exit": ran.status}

    def last_run(self, node: str) -> dict[str, Any]:
        """The newest entry that this node itself wrote; its history has those of the other node, too."""
        return [one for one in self.history(node) if one["node"] == node][-1]

    def history(self, node: str) -> list[dict[str, Any]]:
        out = self.lab.exec(node, ["tanist", "history", self.kind, "--json"], check=True).stdout
        return [json.loads(line) for line in out.splitlines()]

    def captures(self, node: str) -> list[str]:
        """Names, newest first."""
        return [line.split()[0] for line in self.tanist(node, "captures").splitlines() if " epoch " in line]

    def manifest(self, node: str, capture: str = "") -> dict[str, Any]:
        """Of this capture or of the newest one on the tree."""
        name = capture or self.captures(node)[0]
        text = self.sh(node, f"cat {self.tree}/.tanist/captures/{name}/manifest.json")
        found: dict[str, Any] = json.loads(text)
        lines = self.sh(node, f"cat {self.tree}/.tanist/captures/{name}/entries.jsonl")
        return {**found, "entries": [json.loads(line) for line in lines.splitlines()]}

    def fingerprint(self, node: str) -> Fingerprint:
        return read_fingerprint(self.lab, node)

    def changed(self, before: Fingerprint, after: Fingerprint) -> list[str]:
        """Every difference, but for the times of directories that a captured path came into and left."""
        times = tuple(f"{path}: time " for path in OWN_TIMES)
        return [line for line in diff(before, after) if not line.startswith(times)]

    def activity(self, node: str) -> list[str]:
        """Everything of the controller that is in use on a node; [] on one that is inert."""
        script = [f"mountpoint -q {path} && echo {path} is mounted" for path in (self.tree, *self.binds)]
        script += [f"systemctl is-active -q {unit} && echo {unit} runs" for unit in self.units]
        script += [f"ip -4 -o addr show dev svc0 | grep -qwF {self.address}/24 && echo has {self.address}"]
        script += [f"test -e {self.cron} && echo {self.cron} is there"]
        script += [f"test -s /etc/exports.d/tanist-{self.kind}.exports && echo exports {self.tree}"]
        script += ['set -- $(hostname; cat /etc/hostname); [ "$*" = "$0 $0" ] || echo is called $*', "true"]
        done = self.lab.exec(node, ["sh", "-c", "\n".join(script), node], check=True)
        return done.stdout.decode().splitlines()

    def expected_activity(self, node: str) -> list[str]:
        """The same of the active node."""
        found = [f"{path} is mounted" for path in (self.tree, *self.binds)]
        found += [f"{unit} runs" for unit in self.units]
        found += [f"has {self.address}", f"{self.cron} is there"]
        found += [f"exports {self.tree}"] if self.kind == "opscenter" else []
        return found + ([f"is called {self.hostname} {self.hostname}"] if self.mode == "host" else [])

    def own_ssh_keys(self, node: str) -> list[str]:
        """What the node shows on its management address."""
        shown = self.sh("client", f"ssh-keyscan -T 5 {node_spec(node).mgmt_ip} 2>/dev/null")
        return sorted(line.partition(" ")[2] for line in shown.splitlines())

    def disk_numbers(self, node: str, *paths: str) -> list[str]:
        """uid:gid as the disk has them: through a mount without an id map, in a mount namespace of its own."""
        names = " ".join(shlex.quote(path) for path in paths)
        mount = f"mount {self.device} /mnt && cd /mnt && stat -c '%u:%g' {names}"
        return self.sh(node, f"unshare -m sh -c {shlex.quote(mount)}").split()

    # ---- the servers

    def sql(self, query: str, *, settings: str = "") -> str:
        return self.sh("client", f"psql {shlex.quote(f'host=db.lab.test user=postgres {settings}')} -Atc {query!r}")

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, dict[str, Any]]:
        """The Ops Center's API, by the controller's name, from the client."""
        text = "" if body is None else json.dumps(body)
        done = self.lab.exec("client", ["python3", "-c", ASK, method, path, token, text], check=True)
        status, value = json.loads(done.stdout)
        return status, value

    def log_in(self) -> str:
        status, reply = self.ask("POST", "/api/login", {"user": "admin", "password": "opscenter"})
        assert status == 200
        return str(reply["token"])

    def jobs(self, token: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["id"] if found else 0
            page = self.ask("GET", f"/api/jobs?after={after}&limit=10000", token=token)[1]["jobs"]
            found += page
            if len(page) < 10000:  # new ones come in all the time
                return found

    # ---- the whole

    def wire_owners(self) -> list[str]:
        """The nodes that claimed the service address on the wire, in order, each stretch once."""
        names = {node_spec(node).mac("svc"): node for node in ("ec-a", "ec-b")}
        seen: list[str] = []
        for _, mac in self.lab.observer.macs(self.address):
            if not seen or seen[-1] != names.get(mac, mac):
                seen.append(names.get(mac, mac))
        return seen


def make_stage(lab: Lab, kind: Kind, fstype: str, mode: str, *, rate: float = 60) -> Stage:
    """The lab is up and has tanist; ec-a is the active node when this returns."""
    module = MODULES[kind]
    module.prepare(lab, fstype=fstype, mode=mode)
    ledger = LedgerRun(lab, kind, module.ADDRESS, rate=rate)
    return Stage(lab, kind, fstype, mode, ledger, KnownHost(lab, module.ADDRESS))
