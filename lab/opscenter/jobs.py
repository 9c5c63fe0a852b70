"""The job runner: takes queued jobs, one after the other (sun-xvm-jobs.service).

A job's output is on disk before the job is called done. A job that was cut short, by a crash or by our own stop, is
marked interrupted and never taken again.
"""

import argparse
import fcntl
import os
import sys
import time
from pathlib import Path

from .layout import Layout
from .process import StopSignal, log, notify
from .store import Job, Store

_SECONDS = {"inventory": 0.2, "reboot": 0.5, "firmware": 0.7, "provision": 1.0, "discovery": 600}
_STEPS = 5


def lock_runner(path: Path) -> int | None:
    """The lock that makes us the only runner, held until the process ends; None when another one runs."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    for _ in range(10):  # is_running() below holds it for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return lock
    os.close(lock)
    return None


def is_running(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def run_job(job: Job, jobs_dir: Path, stop: StopSignal) -> bool:
    """False when we were told to stop before its end."""
    folder = jobs_dir / str(job.id)
    folder.mkdir(exist_ok=True)
    with (folder / "output").open("w") as output:
        for step in range(1, _STEPS + 1):
            if stop.wait(_SECONDS.get(job.kind, 0.3) / _STEPS):
                return False
            output.write(f"{job.kind} of {job.asset}: step {step} of {_STEPS}\n")
            output.flush()
        os.fsync(output.fileno())
    for parent in (folder, jobs_dir):
        _sync_directory(parent)
    return True


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(directory)
    os.close(directory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="xvm-jobs", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("/"))
    layout = Layout(root=parser.parse_args().root)
    stop = StopSignal()
    store = Store(layout.database)
    if lock_runner(layout.runner_lock) is None:
        sys.exit("another job runner is at work on this tree")
    log(f"jobs that were cut short and stay so: {store.interrupt_running()}")
    notify("READY=1")
    while not stop.wait(0):
        job = store.take()
        if job is None:
            stop.wait(0.1)
        else:
            store.finish(job.id, "done" if run_job(job, layout.jobs, stop) else "interrupted")
    notify("STOPPING=1")
    store.close()


if __name__ == "__main__":
    main()
