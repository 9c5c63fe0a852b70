"""A lab for each test module, under a name of its own, so that test runs do not meet each other or the demo's lab."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.lab import Lab
from lab.machine import why_no_lab


@pytest.fixture(scope="module")
def lab_name() -> str:
    return f"t{os.getpid()}"


@pytest.fixture(scope="module")
def lab(lab_name: str) -> Iterator[Lab]:
    """A lab with all three nodes up; taken down at the end of the module."""
    reason = why_no_lab()
    if reason is not None:
        pytest.skip(reason)
    made = Lab(lab_name)
    try:
        made.up()
        yield made
    finally:
        made.down()
