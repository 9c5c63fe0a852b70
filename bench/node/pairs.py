#!/usr/bin/env python3
"""Start two commands in turn, many times, each to its end: the seconds of every start, as JSON.

The first round is not counted: it warms the caches of both. Standard library only.
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence


def time_command(command: Sequence[str], nowhere: int) -> float:
    actions = [(os.POSIX_SPAWN_DUP2, nowhere, number) for number in (0, 1, 2)]
    began = time.monotonic()
    pid = os.posix_spawnp(command[0], list(command), os.environ, file_actions=actions)
    os.waitpid(pid, 0)
    return time.monotonic() - began


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=int)
    parser.add_argument("first")
    parser.add_argument("second")
    options = parser.parse_args(argv)
    commands = [shlex.split(options.first), shlex.split(options.second)]
    nowhere = os.open(os.devnull, os.O_RDWR)
    rounds = [[time_command(command, nowhere) for command in commands] for _ in range(options.pairs + 1)]
    print(json.dumps({"first": [one for one, _ in rounds[1:]], "second": [two for _, two in rounds[1:]]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
