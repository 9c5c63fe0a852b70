"""What captures cost against the number of files, from 1,000 to 1,000,000: seconds, and the peak of memory. Then as
many empty directories as files.

TANIST_BENCH_FILES: how many at most (1,000,000). TANIST_BENCH_DIR: where (/var/tmp), with 12 GB free for a million;
all is removed afterwards. The plot is build/bench/captures.png.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.capture import MEMORY, ONCE, SETTLED
from bench.claims import Claim, Result, Series
from bench.plot import PLOTS, draw_plot

FILES = int(os.environ.get("TANIST_BENCH_FILES", "1000000"))
PLACE = os.environ.get("TANIST_BENCH_DIR", "/var/tmp")
SIZES = (*(size for size in (1000, 10_000, 100_000, 1_000_000) if size < FILES), FILES)
PLOT = PLOTS / "captures.png"
TOGETHER, ABOVE = 100, 100  # files in a directory, directories in one above
OFTEN = 3  # times that nothing and one file change
WORDS = {
    "first": "capture",
    "nothing changed": "capture",
    "one changed": "capture",
    "verify": "verify",
    "diff of two captures": "diff",
    "diff with the node": "compare",
    "restore": "restore",
    "restore again": "restore",
}
EMPTY = " of empty directories"
SAID = {
    "first": "made",
    "nothing changed": "unchanged",
    "one changed": "made",
    "verify": "good",
    "diff with the node": "0",
    "restore": "True",
    "restore again": "False",  # every entry is looked at, and none differs
}


class Ground:
    """A tree of one size, and what was measured with it."""

    def __init__(self, top: Path) -> None:
        self.tree, self.data, self.away = top / "tree", top / "data", top / "away"
        self.name = f"bench{os.getpid()}"
        self.seconds: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.memory: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self.files = 0
        self.rng = random.Random(1)
        self.noise = self.rng.randbytes(1 << 16)

    def grow(self, files: int) -> None:
        for number in range(self.files // TOGETHER, files // TOGETHER):
            place = self.data / f"{number // ABOVE:03d}" / f"{number:05d}"
            place.mkdir(parents=True)
            for one in range(TOGETHER):
                self.write(place / f"{one:02d}.conf")
        self.files = files
        self.begin()

    def grow_directories(self, number: int) -> None:
        """All empty, in place of the files."""
        shutil.rmtree(self.data, ignore_errors=True)
        for one in range(number // TOGETHER // ABOVE):
            for other in range(TOGETHER * ABOVE):
                (self.data / f"{one:03d}" / f"{other:04d}").mkdir(parents=True)
        self.files = number
        self.begin()

    def begin(self) -> None:
        """An empty tree, and no note of captures before."""
        shutil.rmtree(self.tree, ignore_errors=True)
        (self.tree / ".tanist").mkdir(parents=True, mode=0o700)
        (self.tree / ".tanist" / "claim").write_text("{}")
        Path(f"/var/lib/tanist/{self.name}/seen").unlink(missing_ok=True)
        subprocess.run(["sync", "-f", self.data], check=True)
        time.sleep(SETTLED)

    def write(self, path: Path) -> None:
        begin, size = self.rng.randrange(1 << 15), self.rng.randrange(100, 700)
        path.write_bytes(self.noise[begin : begin + size])

    def run(self, what: str) -> None:
        kind = what.removesuffix(EMPTY)
        argv = [sys.executable, str(ONCE), WORDS[kind], str(self.tree), str(self.data), self.name]
        began = time.perf_counter()
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        self.seconds[what][self.files].append(time.perf_counter() - began)
        said, memory = done.stdout.split()
        if said != SAID.get(kind, said):
            raise RuntimeError(f"{what}: {said}, not {SAID[kind]}")
        self.memory[what][self.files] = max(self.memory[what][self.files], int(memory))

    def change(self) -> None:
        number = self.rng.randrange(self.files)
        place = f"{number // TOGETHER // ABOVE:03d}/{number // TOGETHER:05d}/{number % TOGETHER:02d}.conf"
        self.write(self.data / place)
        time.sleep(SETTLED)


def measure(rounds: int, progress: Callable[[str], None]) -> Result:  # noqa: ARG001 - a million is measured once
    with tempfile.TemporaryDirectory(prefix="tanist-bench-", dir=PLACE) as top:
        ground = Ground(Path(top))
        try:
            for size in SIZES:
                ground.grow(size)
                measure_size(ground, progress)
            ground.grow_directories(FILES)
            measure_directories(ground, progress)
        finally:
            shutil.rmtree(f"/var/lib/tanist/{ground.name}", ignore_errors=True)
            shutil.rmtree(f"/run/tanist/{ground.name}", ignore_errors=True)
    medians = {
        what: {files: median(found) for files, found in by_size.items()} for what, by_size in ground.seconds.items()
    }
    draw_plot(PLOT, "captures, ext4, warm: seconds against files", medians)
    return judge(ground)


def measure_size(ground: Ground, progress: Callable[[str], None]) -> None:
    measure_one(ground, "first", progress)
    for _ in range(OFTEN):
        measure_one(ground, "nothing changed", progress)
        ground.change()
        measure_one(ground, "one changed", progress)
    for what in ("verify", "diff of two captures", "diff with the node"):
        measure_one(ground, what, progress)
    measure_restores(ground, "", progress)


def measure_directories(ground: Ground, progress: Callable[[str], None]) -> None:
    for what in ("first", "nothing changed"):
        measure_one(ground, what + EMPTY, progress)
    measure_restores(ground, EMPTY, progress)


def measure_restores(ground: Ground, kind: str, progress: Callable[[str], None]) -> None:
    ground.data.rename(ground.away)
    for what in ("restore", "restore again"):
        measure_one(ground, what + kind, progress)
    shutil.rmtree(ground.away)


def measure_one(ground: Ground, what: str, progress: Callable[[str], None]) -> None:
    ground.run(what)
    progress(f"million: {what}, {ground.files:,} files: {ground.seconds[what][ground.files][-1]:.2f} s")


def judge(ground: Ground) -> Result:
    most = {what: by_size[FILES] for what, by_size in ground.memory.items()}
    one, none = (median(ground.seconds[what][FILES]) for what in ("one changed", "nothing changed"))
    claims = (
        *(
            Claim(
                name=f"million-memory-{what.replace(' ', '-')}",
                value=memory / MEMORY,
                limit=1.0,
                compared=f"peak memory of {what}, {FILES:,} files | 150 MiB",
            )
            for what, memory in most.items()
        ),
        Claim(
            name="million-one-over-none",
            value=one / none,
            limit=1.2,
            compared=f"one of {FILES:,} files changed | nothing changed",
        ),
    )
    raw = tuple(
        Series(what=f"{what}, {files:,} files, {ground.memory[what][files] / 1024:.0f} MiB", seconds=tuple(found))
        for what, by_size in ground.seconds.items()
        for files, found in by_size.items()
    )
    return Result(claims=claims, raw=raw, notes=(f"plot: {PLOT}",))
