"""For all tests: a tanist that a fake host has killed ends in all its threads, and that is no failure of a test. And
what takes longest begins first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tanist.host.fake_world import Crash

MACHINES = "tests/vm"
FIRST = (
    MACHINES,
    "tests/lab",
    "tests/unit/runs/test_runs_kill.py",
    "tests/sim",
)  # minutes for each module; others take seconds


@pytest.fixture(scope="session", autouse=True)
def dead_threads_are_silent() -> Iterator[None]:
    """A look that goes on beside a run may be where the kill finds it, which pytest would call unhandled."""
    before = threading.excepthook

    def tell(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not Crash:
            before(args)

    threading.excepthook = tell
    yield
    threading.excepthook = before


class InTurns(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """The modules with machines go to one worker: two at once would wait for each other (tests/vm/conftest.py)."""

    def _split_scope(self, nodeid: str) -> str:
        return MACHINES if nodeid.startswith(f"{MACHINES}/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InTurns | None:
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return InTurns(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((n for n, place in enumerate(FIRST) if item.nodeid.startswith(place)), len(FIRST)))
