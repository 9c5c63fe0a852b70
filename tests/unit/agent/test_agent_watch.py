"""inotify on real files: what counts is seen, however it was changed."""

from __future__ import annotations

import os
import subprocess
import sys
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


NO_INSTANCE = """
from tanist.agent.post import Post
from tanist.definition.load import load_controller
from tanist.host.fake import FakeHost
import sys
host = FakeHost(sys.argv[1])
host.files.make_directory("/var/lib/tanist/postgresql")
host.files.write("/var/lib/tanist/postgresql/active.json", b"{}")
with open(sys.argv[2], "rb") as file:
    controller = load_controller(file.read(), "postgresql.toml")
post = Post(host, controller, 0.0)
post.look(100.0)
print(post.active, post.watch, post.unwatched, post.schedule.due(100.0))
"""


def test_without_a_free_instance_the_controller_is_looked_after_all_the_same(tmp_path: Path) -> None:
    """In a user namespace, whose limits are its own (namespaces(7))."""
    profile = Path(__file__).parents[3] / "profiles/postgresql.toml"
    script = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    argv = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", sys.executable, "-c", NO_INSTANCE]
    ran = subprocess.run([*argv, str(tmp_path / "root"), str(profile)], capture_output=True, text=True, check=False)
    if "max_inotify_instances" in ran.stderr or "unshare" in ran.stderr:
        pytest.skip(f"no user namespace with limits of its own: {ran.stderr.strip()}")
    assert ran.stdout.strip() == "True None True capture", ran.stderr
