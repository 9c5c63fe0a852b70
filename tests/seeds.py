"""The seed of what a test chooses by chance: TANIST_SEED, or one that changes with each commit.

What a red one prints has the seed in it: TANIST_SEED=n repeats it, `python -m tests.sim.chance n` a single schedule.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FIXED = 265793096  # without a repository: an unpacked archive


def read_seed() -> int:
    chosen = os.environ.get("TANIST_SEED")
    return int(chosen) if chosen else of_commit()


def of_commit() -> int:
    """Seven digits of HEAD."""
    argv = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return FIXED
    return int(ran.stdout[:7], 16) if ran.returncode == 0 else FIXED
