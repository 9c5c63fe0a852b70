from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.opscenter.trial import Trial
from tests.unit.opscenter.client import Client


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    made = Trial(tmp_path)
    yield made
    made.close()


@pytest.fixture
def connect(trial: Trial) -> Callable[[], Client]:
    """A client that has logged in to the trial's running server."""

    def logged_in() -> Client:
        client = Client(trial.port)
        client.log_in()
        return client

    return logged_in
