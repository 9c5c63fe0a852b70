"""kill -9 before every system call that changes something, in a line of captures: going on from the last one, retiring
old ones, and taking them on the standby. Whatever is listed is good, the last good one stays, and the next run is
whole."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tanist.capture.generations import generation_name, list_generations, newest_good, verify_generation
from tanist.capture.mirror import receive, send
from tanist.capture.restore import compare_path
from tanist.capture.sealed import is_sealed_store, seal_plain_ones, seal_store, unseal_store
from tanist.capture.sealing import Key
from tanist.capture.store import load_manifest
from tanist.host.fake import FakeHost
from tanist.model.definition import Retention
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.test_capture_generations import CAPTURES, PG, run
from tests.unit.capture.test_capture_generations import active as active
from tests.unit.capture.test_capture_kill import killed_at
from tests.unit.capture.test_capture_layers import Line
from tests.unit.capture.test_capture_layers import sharing as sharing
from tests.unit.capture.test_capture_mirror import MIRROR, take

KEY = Key(b"k" * 32)
FEW = replace(PG, retention=Retention(keep=2, keep_days=0))


def change(host: FakeHost, number: int) -> None:
    """A file each of which is new, changed and gone."""
    host.files.write("/etc/one.conf", b"%d" % number, 0o644)
    host.files.write(f"/etc/pg/conf.d/{number}", b"new", 0o644)
    host.files.remove(f"/etc/pg/conf.d/{number - 1}")


def check_listed(host: FakeHost, directory: str) -> list[str]:
    found = [verify_generation(host, one) for one in list_generations(host, directory)]
    assert {one.state for one in found} <= {"good"}, found
    return [one.name for one in found]


@pytest.mark.requirement("A33", "A38")
def test_captures_that_go_on_and_retire_killed_anywhere(sharing: FakeHost) -> None:
    """Every one of its calls once, each time in another layer of the line."""
    for number in (1, 2):
        change(sharing, number)
        run(sharing, FEW)
    nth = 0
    while True:
        nth += 1
        change(sharing, nth + 2)
        before = check_listed(sharing, CAPTURES)
        killed = killed_at(nth, lambda: run(sharing, FEW))
        now = check_listed(sharing, CAPTURES)
        assert before[0] in now, f"killed at call {nth}"
        made = run(sharing, FEW)
        assert check_listed(sharing, CAPTURES)[0] == made.name
        assert len(sharing.files.list(CAPTURES)) <= 3, f"killed at call {nth}"  # two, and checked.json
        for path in FEW.captured_paths:
            assert compare_path(sharing, made.path, path) == (), f"killed at call {nth}"
        if not killed:
            break
    assert nth > 40


@pytest.mark.requirement("A38")
def test_a_mirror_killed_anywhere_while_it_takes_captures(host: FakeHost, new_host: Callable[..., FakeHost]) -> None:
    standby, line = new_host("ec-b", 3001), Line(host)
    (line.top / "conf.d").mkdir(parents=True)
    (line.top / "conf.d" / "large").write_bytes(os.urandom(1 << 18))
    line.whole()
    (line.top / "conf.d" / "small").write_text("1")
    line.changes()
    names = [generation_name(ABOUT.created + number, ABOUT.epoch, ABOUT.node) for number in (1, 2)]
    first, second = (f"/stores/{name}" for name in names)
    host.files.move("/stores/001", first)
    host.files.move("/stores/002", second)
    whole, more = (b"".join(send(host, second, base)) for base in ("", first))
    assert len(more) < len(whole) / 10
    for stream, beside in ((b"".join(send(host, first)), ()), (more, (names[0],))):
        nth = 1
        while killed_at(nth, partial(take, standby, stream)):
            assert set(check_listed(standby, MIRROR)) >= set(beside), f"killed at call {nth}"
            taken = take(standby, stream)
            assert standby.files.list(MIRROR) == (*beside, taken.name), f"killed at call {nth}"
            standby.files.remove_tree(taken.path)
            nth += 1
        assert nth > 15
        take(standby, stream)


@pytest.mark.requirement("A38")
def test_what_lay_plain_is_sealed_killed_anywhere_and_is_never_missing(active: FakeHost) -> None:
    made = run(active)
    name, plain = made.name, load_manifest(active, made.path)
    nth = 1
    while True:
        active.files.remove_tree(MIRROR)
        receive(active, "pg", io.BytesIO(b"".join(send(active, made.path))), MIRROR)
        killed = killed_at(nth, lambda: seal_plain_ones(active, KEY, "pg", MIRROR))
        assert check_either(active, f"{MIRROR}/{name}") == plain, f"killed at call {nth}"
        seal_plain_ones(active, KEY, "pg", MIRROR)
        assert is_sealed_store(active, f"{MIRROR}/{name}")
        assert check_either(active, f"{MIRROR}/{name}") == plain
        if not killed:
            break
        nth += 1
    assert nth > 15


def check_either(host: FakeHost, store: str) -> object:
    """The manifest of a good store, sealed or not."""
    if not is_sealed_store(host, store):
        return load_manifest(host, store)
    host.files.remove_tree("/run/plain")
    unseal_store(host, (KEY,), "pg", store, "/run/plain")
    return load_manifest(host, "/run/plain")


@pytest.mark.requirement("A38")
def test_a_seal_killed_anywhere_leaves_nothing_that_counts(active: FakeHost) -> None:
    made = run(active)
    into = f"{MIRROR}/{made.name}"
    nth = 1
    active.files.make_directory(MIRROR, 0o700)
    while killed_at(nth, lambda: seal_store(active, KEY, "pg", made.path, into)):
        assert not active.files.exists(into) or check_either(active, into) == load_manifest(active, made.path)
        receive(active, "pg", io.BytesIO(b""), MIRROR)  # whatever comes next cleans up
        assert all(os.path.basename(one) == made.name for one in active.files.list(MIRROR)), f"killed at call {nth}"
        active.files.remove_tree(into)
        nth += 1
    assert nth > 10


@pytest.mark.requirement("A38")
def test_a_verification_or_restore_that_reads_beside_a_capture_finds_the_last_good_one(sharing: FakeHost) -> None:
    """A half made one is never listed, at any of its calls."""
    change(sharing, 1)
    first = run(sharing)
    change(sharing, 2)
    nth = 1
    while killed_at(nth, lambda: run(sharing)):
        found = newest_good(sharing, CAPTURES)
        assert found.refused == () and found.generation is not None
        assert found.generation.name >= first.name
        for one in Path(sharing.root + CAPTURES).iterdir():
            if one.name not in (first.name, "checked.json"):
                sharing.files.remove_tree(f"{CAPTURES}/{one.name}")
        nth += 4
    assert nth > 20
