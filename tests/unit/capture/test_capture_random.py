"""Random trees: saved, wiped or altered, restored, and equal in everything."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tanist.capture.restore import compare_path, restore_path
from tanist.capture.store import save_store, verify_store
from tanist.host.fake import FakeHost
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.trees import CAPABILITY, acl_with, set_flags, snapshot

PG = "/etc/pg"
KEPT = settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NAMES = st.sampled_from(["a", "b", "a-", "é", os.fsdecode(b"\xff"), "line\nbreak", "-rf", "sp ace", "*"])
IDS = st.sampled_from([0, 2001, 2002, 77])
DECORATIONS = st.sampled_from(
    ["mode", "owner", "acl", "default acl", "capability", "user", "immutable", "time", "none"]
)


Tree = dict[str, tuple[str, Any, list[tuple[str, int]]]]


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Tree:
    kinds = ["file", "link", "fifo", "socket", "hard link"] + (["directory"] * 3 if depth else [])
    found: Tree = {}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        kind = draw(st.sampled_from(kinds))
        inside: Any = draw(trees(depth=depth - 1)) if kind == "directory" else draw(st.binary(max_size=3))
        decoration = draw(st.lists(st.tuples(DECORATIONS, IDS), max_size=3))
        found[name] = (kind, inside, decoration)
    return found


def plant(top: Path, tree: Tree, files: list[Path]) -> None:
    top.mkdir(exist_ok=True)
    for name, (kind, inside, decoration) in tree.items():
        path = top / name
        with contextlib.suppress(FileExistsError, PermissionError):  # there, or immutable
            if kind == "directory":
                plant(path, inside, files)
            elif kind == "link":
                path.symlink_to(os.fsdecode(inside.replace(b"\0", b"")) or "x")
            elif kind == "fifo":
                os.mkfifo(path)
            elif kind == "socket":
                os.mknod(path, 0o600 | stat.S_IFSOCK)
            elif kind == "hard link" and files:
                os.link(files[len(inside) % len(files)], path, follow_symlinks=False)
                continue
            else:
                path.write_bytes(inside * 300)
                files.append(path)
        for what, number in decoration:
            decorate(path, what, number)


def decorate(path: Path, what: str, number: int) -> None:
    plain = path.is_file() and not path.is_symlink()
    with contextlib.suppress(PermissionError, FileNotFoundError):  # immutable already, or could not be linked
        match what:
            case "mode" if not path.is_symlink():
                os.chmod(path, (number * 37) & 0o7777)
            case "owner":
                os.chown(path, number, number, follow_symlinks=False)
            case "acl" if not path.is_symlink():
                os.setxattr(path, "system.posix_acl_access", acl_with(number, 2001))
            case "default acl" if path.is_dir() and not path.is_symlink():
                os.setxattr(path, "system.posix_acl_default", acl_with(number, 2001))
            case "capability" if plain:
                os.setxattr(path, "security.capability", CAPABILITY)
            case "user" if plain:
                os.setxattr(path, "user.x", bytes((number % 256, 0, 10)))
            case "immutable" if plain and path.stat().st_nlink == 1:
                set_flags(path, ("immutable",))
            case "time":
                os.utime(path, ns=(0, number * 10**9 + 1), follow_symlinks=False)


@pytest.fixture
def world(new_host: Callable[..., FakeHost]) -> FakeHost:
    return new_host("random", 2001, web=2002)


@pytest.mark.requirement("A34", "A54", "A66")
@KEPT
@given(before=trees(), after=trees())
def test_any_tree_replaces_any_other_exactly(world: FakeHost, before: Tree, after: Tree) -> None:
    """`after` is what the other node had there; its own is saved first and comes back."""
    host, top = world, Path(world.root + PG)
    for path in (PG, "/store", "/own"):
        host.files.remove_tree(path)
    plant(top, before, [])
    saved = snapshot(top)
    save_store(host, "/store", (PG,), ABOUT)
    verify_store(host, "/store")
    assert compare_path(host, "/store", PG) == ()
    host.files.remove_tree(PG)
    plant(top, after, [])
    own = snapshot(top)
    save_store(host, "/own", (PG,), ABOUT)
    restore_path(host, "/store", PG)
    assert snapshot(top) == saved
    assert not restore_path(host, "/store", PG)
    restore_path(host, "/own", PG)
    assert snapshot(top) == own
