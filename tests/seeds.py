"""The seed of what a test chooses by chance: TANIST_SEED, or a fixed one: a commit is judged by what it changed.

Other seeds are played by hand: TANIST_SEED=n pytest tests/sim, with TANIST_EVERY_POINT=1 for 2,500 schedules.
"""

from __future__ import annotations

import os

FIXED = 265793096


def read_seed() -> int:
    return int(os.environ.get("TANIST_SEED") or FIXED)
