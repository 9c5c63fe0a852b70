"""Entering a node: from a program's words to a command line that runs it in all namespaces and cgroups of the node.

Imports next to nothing, because every `exec` comes this way and imports would be most of its time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from lab.errors import LabError, LabRefused

EXEC_LEAF = "lab-exec"  # processes entered from outside; a leaf, because inner cgroups may not hold processes
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
}
NODE_NAMES = ("ec-a", "ec-b", "client")
# what no node may do, booted or entered: the clock and the kernel's modules are the machine's own
WITHHELD = ("sys_time", "sys_module")
# Only the program itself joins the node's cgroups, through files opened outside. nsenter, its parent, stays out: when
# the node is cut, it lives on to reap the program (a zombie would hold up the end of the node's pid namespace).
OUTSIDE = 'exec 8>"$1" 9>"$2"; shift 2; exec "$@"'
INSIDE = 'echo 0 >&8 && echo 0 >&9 && exec 8>&- 9>&- && exec "$@"'


def machine_name(lab: str, node: str) -> str:
    """The node's name outside: its machine, network namespace and cgroup carry it."""
    if node not in NODE_NAMES:
        raise LabRefused(f"no node {node!r}; there are {', '.join(NODE_NAMES)}")
    if not (lab.isalnum() and lab.islower()):
        raise LabRefused(f"lab name {lab!r}: use small letters and digits, a letter first")
    return f"tl-{lab}-{node}"


def unified_tree() -> str:
    """Where cgroup2 is mounted: alone, or beside v1 (hybrid)."""
    for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if os.path.exists(f"{path}/cgroup.subtree_control"):
            return path
    raise LabError("no cgroup2 tree is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")


def cgroup_trees() -> list[str]:
    named = "/sys/fs/cgroup/systemd"
    return [unified_tree(), *([named] if os.path.exists(f"{named}/cgroup.procs") else [])]


def cgroup_pids(name: str) -> list[int]:
    """Every process in the cgroup and below it; none if it does not exist."""
    found: set[int] = set()
    for directory, _, _ in os.walk(f"{unified_tree()}/{name}"):
        found.update(int(p) for p in _read(f"{directory}/cgroup.procs").split())
    found.discard(0)
    return sorted(found)


def cgroup_is_frozen(name: str) -> bool:
    return "frozen 1" in _read(f"{unified_tree()}/{name}/cgroup.events")


def find_init(pids: Iterable[int]) -> int | None:
    """PID 1 of a pid namespace directly below ours that has become systemd (before, its root is not the node's yet)."""
    for pid in pids:
        lines = dict(line.split(":", 1) for line in _read(f"/proc/{pid}/status").splitlines() if ":" in line)
        numbers = lines.get("NSpid", "").split()
        if len(numbers) == 2 and numbers[1] == "1" and lines["Name"].strip() == "systemd":
            return pid
    return None


def require_running(machine: str) -> int:
    """The node's PID 1 as the machine numbers it; LabRefused if it does not run or is frozen."""
    pids = cgroup_pids(machine)
    if not pids:
        raise LabRefused(f"{machine} is off")
    if cgroup_is_frozen(machine):
        raise LabRefused(f"{machine} is frozen")
    pid = find_init(pids)
    if pid is None:
        raise LabRefused(f"{machine} is starting or stopping")
    return pid


def enter_argv(machine: str, argv: Sequence[str], environment: Mapping[str, str] = ENVIRONMENT) -> list[str]:
    pid = require_running(machine)
    inside = ["env", "-i", "-C", "/root", *(f"{k}={v}" for k, v in environment.items())]
    nsenter = ["nsenter", "-t", str(pid), "-a", "--", "/bin/sh", "-c", INSIDE, "sh"]
    bound = ["setpriv", f"--bounding-set={','.join(f'-{c}' for c in WITHHELD)}"]
    return ["/bin/sh", "-c", OUTSIDE, "sh", *_entry_files(pid, machine), *bound, *nsenter, *inside, *argv]


def _entry_files(init_pid: int, machine: str) -> tuple[str, str]:
    """The two files (cgroup2 and v1's name=systemd, or twice the same) that make a process the node's own."""
    path = next((line[3:] for line in _read(f"/proc/{init_pid}/cgroup").splitlines() if line.startswith("0::")), None)
    if path is None:
        raise LabRefused(f"{machine} is stopping")
    trees = cgroup_trees()
    leaf = f"{trees[0]}{path.removesuffix('/init.scope')}/{EXEC_LEAF}"
    os.makedirs(leaf, exist_ok=True)
    other = f"{trees[1]}/{machine}" if len(trees) > 1 else leaf
    return f"{leaf}/cgroup.procs", f"{other}/cgroup.procs"


def shell_status(returncode: int) -> int:
    """As a shell says it: killed by signal N is 128+N."""
    return 128 - returncode if returncode < 0 else returncode


def _read(path: str) -> str:
    """A kernel file's text; empty when what it described is gone."""
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""
