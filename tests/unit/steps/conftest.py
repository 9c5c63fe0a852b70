from __future__ import annotations

from pathlib import Path

import pytest

from tanist.host.fake import FakeHost
from tanist.runs.session import Session
from tests.unit.runs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def node(world: World) -> FakeHost:
    return world.b


@pytest.fixture
def session(world: World) -> Session:
    return world.session("ec-b")
