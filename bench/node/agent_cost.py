#!/usr/bin/env python3
"""agent_cost.py SECONDS: what tanist-agent.service costs on this node for so long, as JSON.

Processor seconds are those of the agent and of all commands that it ran and waited for (proc(5): utime, stime, cutime,
cstime), so a check and what it started count. Memory is the agent's resident set, looked at every few seconds, and the
sum of the whole unit's proportional sets at the worst look.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

EVERY = 5.0  # seconds between two looks


def main() -> int:
    seconds = float(sys.argv[1])
    pid = ask("MainPID")
    before, began = processor_seconds(pid), time.monotonic()
    resident, whole = [], []
    while time.monotonic() - began < seconds:
        resident.append(read_kib(pid, "status", "VmRSS:"))
        whole.append(sum(read_kib(one, "smaps_rollup", "Pss:") for one in [pid, *descendants(pid)]))
        time.sleep(EVERY)
    lasted = time.monotonic() - began
    if ask("MainPID") != pid:
        print("the agent was started anew meanwhile", file=sys.stderr)
        return 1
    used = processor_seconds(pid)
    found = {
        "seconds": lasted,
        "processor": sum(used) - sum(before),
        "processor_alone": used[0] - before[0],
        "resident_kib": max(resident),
        "unit_kib": max(whole),
    }
    print(json.dumps(found))
    return 0


def ask(name: str) -> str:
    argv = ["systemctl", "show", "-p", name, "--value", "tanist-agent"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def processor_seconds(pid: str) -> tuple[float, float]:
    """(the process itself, those it waited for)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own, others = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
    tick = os.sysconf("SC_CLK_TCK")
    return own / tick, others / tick


def read_kib(pid: str, name: str, key: str) -> int:
    """0 of a process that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)


def descendants(pid: str) -> list[str]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        below = [child for task in tasks for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        return []
    return [one for child in below for one in (child, *descendants(child))]


if __name__ == "__main__":
    sys.exit(main())
