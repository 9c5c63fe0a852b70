"""What is mounted on this machine, as the lab and its promises see it."""

from __future__ import annotations

from pathlib import Path


def read_points() -> list[str]:
    """Where something is mounted, in the kernel's order (proc(5), mountinfo)."""
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
