"""Bad input without end: whatever another machine wrote is refused or restored, and nothing else is touched.

The bounded part of tests/fuzz: hundreds of captures and streams whose values were altered and whose checksums were made
right again, and what `make fuzz` has kept.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.host.fake_files import FakeFiles
from tests.fuzz.mutate import mutate
from tests.fuzz.target import Bench, WroteOutside
from tests.unit.capture.trees import clear_all_flags

KEPT = sorted((Path(__file__).parents[2] / "fuzz" / "corpus").iterdir())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeFiles, "sync", lambda self, path: None)
        patch.setattr(os, "fsync", lambda fd: None)
        top = tmp_path_factory.mktemp("fuzz")
        yield Bench(top)
        clear_all_flags(top)


def test_what_is_right_is_taken(bench: Bench) -> None:
    assert all(bench.try_input(seed) for seed in bench.seeds)


@pytest.mark.requirement("A58")
@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(kind=st.integers(0, 255), steps=st.integers(1, 4), seed=st.integers(0, 1 << 32))
def test_whatever_is_altered_is_refused_or_restored_and_nothing_else_is_touched(
    bench: Bench, kind: int, steps: int, seed: int
) -> None:
    rng = random.Random(seed)
    data = bench.seeds[kind % len(bench.seeds)]
    for _ in range(steps):
        data = mutate(data, rng)
    bench.try_input(data)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(data=st.binary(max_size=600))
def test_bytes_at_random_are_refused(bench: Bench, data: bytes) -> None:
    bench.try_input(data)


def test_what_the_hunt_has_kept_does_no_harm(bench: Bench) -> None:
    assert KEPT
    for path in KEPT:
        bench.try_input(path.read_bytes())


def test_the_bench_notices_what_is_written_outside(bench: Bench) -> None:
    bench.host.files.write("/outside/kept", b"other", 0o600)
    with pytest.raises(WroteOutside, match="changed outside"):
        bench.check()
    bench.host.files.write("/outside/kept", b"kept", 0o600)
    bench.check()
    bench.host.files.write("/etc/new", b"")
    with pytest.raises(WroteOutside, match="/etc/new"):
        bench.check()
    bench.host.files.remove("/etc/new")
