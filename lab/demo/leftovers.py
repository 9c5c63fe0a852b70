"""What this machine had before the demo and has after it: mounts, network namespaces, loop devices, processes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lab import mounts
from lab.layout import STATE

Things = dict[str, frozenset[str]]
KINDS = ("mounts", "network namespaces", "loop devices", "processes")


def read_things(lab: str) -> Things:
    namespaces = (path.name for path in Path("/run/netns").glob("*"))
    return {
        "mounts": frozenset(mounts.read_points()),
        "network namespaces": frozenset(namespaces),
        "loop devices": frozenset(_read_loops()),
        "processes": frozenset(_read_processes(lab)),
    }


def _read_loops() -> list[str]:
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        text = _read(path).strip()
        if text:
            found.append(f"{path.parts[3]} {text}")
    return found


def _read_processes(lab: str) -> list[str]:
    """Those that carry the lab's name in their control group or on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        words = _read(entry / "cmdline").replace("\0", " ").strip()
        if f"tl-{lab}-" in _read(entry / "cgroup") or f"tl-{lab}-" in words or f"{STATE}/{lab}/" in words:
            found.append(f"{entry.name} {words}")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # gone meanwhile


def find_new(before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]], lab: str) -> list[str]:
    """What is there now and was not before; what carries another lab's name is that lab's."""
    return [
        f"{kind}: {one}"
        for kind in KINDS
        for one in sorted(after[kind] - before[kind])
        if not _is_of_another_lab(one, lab)
    ]


def _is_of_another_lab(text: str, lab: str) -> bool:
    names = re.findall(rf"tl-([a-z0-9]+)-|{re.escape(str(STATE))}/([a-z0-9]+)/", text)
    return bool(names) and all(lab not in pair for pair in names)
