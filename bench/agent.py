"""tanist-agent: what it costs while nothing happens, and how soon a change is on the standby.

Two labs at once: in one the captured directories hold 1,000 files, in the other 100,000. Both nodes of each are looked
at for so many minutes in which nobody changes anything (all checks and what systemd's timers do go on); then a file is
changed again and again.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.claims import Claim, Result, Series
from bench.station import BENCH, BenchError, Station, open_station
from lab.controllers import postgresql
from tanist.capture.names import CONTENT, PARTIAL

NAME, PAIR = postgresql.NAME, ("ec-a", "ec-b")
PLACE = "/etc/postgresql/15/main/conf.d"
SIZES = (1_000, 100_000)
MEMORY = 60 << 10  # KiB
SHARE = 0.005  # of a core
APART = 5.0  # seconds from an arrival to the next change: each has its own capture
PATIENCE = 1800.0  # seconds for a change to arrive: as long as the agent lets a capture take, on a machine however busy
EVERY = 0.02  # seconds between two looks
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
        delays = (
            list(pool.map(lambda pair: change(*pair, count=10 * rounds, progress=progress), pairs)) if rounds else []
        )
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


def change(station: Station, files: int, *, count: int, progress: Callable[[str], None]) -> list[float]:
    """Seconds from each change until a capture with it is whole on the standby. The next one waits for that."""
    path = station.lab.root("ec-a") / f"{PLACE}/server.conf".lstrip("/")
    mirror = station.lab.root("ec-b") / f"var/lib/tanist/{NAME}/mirror"
    delays = []
    for number in range(count):
        time.sleep(APART + number % 7 * 0.1)  # never in step with anything that is done every so many seconds
        known, text = generations(mirror), f"# change {number} of {count}\n"
        with path.open("a") as file:
            file.write(text)
        made = time.monotonic()
        if not await_arrival(mirror, known, text.encode(), made + PATIENCE):
            raise BenchError(f"{files} files: change {number + 1} of {count} was not on the standby in {PATIENCE:g} s")
        delays.append(time.monotonic() - made)
        if len(delays) % 10 == 0:
            progress(f"agent: {tell_one(files, delays)}")
    return delays


def await_arrival(mirror: Path, known: Collection[str], text: bytes, until: float) -> bool:
    """Whether a new generation that holds the text is there before `until` (CLOCK_MONOTONIC)."""
    seen = set(known)
    while time.monotonic() < until:
        for name in generations(mirror) - seen:
            if any(text in part.read_bytes() for part in sorted((mirror / name).glob(f"{CONTENT}*"), reverse=True)):
                return True
            seen.add(name)
        time.sleep(EVERY)
    return False


def generations(mirror: Path) -> set[str]:
    return {one for one in os.listdir(mirror) if "Z-e" in one and PARTIAL not in one}


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
    return [tell_one(files, one) for files, one in zip(SIZES, delays, strict=False)]


def tell_one(files: int, delays: Sequence[float]) -> str:
    return (
        f"{files} files: {len(delays)} changes were mirrored after {median(delays):.2f} s (median), "
        f"{percentile(delays, 0.99):.2f} s (p99), {max(delays):.2f} s (the slowest)"
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all is not above."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
