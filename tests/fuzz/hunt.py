"""Coverage-guided hunt for an input that is not refused as it must be: `make fuzz [MINUTES=60]`.

It runs in a mount namespace of its own in which everything but its work directory is read-only. What it finds is kept
in tests/fuzz/corpus (the inputs that reach new code) and tests/fuzz/found (those that broke something: each becomes a
case of test_capture_fuzz.py).
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tanist.capture", "tests.fuzz.target"]):
    from tests.fuzz.target import Bench

from tests.fuzz.mutate import mutate


def quiet() -> None:
    """No power fails here."""
    from tanist.host.fake_files import FakeFiles

    FakeFiles.sync = lambda self, path: None  # type: ignore[method-assign]
    os.fsync = lambda fd: None


def main() -> None:
    work, corpus = Path(sys.argv[1]), Path(sys.argv[2])
    quiet()
    bench = Bench(work)
    for number, seed in enumerate(bench.seeds):
        (corpus / f"seed-{number:02d}").write_bytes(seed)

    def one(data: bytes) -> None:
        bench.try_input(data)

    def other(data: bytes, limit: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.3:
            return bytes(atheris.Mutate(data, limit))
        return mutate(data, rng, limit)[:limit]

    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[3:]], one, custom_mutator=other)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
