"""Captures verified and rendered on either node, and the result that is kept for readiness."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tanist.host.locks import take_lock
from tanist.model.errors import Busy
from tanist.model.unread import Unread
from tanist.model.verified import Verified
from tanist.plan import places
from tanist.runs import verification
from tanist.runs.backup import backup
from tanist.runs.verification import giving_way, read_verified, verify_newest
from tests.unit.runs.world import TREE, World

NODES = ("ec-a", "ec-b")


def newest_store(world: World, node: str) -> Path:
    top = "disk/.tanist/captures" if node == "ec-a" else f"{node}{places.mirror('oc')}"
    return max(path for path in (world.top / top).iterdir() if path.is_dir())


@pytest.mark.requirement("A38")
@pytest.mark.parametrize("node", NODES)
def test_the_newest_capture_is_rendered_and_the_result_is_kept(world: World, node: str) -> None:
    backup(world.session("ec-a"), mirror=True)
    session = world.session(node)
    assert isinstance(read_verified(session), Unread)
    found = verify_newest(session)
    assert found.result == "good", found.says
    assert (found.result, found.generation, found.node) == ("good", newest_store(world, node).name, node)
    assert "restored into a scratch root and compared" in found.says
    assert read_verified(session) == found
    assert world.nodes[node].files.list(places.scratch("oc")) == ()


@pytest.mark.parametrize("node", NODES)
def test_a_capture_that_was_altered_is_told_as_bad(world: World, node: str) -> None:
    backup(world.session("ec-a"), mirror=True)
    victim = max(
        (path for path in newest_store(world, node).rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    found = verify_newest(world.session(node))
    assert found.result == "bad"
    assert found.generation in found.says
    assert read_verified(world.session(node)) == found


@pytest.mark.requirement("A38")
def test_a_shared_layer_that_rotted_is_found_and_the_next_capture_shares_nothing_with_it(world: World) -> None:
    """As a disk does it: no time changes, so a capture alone cannot know."""
    world.a.files.write("/etc/oc/much", os.urandom(5 << 20), 0o640)

    def capture(text: bytes) -> Path:
        world.clock.advance(60)
        world.a.files.write("/etc/oc/main.conf", text, 0o640, 101, 101)
        backup(world.session("ec-a"), mirror=False)
        return newest_store(world, "ec-a")

    capture(b"one")
    part = capture(b"two") / "files.tar"
    info = part.stat()
    with part.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"rotten")
    os.utime(part, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert (capture(b"three") / "files.tar").stat().st_ino == info.st_ino
    assert verify_newest(world.session("ec-a")).result == "bad"
    assert (capture(b"four") / "files.tar").stat().st_ino != info.st_ino
    assert verify_newest(world.session("ec-a")).result == "good"


def test_an_account_that_a_takeover_would_miss_is_told(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    del world.b.users["ocproxy"]
    found = verify_newest(world.session("ec-b"))
    assert (found.result, "ocproxy" in found.says) == ("bad", True)


def test_no_capture_at_all_is_bad(world: World) -> None:
    world.b.files.remove_tree(places.mirror("oc"))
    found = verify_newest(world.session("ec-b"))
    assert (found.result, found.generation) == ("bad", "")


def test_what_the_tree_and_the_node_hold_is_the_same_afterwards(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    before = {node: picture(world.top / node) for node in NODES} | {"disk": picture(world.top / "disk")}
    for node in NODES:
        verify_newest(world.session(node))
    for place, was in before.items():
        now = {path: what for path, what in picture(world.top / place).items() if "verified.json" not in path}
        assert {path for path in now if "/scratch" not in path} == {*was}
        assert all(now[path] == what for path, what in was.items())


def picture(top: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in top.rglob("*"):
        info = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if not path.is_dir():
            found[str(path.relative_to(top))] = (info.st_mode, info.st_uid, content)
    return found


def test_it_does_not_begin_beside_a_run(world: World) -> None:
    lock = world.b.lock(f"{places.runtime('oc')}/lock", '{"what": "takeover", "who": "anna", "since": "now"}')
    assert not isinstance(lock, str)
    with pytest.raises(Busy, match="a takeover by anna"):
        verify_newest(world.session("ec-b"))
    lock.close()
    assert isinstance(read_verified(world.session("ec-b")), Unread)


def test_it_gives_way_as_soon_as_a_run_begins_and_not_for_one_that_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.a.files.real(f"{places.runtime('oc')}/lock")
    monkeypatch.setattr(verification, "GLANCE", 0.005)
    looked = take_lock(path, "")
    assert not isinstance(looked, str)
    looked.close()
    rounds = 0
    with pytest.raises(Busy, match="gave way"), giving_way(world.session("ec-a")):
        while True:  # ends by the signal alone
            rounds += 1
            lock = take_lock(path, "a release" if rounds > 50 else "")
            assert not isinstance(lock, str)
            lock.close()
            os.sched_yield()
    assert rounds > 50


def test_a_result_that_is_none_is_unread(world: World) -> None:
    for text in (b"", b"[]", b'{"format": 2}', b'{"format": 1}', b"[" * 100_000, b"\xff"):
        world.a.files.write(places.verified("oc"), text)
        assert isinstance(read_verified(world.session("ec-a")), Unread)


def test_the_result_is_roots_alone(world: World) -> None:
    backup(world.session("ec-a"), mirror=False)
    assert isinstance(verify_newest(world.session("ec-a")), Verified)
    assert os.stat(world.a.files.real(places.verified("oc"))).st_mode & 0o777 == 0o600
    assert TREE not in places.verified("oc")
