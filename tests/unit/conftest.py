"""Temporary directories in memory where that can hold all that the tests put there: fsync costs nothing then. And no
example of hypothesis is red for its time."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

MEMORY = "/dev/shm"
# A machine that is busy elsewhere makes no example wrong: what takes long is for the bench to say.
settings.register_profile("tanist", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tanist")


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and holds_everything(MEMORY):
        os.environ["PYTEST_DEBUG_TEMPROOT"] = MEMORY


def holds_everything(directory: str) -> bool:
    """Extended attributes of users came to tmpfs late (Linux 6.6)."""
    try:
        with tempfile.NamedTemporaryFile(dir=directory) as file:
            os.setxattr(file.name, "user.tanist", b"1")
    except OSError:
        return False
    return True
