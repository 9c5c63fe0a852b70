"""The node's mains: wires it, mounts its root and runs nspawn, again after each reboot from the inside.

Runs in a mount namespace of its own (unshare) and in the node's cgroup: when the node is cut or the lab goes down, it
goes too, and the root mount with it.  Usage: python -m lab.supervise LAB NODE
"""

from __future__ import annotations

import os
import subprocess
import sys

from lab import cgroup, disk, network
from lab.enter import WITHHELD
from lab.layers import OVERLAY_OPTIONS, lower_dirs
from lab.layout import Layout, NodeSpec, node_spec
from lab.run import run

REBOOT = 133  # nspawn --keep-unit: "start me again"
NSPAWN_ENVIRONMENT = {
    "SYSTEMD_SECCOMP": "0",  # no filter: id-mapped mounts, ptrace, new system calls work as on a real host
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",  # the node sees cgroup2 alone, as a Debian 12 host does
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",  # /proc/sys/net
    "SYSTEMD_NSPAWN_LOCK": "0",
}


def main(lab: str, node: str) -> int:
    layout, spec = Layout(lab), node_spec(node)
    cgroup.join(layout.machine(node))
    directory = layout.node_dir(node)
    lower = directory / "lower"  # a node keeps the layers that its upper directory was made over
    if not lower.exists():
        lower.write_text(lower_dirs(node))
    dirs = f"lowerdir={lower.read_text()},upperdir={directory}/upper,workdir={directory}/work"
    run(["mount", "-t", "overlay", "-o", f"{dirs},{OVERLAY_OPTIONS}", layout.machine(node), directory / "root"])
    while True:
        network.plug(layout, spec)
        status = subprocess.run(
            nspawn_argv(layout, spec), env={**os.environ, **NSPAWN_ENVIRONMENT}, stdin=subprocess.DEVNULL, check=False
        ).returncode
        if status != REBOOT:
            network.unplug(layout, node)
            return status


def nspawn_argv(layout: Layout, spec: NodeSpec) -> list[str]:
    machine = layout.machine(spec.name)
    disks = " ".join(f"{d.name}={d.number}" for d in disk.attached_disks(layout)) if spec.has_disks else ""
    return [
        *("systemd-nspawn", "-q", "--boot", "--register=no", "--keep-unit", "--capability=all", "--link-journal=no"),
        "--drop-capability=" + ",".join(f"CAP_{c.upper()}" for c in WITHHELD),
        *("--resolv-conf=off", "--timezone=off", "--console=read-only"),
        *("-M", machine, f"--hostname={spec.name}", "-D", str(layout.node_dir(spec.name) / "root")),
        f"--network-namespace-path={network.NETNS / machine}",
        f"--setenv=LAB_DISKS={disks}",
    ]


if __name__ == "__main__":
    status = "failed"
    try:
        status = str(main(*sys.argv[1:]))
    finally:
        (Layout(sys.argv[1]).node_dir(sys.argv[2]) / "ended").write_text(status)
