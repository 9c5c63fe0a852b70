"""Temporary directories in memory where that can hold all that the tests put there: fsync costs nothing then."""

from __future__ import annotations

import os
import tempfile

import pytest

MEMORY = "/dev/shm"


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
