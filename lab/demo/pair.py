"""The two hosts of the demo with their controllers: what is looked at comes from the definitions, not from here."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from lab.checks import KnownHost, LedgerRun
from lab.checks.ledger import Kind
from lab.controllers import install, opscenter, postgresql
from lab.demo.screen import Screen
from lab.lab import Lab
from lab.layers import is_built
from lab.layout import CACHE, node_spec

OLD, NEW, CLIENT = "ec-a", "ec-b", "client"
MODULES: dict[Kind, tuple[ModuleType, str]] = {"postgresql": (postgresql, "host"), "opscenter": (opscenter, "alias")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One controller as the demo sees it."""

    name: Kind
    mode: str
    hostname: str
    address: str
    tree: str
    outside: tuple[str, ...]
    services: tuple[str, ...]
    users: tuple[str, ...]
    ledger: LedgerRun
    ssh: KnownHost


def read_subject(lab: Lab, name: Kind) -> Subject:
    module, mode = MODULES[name]
    body = tomllib.loads(install.profile(name, mode=mode))
    outside = body.get("outside", {})
    address = str(module.ADDRESS)
    return Subject(
        name=name,
        mode=mode,
        hostname=body["identity"]["hostname"],
        address=address,
        tree=body["tree"]["path"],
        outside=(*outside.get("directories", ()), *outside.get("files", ())),
        services=tuple(one["unit"] for one in body["service"]),
        users=tuple(body["accounts"]["users"]),
        ledger=LedgerRun(lab, name, address),
        ssh=KnownHost(lab, address),
    )


def build_image(lab: Lab, screen: Screen) -> None:
    """The first time on this machine; afterwards it is in the cache."""
    if is_built():
        return
    screen.fact("The hosts' Debian image is built once on this machine: a download and 2 to 5 minutes.")
    log = CACHE / "build.log"
    start = log.stat().st_size if log.exists() else 0
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(lab.build)
        while not work.done():
            phase = read_phase(log, start)
            with screen.doing(phase):
                while not work.done() and read_phase(log, start) == phase:
                    time.sleep(0.2)
        work.result()


def read_phase(log: Path, start: int) -> str:
    """What the build does now, from its log (`+ COMMAND` before each command)."""
    text = log.read_bytes()[start:].decode(errors="replace") if log.exists() else ""
    commands = [line for line in text.splitlines() if line.startswith("+ ")]
    if not commands:
        return "preparing"
    for mark, words in (
        ("debootstrap", "a minimal Debian 12 (debootstrap)"),
        ("dist-upgrade", "its updates"),
        (" install ", "systemd, sshd, PostgreSQL 15 and tools"),
        (" update", "the package lists"),
    ):
        if mark in commands[-1]:
            return words
    return "names, accounts and keys of each host"


def bring_up(lab: Lab, screen: Screen, names: Sequence[Kind]) -> list[Subject]:
    with screen.doing("tanist is installed on ec-a and ec-b from its wheel"):
        install.install_tanist(lab)
    for name in names:
        module, mode = MODULES[name]
        with screen.doing(f"{name} is set up on ec-a, defined as a controller on both (identity: {mode})"):
            module.prepare(lab, mode=mode)
    subjects = [read_subject(lab, name) for name in names]
    listen_for_names(lab, subjects)
    return subjects


def listen_for_names(lab: Lab, subjects: Sequence[Subject]) -> None:
    """With both modes on one pair: the node's own sshd leaves the address of the one in mode "alias" to that one's,
    and still answers on the address of the one in mode "host", wherever that is."""
    if {one.mode for one in subjects} != {"alias", "host"}:
        return
    hosted = [one.address for one in subjects if one.mode == "host"]
    for node in (OLD, NEW):
        lines = "".join(f"ListenAddress {address}\n" for address in (node_spec(node).mgmt_ip, *hosted))
        script = "cat > /etc/ssh/sshd_config.d/tanist-own.conf && systemctl restart ssh"
        lab.exec(node, ["sh", "-c", script], input=lines.encode(), check=True)
