"""A lab for each test module, under a name of its own, so that test runs do not meet each other or the demo's lab."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.lab import Lab
from tests.lab.stage import open_lab


@pytest.fixture(scope="module")
def lab_name() -> str:
    return f"t{os.getpid()}"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab("t") as made:
        yield made
