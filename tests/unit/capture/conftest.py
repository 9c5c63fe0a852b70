from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tanist.capture.manifest import About
from tanist.host.fake import FakeHost
from tanist.host.fake_files import FakeFiles
from tests.unit.capture.trees import clear_all_flags

ABOUT = About(controller="pg", node="ec-a", created=1_700_000_000.5, epoch=3, run="r1", version="0", facts={"a": 1})


@pytest.fixture
def new_host(tmp_path: Path) -> Callable[..., FakeHost]:
    """Hosts whose accounts have different numbers: postgres is 2001 here and 3001 there."""

    def make(name: str = "ec-a", number: int = 2001, **extra: int) -> FakeHost:
        root = tmp_path / name
        (root / "etc").mkdir(parents=True)
        accounts = {"root": 0, "postgres": number, **extra}
        return FakeHost(str(root), name, users=accounts, groups=accounts)

    return make


@pytest.fixture
def host(new_host: Callable[..., FakeHost]) -> FakeHost:
    return new_host()


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power fails here, and syncs wait for everybody else's writes."""
    monkeypatch.setattr(FakeFiles, "sync", lambda self, path: None)
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture(autouse=True)
def no_flags_left(tmp_path: Path):  # type: ignore[no-untyped-def]
    yield
    clear_all_flags(tmp_path)
