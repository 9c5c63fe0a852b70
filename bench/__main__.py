"""python -m bench [--only NAME]: measure what is claimed. Exit status 1 when a claim falls short, 3 when the machine
can't hold the lab."""

from __future__ import annotations

import argparse
import compileall
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import tanist
from bench.claims import Result, render_result
from bench.machine import describe_load, describe_machine
from bench.share import large_share
from lab.machine import why_no_lab

# each a module of this package with measure(rounds, progress) -> Result
NAMES = (
    "takeover",
    "capture",
    "million",
    "ownership",
    "mirror",
    "proofs",
    "reservation",
    "storage",
    "agent",
    "many",
)  # each a module of this package with measure(progress) -> Result


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=NAMES, help="one group of claims")
    parser.add_argument("--rounds", type=int, default=5, help="how often each pair is measured")
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="agent, many: how long it is watched while it is idle"
    )
    parser.add_argument("--ordinary-share", action="store_true", help="where others need the processors as well")
    options = parser.parse_args(argv)
    reason = why_no_lab()
    if reason is not None:
        print(f"bench: {reason}", file=sys.stderr)
        return 3
    compileall.compile_dir(Path(tanist.__file__).parent, quiet=1)  # as pip does, whatever the environment says
    with contextlib.nullcontext("measured beside other work") if options.ordinary_share else large_share() as share:
        return measure_all([options.only] if options.only else NAMES, options.rounds, share, options.minutes)


def measure_all(names: Sequence[str], rounds: int, share: str, minutes: float = 5.0) -> int:
    short = False
    for name in names:
        before = describe_load(os.getloadavg())
        more = {"minutes": minutes} if name in ("agent", "many") else {}
        result: Result = importlib.import_module(f"bench.{name}").measure(rounds, progress, **more)
        print(render_result(result))
        load = f"{before} at the start, {describe_load(os.getloadavg())} at the end"
        print("; ".join(filter(None, (describe_machine(), load, share))), flush=True)
        short = short or any(not claim.ok for claim in result.claims)
    return 1 if short else 0


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
