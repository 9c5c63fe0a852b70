#!/usr/bin/env python3
"""Run a command on a node and say when it began, when it ended and, with --let-go, when the asset was free.

All times are CLOCK_MONOTONIC seconds, which the containers of one kernel share. Standard library only.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence

POLL = 0.001  # seconds


def is_let_go(tree: str, address: str) -> bool:
    """Neither mounted there nor an address of this node: what keeps another node from beginning."""
    with open("/proc/self/mountinfo") as mounts:
        if any(line.split(" ", 5)[4] == tree for line in mounts):
            return False
    with open("/proc/net/fib_trie") as trie:
        return f"|-- {address}\n" not in trie.read()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--let-go", nargs=2, metavar=("TREE", "ADDRESS"))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    free: float | None = None
    began = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        while options.let_go and free is None and child.poll() is None:
            time.sleep(POLL)
            if is_let_go(*options.let_go):
                free = time.monotonic()
        said, _ = child.communicate()
        ended = time.monotonic()
    report = {"began": began, "ended": ended, "let_go": free, "status": child.returncode}
    print(json.dumps({**report, "said": said.decode(errors="replace")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
