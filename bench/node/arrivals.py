#!/usr/bin/env python3
"""arrivals.py MIRROR SECONDS: when each generation appeared in a directory of mirrored captures, as JSON.

A list of [CLOCK_MONOTONIC seconds, name]; those that were there at the start are left out. Nodes of one machine share
that clock. Says "looking" once it looks.
"""

from __future__ import annotations

import json
import os
import sys
import time

EVERY = 0.02  # seconds between two looks


def main() -> int:
    directory, seconds = sys.argv[1], float(sys.argv[2])
    known = generations(directory)
    found = []
    print("looking", flush=True)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        new = generations(directory) - known
        found += [(time.monotonic(), name) for name in sorted(new)]
        known |= new
        time.sleep(EVERY)
    print(json.dumps(found))
    return 0


def generations(directory: str) -> set[str]:
    return {one for one in os.listdir(directory) if "Z-e" in one and ".partial-" not in one}


if __name__ == "__main__":
    sys.exit(main())
