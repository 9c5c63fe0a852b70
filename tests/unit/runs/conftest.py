from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tanist.runs.first import init
from tests.unit.runs.world import World


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Worlds in which ec-a has become active by `tanist init`. Nothing that no run may do has happened at the end."""
    made: list[World] = []

    def make(mode: str = "host", kind: str = "filesystem") -> World:
        world = World(tmp_path / f"world{len(made)}", mode=mode, kind=kind)
        made.append(world)
        init(world.session("ec-a"))
        if kind == "directory":
            world.copy_tree("ec-a", "ec-b")
        return world

    yield make
    for world in made:
        assert world.violations == ()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world()


@pytest.fixture
def orphan(world: World) -> World:
    """ec-a held the claim and lost its power."""
    world.a.power_off()
    return world
