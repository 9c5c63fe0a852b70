"""Two trees side by side: each difference is named, and only what can't have changed is left out the second time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tanist.capture.twins import Twins
from tanist.host.fake import FakeHost


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """Both trees alike; the clock far ahead of all that is in them."""
    host = FakeHost(str(tmp_path / "root"))
    host.clock.wall = 4_000_000_000.0
    for tree in ("old", "new"):
        top = Path(host.root) / tree
        (top / "inner" / "deep").mkdir(parents=True)
        (top / "inner" / "file").write_bytes(b"abc" * 1000)
        os.link(top / "inner" / "file", top / "twin")
        (top / "link").symlink_to("inner/file")
        (top / "plain").write_text("plain")
        for path in sorted(top.rglob("*"), reverse=True):
            os.utime(path, ns=(1, 10**18), follow_symlinks=False)
        os.utime(top, ns=(1, 10**18))
    return host


def told(host: FakeHost, seen: frozenset[int] = frozenset()) -> tuple[dict[str, str], Twins]:
    twins = Twins(host, "/old", "/new", seen)
    return {os.fsdecode(one.path): one.says for one in twins.differences()}, twins


def test_what_is_alike_is_alike_and_what_the_asset_has_of_its_own_does_not_count(host: FakeHost) -> None:
    for name in ("lost+found", ".tanist"):
        (Path(host.root) / "new" / name).mkdir()
    os.utime(Path(host.root) / "new", ns=(1, 10**18))
    assert told(host)[0] == {}


def rewrite(path: Path) -> None:
    """Other bytes, with size and time as before."""
    info = path.stat()
    path.write_bytes(b"x" * info.st_size)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def lead_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("plain")


def be_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def part(path: Path) -> None:
    """The same bytes in a file of its own."""
    path.unlink()
    path.write_bytes(b"abc" * 1000)


CHANGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("plain", rewrite, "has other content in the copy"),
    ("plain", lambda path: path.chmod(0o600), "in the copy has mode 0600, not 0644"),
    ("plain", lambda path: os.chown(path, 5, 6), "in the copy belongs to 5:6, not 0:0"),
    ("plain", lambda path: os.utime(path, ns=(1, 2)), "in the copy has another time"),
    ("plain", lambda path: os.setxattr(path, "user.a", b"1"), "in the copy differs in user.a"),
    ("plain", Path.unlink, "is missing in the copy"),
    ("link", lead_elsewhere, "leads elsewhere in the copy"),
    ("link", be_a_directory, "is of another kind in the copy"),
    ("inner/deep/more", Path.mkdir, "is only in the copy"),
    ("twin", part, "hard links"),
]


@pytest.mark.parametrize(("name", "change", "says"), CHANGES, ids=[says for _, _, says in CHANGES])
def test_each_difference_is_named(host: FakeHost, name: str, change: Callable[[Path], object], says: str) -> None:
    path = Path(host.root) / "new" / name
    change(path)
    found, _ = told(host)
    assert says in found[name]


def test_the_second_look_reads_only_what_may_have_changed(host: FakeHost) -> None:
    _, first = told(host)
    assert (first.read, len(first.same)) == (3, 2)  # the two names of one file count once
    seen = frozenset(first.same)
    found, second = told(host, seen)
    assert (found, second.read) == ({}, 0)
    for tree in ("old", "new"):
        rewrite(Path(host.root) / tree / "plain")
    found, third = told(host, seen)
    assert (found, third.read) == ({}, 1)
    rewrite(Path(host.root) / "old" / "twin")
    found, _ = told(host, seen)
    assert found["twin"] == found["inner/file"] == "has other content in the copy"


def test_what_was_written_after_the_sync_is_never_noted(host: FakeHost) -> None:
    """A page that is dirty already takes more stores without a new ctime."""
    host.clock.wall = 1.0
    _, first = told(host)
    assert (first.read, first.same) == (3, set())
