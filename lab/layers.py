"""The nodes' own layers over the base image: name, numbers, keys and units of each host, made once and cached.

In: a base tree and the node specs. Out: CACHE/nodes-HASH/NODE, an overlayfs layer each, all complete or none.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from lab.errors import LabError
from lab.image import base_path, build_base, cache_lock, remove_tree
from lab.layout import CACHE, GUEST_FILES, MGMT_NET, NODES, SERVICE_NAMES, SVC_NET6, NodeSpec

OVERLAY_OPTIONS = "redirect_dir=off,metacopy=off,index=off"


RECIPE = "1"  # raise it when this file builds something else from the same guest files


def layers_path() -> Path:
    """Where the layers of these specs, these guest files and this base image lie."""
    digest = hashlib.sha256(base_path().name.encode())
    digest.update((GUEST_FILES / "setup.sh").read_bytes())
    for spec in NODES.values():
        digest.update(repr((RECIPE, spec, sorted(guest_files(spec, NODES.values()).items()))).encode())
    return CACHE / f"nodes-{digest.hexdigest()[:12]}"


def is_built() -> bool:
    return layers_path().is_dir() and base_path().is_dir()


def build(log: TextIO) -> Path:
    """Return the directory of the layers; builds the base image and the layers where they are missing."""
    base, layers = build_base(log), layers_path()
    with cache_lock():
        if layers.is_dir():
            return layers
        work = layers.with_name(f"{layers.name}.building")
        remove_tree(work)
        make_keys(work / "keys", NODES)
        for spec in NODES.values():
            _build_layer(base, work, spec, log)
        work.rename(layers)
    return layers


def lower_dirs(node: str) -> str:
    """The read-only part of the node's root, as overlayfs' lowerdir wants it."""
    return f"{layers_path() / node}:{base_path()}"


def make_keys(directory: Path, nodes: Iterable[str]) -> None:
    directory.mkdir(parents=True)
    for node in nodes:
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{node}", "-f", str(directory / node)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def _build_layer(base: Path, work: Path, spec: NodeSpec, log: TextIO) -> None:
    upper, scratch = work / spec.name, work / f"{spec.name}.scratch"
    root, setup = scratch / "root", scratch / "setup"
    for path in (upper, scratch / "work", root, setup / "files"):
        path.mkdir(parents=True)
    upper.chmod(0o755)
    write_setup(setup, spec, work / "keys", guest_files(spec, NODES.values()))
    # a mount namespace of its own: a build that is killed leaves no mount behind
    script = """set -e
        mount -t overlay -o "lowerdir=$1,upperdir=$2,workdir=$3,$4" overlay "$5"
        mkdir "$5/lab-setup"; mount --bind "$6" "$5/lab-setup"
        mount -t proc proc "$5/proc"; mount -t tmpfs tmpfs "$5/run"; mount --rbind /dev "$5/dev"
        mkdir "$5/run/lock"
        chroot "$5" /bin/bash /lab-setup/setup.sh "$7" "$8"
        umount "$5/lab-setup"; rmdir "$5/lab-setup" """
    values = [base, upper, scratch / "work", OVERLAY_OPTIONS, root, setup, spec.name, spec.uceadm_gid]
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *map(str, values)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise LabError(f"building the layer of {spec.name} failed; see {log.name}")
    remove_tree(scratch)


def write_setup(setup: Path, spec: NodeSpec, keys: Path, files: Mapping[str, tuple[str, int]]) -> None:
    """What guest/setup.sh finds in /lab-setup: script, accounts, keys and the files to copy (path -> text, mode)."""
    (setup / "setup.sh").write_bytes((GUEST_FILES / "setup.sh").read_bytes())
    kinds = [f"{a.name} {a.uid} {a.gid} {'foreign' if a.foreign else 'service'}\n" for a in spec.accounts]
    (setup / "accounts").write_text("".join(kinds))
    (setup / "keys").mkdir()
    for key in keys.iterdir():
        (setup / "keys" / key.name).write_bytes(key.read_bytes())
    for name, (text, mode) in files.items():
        path = setup / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


def guest_files(spec: NodeSpec, everyone: Iterable[NodeSpec]) -> dict[str, tuple[str, int]]:
    """Path below / -> text and mode, for the files that make the node what it is."""
    machine_id = hashlib.md5(f"tanist lab {spec.name}".encode(), usedforsecurity=False).hexdigest()
    return {
        "etc/hosts": (render_hosts(everyone), 0o644),
        "etc/resolv.conf": ("# no name server: names come from /etc/hosts\n", 0o644),
        "etc/machine-id": (f"{machine_id}\n", 0o444),
        "etc/network/interfaces": (render_interfaces(spec), 0o644),
        "etc/systemd/journald.conf.d/lab.conf": ("[Journal]\nSystemMaxUse=64M\nRateLimitBurst=0\n", 0o644),
        "etc/systemd/system/lab-disks.service": ((GUEST_FILES / "lab-disks.service").read_text(), 0o644),
        "usr/local/sbin/lab-disks": ((GUEST_FILES / "lab-disks").read_text(), 0o755),
    }


def render_hosts(everyone: Iterable[NodeSpec]) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{s.mgmt_ip} {s.name}" for s in everyone]
    lines += [" ".join(names) for names in SERVICE_NAMES]
    return "\n".join(lines) + "\n"


def render_interfaces(spec: NodeSpec) -> str:
    """ifupdown's file: only the node's own addresses, as on a real host; service addresses never stand here."""
    return f"""auto lo
iface lo inet loopback

auto svc0
iface svc0 inet static
    address {spec.svc_ip}/24
iface svc0 inet6 static
    address {SVC_NET6}:{spec.number}/64
    dad-attempts 0
    accept_ra 0

# management network {MGMT_NET}.0/24
auto mgmt0
iface mgmt0 inet static
    address {spec.mgmt_ip}/24
"""
