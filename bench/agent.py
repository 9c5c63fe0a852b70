"""tanist-agent: what it costs while nothing happens, and how soon a change is on the standby.

Two labs at once: in one the captured directories hold 1,000 files, in the other 100,000. Both nodes of each are looked
at for so many minutes in which nobody changes anything (all checks and what systemd's timers do go on); then a file is
changed again and again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.claims import Claim, Result, Series
from bench.station import BENCH, BenchError, Station, open_station
from lab.controllers import postgresql

NAME, PAIR = postgresql.NAME, ("ec-a", "ec-b")
PLACE = "/etc/postgresql/15/main/conf.d"
SIZES = (1_000, 100_000)
MEMORY = 60 << 10  # KiB
SHARE = 0.005  # of a core
APART = {1_000: 8.0, 100_000: 20.0}  # seconds between two changes: each has its own capture
PATIENCE = 30.0  # seconds for the last one to arrive
SETTLE = 60  # seconds for the first capture and check to be over
FILL = f"""
set -e
mkdir -p {PLACE}/bench && cd {PLACE}/bench
python3 - <<'PY'
import os
for number in range(FILES):
    directory = f"d{{number // 100:04d}}"
    os.makedirs(directory, exist_ok=True)
    with open(f"{{directory}}/f{{number}}.conf", "wb") as file:
        file.write(os.urandom(100 + number % 7 * 50))
PY
chown -R postgres:postgres {PLACE}/bench
habackup {NAME}
"""
START = f"systemctl enable -q --now tanist-agent; for i in $(seq {SETTLE}); do sleep 1; done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of the unit on one node. `alone`: without the commands that the agent ran."""

    files: int
    node: str
    seconds: float
    processor: float
    alone: float
    resident: int  # KiB, the agent's
    unit: int  # KiB, with the commands that it ran, at the worst moment

    @property
    def share(self) -> float:
        return self.processor / self.seconds


def measure(rounds: int, progress: Callable[[str], None], *, minutes: float = 5.0) -> Result:
    """`rounds`: ten changes for each; 0: only what idling costs."""
    with ExitStack() as stack, ThreadPoolExecutor(len(SIZES)) as pool:
        stations = [stack.enter_context(open_station(letter)) for letter in "ab"]
        pairs = list(zip(stations, SIZES, strict=True))
        list(pool.map(lambda pair: prepare(*pair), pairs))
        progress(f"agent: {minutes:g} minutes of nothing")
        costs = list(pool.map(lambda pair: watch(*pair, minutes=minutes), pairs))
        progress(f"agent: {10 * rounds} changes")
        delays = list(pool.map(lambda pair: change(*pair, count=10 * rounds), pairs)) if rounds else []
    series = [Series(what=f"change to mirror, {SIZES[i]} files", seconds=tuple(one)) for i, one in enumerate(delays)]
    found = [cost for both in costs for cost in both]
    return Result(claims=build_claims(found), raw=tuple(series), notes=(*map(render_cost, found), *tell(delays)))


def prepare(station: Station, files: int) -> None:
    station.lab.exec("ec-a", ["bash", "-c", FILL.replace("FILES", str(files))], check=True, timeout=900)
    for node in PAIR:
        station.lab.exec(node, ["bash", "-c", START], check=True, timeout=600)


def watch(station: Station, files: int, *, minutes: float) -> list[Cost]:
    def on(node: str) -> Cost:
        argv = ["python3", f"{BENCH}/node/agent_cost.py", str(minutes * 60)]
        done = station.lab.exec(node, argv, check=True, timeout=minutes * 60 + 120)
        told: dict[str, Any] = json.loads(done.stdout)
        return Cost(
            files=files,
            node=node,
            seconds=told["seconds"],
            processor=told["processor"],
            alone=told["processor_alone"],
            resident=told["resident_kib"],
            unit=told["unit_kib"],
        )

    with ThreadPoolExecutor(len(PAIR)) as pool:
        return list(pool.map(on, PAIR))


def change(station: Station, files: int, *, count: int) -> list[float]:
    """Seconds from each change until a capture that was made after it is whole on the standby."""
    apart = APART[files]
    mirror = f"/var/lib/tanist/{NAME}/mirror"
    lasts = count * (apart + 0.6) + PATIENCE
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(
            station.lab.exec,
            "ec-b",
            ["python3", f"{BENCH}/node/arrivals.py", mirror, str(lasts)],
            check=True,
            timeout=lasts + 120,
        )
        argv = ["python3", f"{BENCH}/node/changes.py", f"{PLACE}/server.conf", str(count), str(apart)]
        made = json.loads(station.lab.exec("ec-a", argv, check=True, timeout=lasts + 120).stdout)
        arrived = [moment for moment, _ in json.loads(looking.result().stdout.splitlines()[-1])]
    try:
        return match(made, arrived)
    except BenchError as error:
        raise BenchError(f"{files} files: {error}") from error


def match(made: Sequence[float], arrived: Sequence[float]) -> list[float]:
    """Each change with the one arrival before the next change. BenchError where there is none: it was late or lost."""
    found = []
    for i, moment in enumerate(made):
        until = made[i + 1] if i + 1 < len(made) else math.inf
        one = next((at for at in arrived if moment < at < until), None)
        if one is None:
            raise BenchError(f"change {i + 1} of {len(made)} was not on the standby before the next one")
        found.append(one - moment)
    return found


def build_claims(costs: Sequence[Cost]) -> tuple[Claim, ...]:
    found = []
    for files in SIZES:
        own = [one for one in costs if one.files == files]
        compared = f"tanist-agent with {files} watched files, the worse of both nodes"
        memory, share = max(one.resident for one in own) / MEMORY, max(one.share for one in own) / SHARE
        found.append(Claim(name=f"agent-memory-{files}", value=memory, limit=1.0, compared=f"{compared} | 60 MiB"))
        found.append(
            Claim(name=f"agent-processor-{files}", value=share, limit=1.0, compared=f"{compared} | 0.5 % of a core")
        )
    return tuple(found)


def render_cost(one: Cost) -> str:
    return (
        f"{one.files} files, {one.node}: {one.seconds / 60:.0f} min: {one.processor:.2f} s of processor "
        f"({100 * one.share:.3f} % of a core; the agent alone {one.alone:.2f} s), {one.resident / 1024:.1f} MiB "
        f"resident, {one.unit / 1024:.1f} MiB with what it ran, at most"
    )


def tell(delays: Sequence[Sequence[float]]) -> list[str]:
    return [
        f"{files} files: {len(one)} changes were mirrored after {median(one):.2f} s (median), "
        f"{percentile(one, 0.99):.2f} s (p99), {max(one):.2f} s (the slowest)"
        for files, one in zip(SIZES, delays, strict=False)
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all is not above."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
