"""A share of the processors is taken where there is one to take, and given back."""

from __future__ import annotations

import os
from pathlib import Path

from bench.share import large_share


def test_where_there_is_no_such_controller_nothing_is_done(tmp_path: Path) -> None:
    with large_share(tmp_path) as said:
        assert said == ""
    assert list(tmp_path.iterdir()) == []


def test_it_is_given_back_at_the_end() -> None:
    def groups() -> str:
        return Path("/proc/self/cgroup").read_text()

    before = groups()
    with large_share() as said:
        assert (f"tanist-bench-{os.getpid()}" in groups()) == bool(said)
    assert groups() == before
