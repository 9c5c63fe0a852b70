"""Starting host programs for the lab: argument lists, no stdin unless given, an error that says what failed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.errors import LabError


def run(
    argv: Sequence[str | Path], *, check: bool = True, stdin: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a program and return its output as text; with `check`, a status other than 0 is a LabError."""
    words = [str(a) for a in argv]
    done = subprocess.run(words, input=stdin, text=True, capture_output=True, timeout=timeout, check=False)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"{' '.join(words)}: status {done.returncode}: {said}")
    return done


def wait_until(what: str, condition: Callable[[], bool], *, timeout: float, pause: float = 0.005) -> None:
    """Return once `condition` holds; LabError after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(pause)
