"""The seed of what a test chooses by chance: TANIST_SEED, or one that changes with each commit.

What a red one prints has the seed in it: TANIST_SEED=n repeats it, `python -m tests.sim.chance n` a single schedule.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

ALL = os.environ.get("TANIST_STORIES") == "all"
TURNS = 3
FIXED = 265793096  # without a repository: an unpacked archive


def read_seed() -> int:
    chosen = os.environ.get("TANIST_SEED")
    return int(chosen) if chosen else of_commit()


@cache
def of_commit() -> int:
    """Seven digits of HEAD."""
    argv = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return FIXED
    return int(ran.stdout[:7], 16) if ran.returncode == 0 else FIXED


def in_turn(turn: int) -> pytest.MarkDecorator:
    """Of stories that take minutes on emulated machines each commit plays a third, by its seed; TANIST_STORIES=all
    plays all of them."""
    now = read_seed() % TURNS
    reason = f"minutes: in turn {turn} of {TURNS}, this commit has turn {now}; TANIST_STORIES=all plays it"
    return pytest.mark.skipif(not ALL and turn != now, reason=reason)


def among_all() -> pytest.MarkDecorator:
    """What is played only where all are: it takes five minutes and more, and `make test` has an hour."""
    return pytest.mark.skipif(not ALL, reason="five minutes and more: TANIST_STORIES=all plays it")
