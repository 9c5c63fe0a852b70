"""What a quick command must not import: a fresh interpreter tells."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = ("tanist.engine", "tanist.steps.registry", "tanist.capture", "tanist.model.steps", "tanist.journal.journal")


def imported(module: str) -> set[str]:
    argv = [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"]
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("module", ["tanist.cli.word", "tanist.cli.status", "tanist.cli.takeover"])
def test_a_quick_command_or_the_begin_of_a_long_one_imports_nothing_that_changes_a_host(module: str) -> None:
    found = imported(module)
    assert module in found
    assert found.isdisjoint(SLOW)


def test_a_takeover_imports_all_of_it() -> None:
    assert imported("tanist.runs.takeover") >= set(SLOW)
