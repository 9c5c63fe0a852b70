"""The seed of what a test chooses by chance: TANIST_SEED, or one that changes with each commit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FIXED = 20260101  # outside a git tree


def read_seed() -> int:
    given = os.environ.get("TANIST_SEED")
    if given:
        return int(given)
    argv = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=8", "HEAD"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10)
        return int(done.stdout.strip()[:7], 16)
    except (OSError, subprocess.SubprocessError, ValueError):
        return FIXED
