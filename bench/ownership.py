"""Taking ownership: the id map does not know how many files there are; the walk holds beside chown and a stat walk.

TANIST_BENCH_FILES: how many (1,000,000). TANIST_BENCH_DIR: where (/var/tmp). The plot is build/bench/ownership.png.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.claims import Claim, Result, Series, paired_ratio
from bench.plot import PLOTS, draw_plot

ROOT = Path(__file__).resolve().parents[1]
PLACE = os.environ.get("TANIST_BENCH_DIR", "/var/tmp")
FILES = int(os.environ.get("TANIST_BENCH_FILES", "1000000"))
PLOT = PLOTS / "ownership.png"
Times = dict[str, dict[int, list[float]]]


def measure(rounds: int, progress: Callable[[str], None]) -> Result:
    times: Times = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(prefix="tanist-bench-", dir=PLACE) as directory:
        argv = ["unshare", "--mount", sys.executable, "-m", "bench.node.owners", f"{directory}/image"]
        with subprocess.Popen([*argv, str(FILES), str(rounds)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                said = json.loads(line)
                progress(f"ownership: {said['what']}, {said['files']:,} files: {said['seconds']:.3f}")
                times[said["what"]][said["files"]].append(said["seconds"])
        if child.returncode:
            raise RuntimeError(f"bench.node.owners ended with {child.returncode}")
    (peak,) = times.pop("peak memory, MiB")[FILES]
    draw_plot(
        PLOT,
        "taking ownership, ext4, warm: seconds against files",
        {what: {files: median(found) for files, found in by_size.items()} for what, by_size in times.items()},
    )
    return judge(times, peak)


def judge(times: Times, peak: float) -> Result:
    most = {what: by_size[FILES] for what, by_size in times.items()}
    both = [one + other for one, other in zip(most["chown -hR"], most["sync -f after it"], strict=True)]
    maps = times["id map"]
    claims = (
        Claim(
            name="ownership_map_seconds",
            value=median(most["id map"]),
            limit=0.010,
            compared=f"a mount of {FILES:,} files through an id map of ten accounts, seconds",
        ),
        Claim(
            name="ownership_map_flat",
            value=median(most["id map"]) / max(median(maps[min(maps)]), 0.002),
            limit=2.0,
            compared=f"the same beside a mount of {min(maps):,} files (of which 2 ms at least are counted)",
        ),
        Claim(
            name="ownership_walk_all",
            value=paired_ratio(most["walk, all change"], both),
            limit=1.1,
            compared="the walk, its record and its sync included, beside `chown -hR` and `sync -f`, whole processes",
        ),
        Claim(
            name="ownership_walk_none",
            value=paired_ratio(most["walk, none change"], most["stat walk (Python)"]),
            limit=1.3,
            compared="the walk where no number changes beside a bare scandir and stat walk, Python too, one process",
        ),
        Claim(
            name="ownership_walk_memory",
            value=peak / 150,
            limit=1.0,
            compared=f"peak memory of the largest process, {FILES:,} files | 150 MiB",
        ),
    )
    raw = tuple(Series(what=f"{what}, {FILES:,} files", seconds=tuple(found)) for what, found in most.items())
    bare = paired_ratio(most["walk, all change"], most["chown -hR"])
    find = paired_ratio(most["walk, none change"], most["find -printf"])
    notes = (
        f"beside `chown -hR` that leaves its changes in memory: {bare:.2f}; beside `find -printf` in C: {find:.2f}",
        f"plot: {PLOT}",
    )
    return Result(claims=claims, raw=raw, notes=notes)
