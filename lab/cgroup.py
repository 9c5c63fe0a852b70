"""One cgroup per node: what is in it can be frozen, thawed and killed at once.

Uses the cgroup2 tree (pure or beside v1, as in hybrid set-ups): `cgroup.freeze` and `cgroup.kill` need no controllers.
Where v1's name=systemd tree is mounted, the same path exists there too, because nspawn looks its own path up in it.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.layout import LabError
from lab.run import wait_until

EXEC_LEAF = "lab-exec"  # processes entered from outside; a leaf, because inner cgroups may not hold processes


def unified() -> Path:
    for path in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")):
        if (path / "cgroup.subtree_control").exists():
            return path
    raise LabError("no cgroup2 tree is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")


def trees() -> list[Path]:
    named = Path("/sys/fs/cgroup/systemd")
    return [unified(), *([named] if (named / "cgroup.procs").exists() else [])]


def create(name: str) -> None:
    for tree in trees():
        (tree / name).mkdir(exist_ok=True)


def join(name: str) -> None:
    """Move the calling process in; its children follow."""
    for tree in trees():
        (tree / name / "cgroup.procs").write_text("0")


def exists(name: str) -> bool:
    return (unified() / name).is_dir()


def pids(name: str) -> list[int]:
    """Every process in the cgroup and below it."""
    found: set[int] = set()
    for directory, _, _ in os.walk(unified() / name):
        try:
            found.update(int(p) for p in (Path(directory) / "cgroup.procs").read_text().split())
        except OSError:
            continue  # gone between walk and read
    found.discard(0)
    return sorted(found)


def set_frozen(name: str, frozen: bool) -> None:
    """Freeze or thaw every process; returns when the kernel says that it is so."""
    group = unified() / name
    (group / "cgroup.freeze").write_text("1" if frozen else "0")
    wait_until(f"{name} frozen={frozen}", lambda: is_frozen(name) == frozen, timeout=10, pause=0.001)


def is_frozen(name: str) -> bool:
    return "frozen 1" in (unified() / name / "cgroup.events").read_text()


def kill(name: str) -> None:
    """SIGKILL to every process at once, frozen or not; returns when none is left."""
    group = unified() / name
    if not group.is_dir():
        return
    (group / "cgroup.kill").write_text("1")
    (group / "cgroup.freeze").write_text("0")
    wait_until(f"processes of {name} gone", lambda: not pids(name), timeout=20, pause=0.002)


def remove(name: str) -> None:
    for tree in trees():
        for directory, _, _ in os.walk(tree / name, topdown=False):
            wait_until(f"cgroup {directory} empty", lambda d=directory: _rmdir(d), timeout=5)  # type: ignore[misc]


def _rmdir(directory: str) -> bool:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def names(prefix: str) -> list[str]:
    """Cgroups of that prefix in any of the trees."""
    return sorted({p.name for tree in trees() for p in tree.glob(f"{prefix}*") if p.is_dir()})


def entry_groups(init_pid: int, name: str) -> list[Path]:
    """The cgroups to join so that a process entering from outside counts as the node's: below the root that the node itself sees."""
    lines = Path(f"/proc/{init_pid}/cgroup").read_text().splitlines()
    path = next(line[3:] for line in lines if line.startswith("0::"))
    leaf = unified() / path.removesuffix("/init.scope").lstrip("/") / EXEC_LEAF
    leaf.mkdir(exist_ok=True)
    return [leaf, *(tree / name for tree in trees()[1:])]
