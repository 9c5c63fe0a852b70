"""For all tests: a tanist that a fake host has killed ends in all its threads, and that is no failure of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tanist.host.fake_world import Crash


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
