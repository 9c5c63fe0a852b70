#!/usr/bin/env python3
"""changes.py FILE COUNT SECONDS: change a file so often, so many seconds apart; when each was made, as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> int:
    path, count, apart = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    made = []
    for number in range(count):
        with path.open("a") as file:
            file.write(f"# change {number}\n")
        made.append(time.monotonic())
        time.sleep(apart + number % 7 * 0.1)  # never in step with anything that is done every so many seconds
    print(json.dumps(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
