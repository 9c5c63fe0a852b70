"""A program that is started and left alone (posix_spawn(3)): quick, and nothing of it comes back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from tanist.host.environment import ENVIRONMENT


def launch(argv: Sequence[str]) -> None:
    nothing = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in (0, 1, 2)]
    with contextlib.suppress(OSError):
        os.posix_spawnp(argv[0], list(argv), ENVIRONMENT, file_actions=nothing, setsid=True)
