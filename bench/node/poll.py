#!/usr/bin/env python3
"""A client that asks all the time: a new connection and SELECT 1 every few milliseconds, whatever became of the others.

Says "asking" on its standard output, asks until its standard input is closed, then prints the moments of all answers
(CLOCK_MONOTONIC seconds) as JSON. Its way to ask is that of lab/clients, which must lie in the directory named first.
"""

import argparse
import importlib
import json
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def ask(client: Any, target: Any, interval: float) -> list[float]:
    pending: list[Any] = []
    answers: list[float] = []
    due = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= due:
            due = max(due + interval, now)
            pending += client._begin(target)
        while (answered := client._step_all(pending, target.connect_timeout)) is not None:
            answers.append(answered)
            pending = [one for one in pending if not is_done(one)]
        waits = [one for one in pending if one.state == client.POLL_READ]
        writers = [one for one in pending if one.state != client.POLL_READ]
        readable, _, _ = select.select([*waits, sys.stdin], writers, [], max(0.0, due - time.monotonic()))
        if sys.stdin in readable:
            return answers


def is_done(attempt: Any) -> bool:
    """An attempt that has its answer is closed, so that it is not counted twice."""
    done = attempt._cursor is not None and attempt.state == 0
    if done:
        attempt.close()
    return bool(done)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", type=Path)
    parser.add_argument("address")
    parser.add_argument("--interval", type=float, default=0.01)
    options = parser.parse_args(argv)
    sys.path.insert(0, str(options.clients.parent))
    client = importlib.import_module(f"{options.clients.name}.pgledger")
    target = client.Target(
        host=options.address,
        port=5432,
        dbname="postgres",
        user="postgres",
        extra="sslmode=disable",
        connect_timeout=0.5,
        timeout=1.0,
    )
    print("asking", flush=True)
    print(json.dumps(ask(client, target, options.interval)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
