"""A large share of the processors for what is measured, where the machine has other work to do at the same time.

Needs the cpu controller of cgroup v1, which the lab's nodes leave alone; elsewhere nothing is done. Both sides of a
comparison have the same share. What was made is removed at the end.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup/cpu")
SHARES = 100_000  # an ordinary group has 1024
PATIENCE = 5.0  # seconds for the last process of the group to be gone


@contextlib.contextmanager
def large_share(root: Path = ROOT) -> Iterator[str]:
    """What was done, for the report: "" when nothing could be."""
    group = root / f"tanist-bench-{os.getpid()}"
    try:
        if not (root / "cpu.shares").exists():
            raise FileNotFoundError(root)
        group.mkdir()
        (group / "cpu.shares").write_text(f"{SHARES}\n")
        (group / "cgroup.procs").write_text(f"{os.getpid()}\n")
    except OSError:
        _remove(group)
        yield ""
        return
    try:
        yield "measured with a large share of the processors"
    finally:
        (root / "cgroup.procs").write_text(f"{os.getpid()}\n")
        _remove(group)


def _remove(group: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while group.exists() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.05)
