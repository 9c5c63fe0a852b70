"""What lies on the disk and on each machine before tanist has done anything."""

from __future__ import annotations

import os
from pathlib import Path

NUMBERS = {"ec-a": {"oc": 101, "ocproxy": 102}, "ec-b": {"oc": 102, "ocproxy": 101}}  # swapped


def make_disk(top: Path) -> None:
    """The tree's content, owned by the numbers of ec-a: those of the disk for good."""
    for directory in ("uce/etc.opt", "uce/var.opt", "share", "db"):
        (top / directory).mkdir(parents=True)
    put(top / "uce/etc.opt/users.json", "{}", 101)
    put(top / "db/data", "rows", 101)
    put(top / "share/image", "for clients", 102)


def make_root(root: Path, name: str) -> None:
    for directory in (
        *("etc/opt/oc", "var/opt/oc-run", "var/opt/oc", "etc/exports.d", "etc/cron.d", "etc/default", "etc/ssh"),
        *("etc/oc", "etc/tanist/controllers", "n1gc-setup", "opt/oc/bin", "run", "var/lib/tanist", "dev"),
    ):
        (root / directory).mkdir(parents=True, exist_ok=True)
    put(root / "etc/hostname", f"{name}\n")
    put(root / "etc/tanist/node", f"{name}\n")
    put(root / "etc/tanist/known_hosts", "tanist-ec-a ssh-ed25519 AAAAa\ntanist-ec-b ssh-ed25519 AAAAb\n", mode=0o600)
    put(root / "etc/os-release", "ID=debian\nVERSION_ID=12\n")
    put(root / "n1gc-setup/.version.properties", "# built\nversion=2.1\nproduct.version=2.1.0.820\n")
    put(root / "n1gc-setup/role", "role=ec\n")
    put(root / "opt/oc/bin/check", "#!/bin/sh\n", mode=0o755)
    put(root / "etc/ssh/ssh_host_ed25519_key", f"{name}'s own", mode=0o600)
    put(root / "etc/ssh/ssh_host_ed25519_key.pub", f"ssh-ed25519 AAAA{name[-1]} {name}\n")
    put(root / "etc/passwd", f"root:secret of {name}:0:0\n")
    put(root / "etc/oc/main.conf", f"configured on {name}\n", NUMBERS[name]["oc"], 0o640)
    put(root / "etc/cron.d/oc-report", f"# {name}'s own report\n")
    if name == "ec-a":
        put(root / "etc/oc/extra.conf", "only there", NUMBERS[name]["ocproxy"])
        put(root / "etc/opt/oc-only-there", "not on the other node")
        put(root / "etc/cron.d/oc", "0 * * * * root work\n")
    else:
        put(root / "etc/oc/foreign.conf", "of ec-b, and comes back")
    put(root / "etc/default/oc", f"NODE={name}\n")


def put(path: Path, text: str, owner: int = 0, mode: int = 0o644) -> None:
    path.write_text(text)
    os.chmod(path, mode)
    os.chown(path, owner, owner)
    os.utime(path, (1_600_000_000, 1_600_000_000 + owner))
