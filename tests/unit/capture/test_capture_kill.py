"""kill -9 before every system call that changes something: the next run ends like one that was never killed.

A forked child dies in the middle (os._exit: no handler runs), the parent looks and tries again.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tanist.capture.manifest import Manifest
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.store import load_manifest, save_store, verify_store
from tanist.host.fake import FakeHost
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.trees import clear_all_flags, make_rich, set_flags, snapshot

PG = "/etc/deep/pg"
CHANGING = (
    *("mkdir", "rename", "unlink", "rmdir", "link", "symlink", "mkfifo", "mknod", "chown", "chmod", "fchmod", "fchown"),
    *("setxattr", "removexattr", "utime", "write", "pwrite", "fsync", "ftruncate", "truncate"),
)
KILLED, DONE = 77, 78


def killed_at(nth: int, work: Callable[[], object]) -> bool:
    """Runs `work` in a child that dies before its nth changing call; false when it got to its end."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    left = [nth]

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            left[0] -= 1
            if not left[0]:
                os._exit(KILLED)
            return real(*args, **more)

        return call

    def opening(path: object, flags: int, *args: object, **more: object) -> object:
        return (dying_open if flags & os.O_CREAT else real_open)(path, flags, *args, **more)

    real_open: Callable[..., object] = os.open
    dying_open = dying(real_open)
    try:
        for name in CHANGING:
            setattr(os, name, dying(getattr(os, name)))
        os.open = opening  # type: ignore[assignment]
        fcntl.ioctl = dying(fcntl.ioctl)  # type: ignore[assignment]
        work()
        os._exit(DONE)
    finally:
        os._exit(1)


@pytest.fixture
def rich(host: FakeHost) -> FakeHost:
    host.files.make_directory("/etc/deep")
    make_rich(Path(host.root + PG), uid=2001, gid=2001)
    return host


@pytest.fixture
def small(host: FakeHost) -> FakeHost:
    """One of each way in which something is made."""
    top = Path(host.root + PG)
    (top / "d").mkdir(parents=True)
    (top / "d" / "f").write_text("x")
    os.link(top / "d" / "f", top / "same")
    (top / "link").symlink_to("d")
    os.chown(top / "d", 2001, 2001)
    os.setxattr(top / "d" / "f", "user.a", b"1")
    set_flags(top / "d" / "f", ("immutable",))
    return host


def wreck(host: FakeHost) -> None:
    """Something of everything is wrong."""
    top = Path(host.root + PG)
    clear_all_flags(top)
    (top / "extra").mkdir()
    (top / "extra" / "f").write_text("x")
    set_flags(top / "extra", ("immutable",))
    (top / "main.conf").unlink()
    (top / "main.conf").mkdir()
    (top / "fifo").unlink()
    (top / "link").unlink()
    (top / "link").write_text("not a link")
    (top / "tool").write_text("altered")
    subprocess.run(["rm", "-r", top / "conf.d"], check=True)
    os.chown(top / "ümläut", 0, 0)
    set_flags(top / "ümläut", ("append-only",))


def wipe(host: FakeHost) -> None:
    host.files.remove_tree("/etc/deep")


@pytest.mark.requirement("A38", "A66")
@pytest.mark.parametrize(("tree", "damage"), [("rich", wreck), ("small", wipe)])
def test_a_restore_killed_anywhere_and_run_again_ends_the_same(
    request: pytest.FixtureRequest, tree: str, damage: Callable[[FakeHost], None]
) -> None:
    rich: FakeHost = request.getfixturevalue(tree)
    save_store(rich, "/store", (PG,), ABOUT)
    before = snapshot(Path(rich.root + PG))
    nth = 1
    while True:
        damage(rich)
        killed = killed_at(nth, lambda: restore_path(rich, "/store", PG))
        restore_path(rich, "/store", PG)
        assert snapshot(Path(rich.root + PG)) == before, f"killed at call {nth}"
        assert rich.files.list("/etc/deep") == ("pg",), f"killed at call {nth}"
        assert rich.files.list("/etc") == ("deep",), f"killed at call {nth}"
        if not killed:
            break
        nth += 1
    assert nth > 25


@pytest.mark.requirement("A38")
def test_a_restore_killed_anywhere_can_be_taken_back(small: FakeHost) -> None:
    """Undo: this node had nothing at the path."""
    save_store(small, "/store", (PG,), ABOUT)
    wipe(small)
    save_store(small, "/own", (PG,), ABOUT)
    nth = 1
    while killed_at(nth, lambda: restore_path(small, "/store", PG)):
        restore_path(small, "/own", PG)
        assert small.files.list("/etc") == (), f"killed at call {nth}"
        nth += 1
    assert nth > 25
    nth = 1
    while killed_at(nth, lambda: restore_path(small, "/own", PG)):
        nth += 1
        restore_path(small, "/own", PG)
        assert small.files.list("/etc") == (), f"killed at call {nth}"
        restore_path(small, "/store", PG)
    assert compare_path(small, "/own", PG) == ()


def strip(manifest: Manifest) -> object:
    return manifest.entries, manifest.asked


@pytest.mark.requirement("A38")
def test_a_save_killed_anywhere_leaves_nothing_that_counts(rich: FakeHost) -> None:
    whole = save_store(rich, "/stores/whole", (PG,), ABOUT)
    nth = 1
    while True:
        killed = killed_at(nth, lambda: save_store(rich, "/stores/new", (PG,), ABOUT))
        if rich.files.exists("/stores/new"):
            verify_store(rich, "/stores/new")
        assert strip(save_store(rich, "/stores/new", (PG,), ABOUT)) == strip(whole), f"killed at call {nth}"
        assert rich.files.list("/stores") == ("new", "whole"), f"killed at call {nth}"
        assert load_manifest(rich, "/stores/whole") == whole
        if not killed:
            break
        rich.files.remove_tree("/stores/new")
        nth += 1
    assert nth > 10
