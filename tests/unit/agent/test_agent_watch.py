"""inotify on real files: what counts is seen, however it was changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tanist.host.inotify import Watch


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "tree/deep").mkdir(parents=True)
    for name in ("file", "other", "tree/a", "tree/deep/b"):
        (tmp_path / name).write_text("x")
    return tmp_path


@pytest.fixture
def watch(top: Path) -> Iterator[Watch]:
    made = Watch([f"{top}/file", f"{top}/tree", f"{top}/later"])
    yield made
    made.close()


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda top: (top / "file").write_text("y"),
    "replaced": lambda top: (top / "other").rename(top / "file"),
    "removed": lambda top: (top / "file").unlink(),
    "mode": lambda top: (top / "file").chmod(0o600),
    "in a directory": lambda top: (top / "tree/a").write_text("y"),
    "far below": lambda top: (top / "tree/deep/b").unlink(),
    "a new directory": lambda top: (top / "tree/new").mkdir(),
    "the directory itself": lambda top: (top / "tree").rename(top / "gone"),
    "what was not there": lambda top: (top / "later").mkdir(),
    "extended attributes": lambda top: os.setxattr(top / "file", "user.a", b"1"),
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_change_is_seen_once(top: Path, watch: Watch, how: str) -> None:
    assert not watch.read()
    try:
        CHANGES[how](top)
    except OSError as error:
        pytest.skip(f"this file system has no such attributes: {error}")
    assert watch.read()
    assert not watch.read()


def test_what_is_not_asked_for_is_not_seen(top: Path, watch: Watch) -> None:
    (top / "other").write_text("y")
    (top / "stranger").mkdir()
    (top / "file").read_text()
    assert not watch.read()


def test_a_directory_that_came_later_is_watched_too(top: Path, watch: Watch) -> None:
    (top / "tree/new/below").mkdir(parents=True)
    assert watch.read()
    watch.rearm()
    (top / "tree/new/below/c").write_text("x")
    assert watch.read()


def test_a_directory_that_is_replaced_is_watched_after_the_next_look(top: Path, watch: Watch) -> None:
    (top / "tree").rename(top / "old")
    (top / "tree").mkdir()
    assert watch.read()
    watch.rearm()
    (top / "tree/z").write_text("x")
    assert watch.read()


def test_a_link_is_watched_as_a_link(top: Path) -> None:
    (top / "link").symlink_to(top / "tree")
    watch = Watch([f"{top}/link"])
    (top / "tree/a").write_text("y")
    assert not watch.read()
    (top / "link").unlink()
    assert watch.read()
    watch.close()
