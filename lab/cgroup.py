"""One cgroup per node: what is in it can be frozen, thawed and killed at once.

Uses the cgroup2 tree (pure or beside v1, as in hybrid set-ups): `cgroup.freeze` and `cgroup.kill` need no controllers.
Where v1's name=systemd tree is mounted, the same path exists there too, because nspawn looks its own path up in it.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.enter import cgroup_is_frozen as is_frozen
from lab.enter import cgroup_pids as pids
from lab.enter import cgroup_trees, unified_tree
from lab.run import wait_until


def unified() -> Path:
    return Path(unified_tree())


def trees() -> list[Path]:
    return [Path(t) for t in cgroup_trees()]


def create(name: str) -> None:
    for tree in trees():
        (tree / name).mkdir(exist_ok=True)


def join(name: str) -> None:
    """Move the calling process in; its children follow."""
    for tree in trees():
        (tree / name / "cgroup.procs").write_text("0")


def exists(name: str) -> bool:
    return (unified() / name).is_dir()


def set_frozen(name: str, frozen: bool) -> None:
    """Freeze or thaw every process; returns when the kernel says that it is so."""
    group = unified() / name
    (group / "cgroup.freeze").write_text("1" if frozen else "0")
    wait_until(f"{name} frozen={frozen}", lambda: is_frozen(name) == frozen, timeout=10, pause=0.001)


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


__all__ = ["create", "exists", "is_frozen", "join", "kill", "names", "pids", "remove", "set_frozen", "trees", "unified"]
