"""`down`: find everything that carries the lab's name and remove it. Trusts no state file, so no crash hinders it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lab import cgroup, disk, mounts, network
from lab.image import remove_tree
from lab.layout import Layout
from lab.run import run, wait_until


def find_leftovers(layout: Layout) -> list[str]:
    """Everything of the lab that exists now, one line each; empty after `down`."""
    found = [f"cgroup {n}" for n in cgroup.names(layout.prefix)]
    found += [f"namespace {n}" for n in network.namespaces(layout.prefix)]
    found += [f"loop {d.loop} -> {d.image}" for d in disk.attached_disks(layout)]
    found += [f"mount {m}" for m in _mounts_below(layout.directory)]
    found += [f"process {p}" for p in _pids(layout)]
    if layout.directory.exists():
        found.append(f"directory {layout.directory}")
    return found


def remove_everything(layout: Layout) -> None:
    for name in cgroup.names(layout.prefix):
        cgroup.kill(name)
    for pid in _pids(layout):
        _kill(pid)
    for name in network.namespaces(layout.prefix):
        for pid in network.pids_in(name):
            _kill(pid)
    for found in disk.attached_disks(layout):
        disk.wait_released(found)
        disk.detach(found)
    # the nodes' ports first: a port that is still plugged keeps its namespace busy
    for name in sorted(network.namespaces(layout.prefix), key=lambda n: n == layout.switch):
        network.delete_namespace(name)
    network.give_mount_back()
    for point in reversed(_mounts_below(layout.directory)):
        run(["umount", "--lazy", point], check=False)
    for name in cgroup.names(layout.prefix):
        cgroup.remove(name)
    remove_tree(layout.directory)


def _mounts_below(directory: Path) -> list[str]:
    return [p for p in mounts.read_points() if p.startswith(f"{directory}/")]


def _pids(layout: Layout) -> list[int]:
    """Processes in the lab's cgroups, and any supervisor that died or lives before it joined one."""
    found = {p for name in cgroup.names(layout.prefix) for p in cgroup.pids(name)}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"lab.supervise" in words and layout.lab.encode() in words:
            found.add(int(entry.parts[2]))
    return sorted(found)


def _kill(pid: int) -> None:
    if pid == os.getpid():
        return
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    wait_until(f"process {pid} gone", lambda: not _is_alive(pid), timeout=10)


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
