"""What it takes to type whole commands on two machines: they know each other, and get their keys from this computer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.run import run
from lab.vm.lab import VmLab

NODES = ("ec-a", "ec-b")
LONG = 600  # seconds; how long a machine may take for what it does in a few
# the key exchange that OpenSSH prefers takes an emulated machine ten seconds
KEX = "KexAlgorithms curve25519-sha256\n"


class Typist:
    def __init__(self, lab: VmLab) -> None:
        self.lab = lab

    def sh(self, node: str, script: str, *words: str) -> str:
        argv = ["bash", "-c", script, "sh", *words]
        return self.lab.exec(node, argv, check=True, timeout=LONG).stdout.decode().strip()


def on_both(work: Callable[[str], object]) -> None:
    with ThreadPoolExecutor(len(NODES)) as pool:
        list(pool.map(work, NODES))


def make_keys(directory: Path) -> None:
    """A controller's ssh host keys."""
    for kind in ("rsa", "ecdsa", "ed25519"):
        run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", directory / f"ssh_host_{kind}_key"])


def render_ssh(lab: VmLab) -> dict[str, str]:
    """Files by which each node knows the other one's ssh server, as `tanist pair` makes them."""
    lines = []
    for node in NODES:
        shown = lab.exec(node, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"], check=True).stdout.decode()
        lines.append(" ".join([f"tanist-{node}", *shown.split()[:2]]) + "\n")
    return {"/etc/ssh/ssh_config.d/lab.conf": KEX, "/etc/tanist/known_hosts": "".join(lines)}
