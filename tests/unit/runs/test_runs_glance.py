"""The first look before a release: quick, only a hint, and never instead of the last capture."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tanist.runs.backup import backup
from tanist.runs.glance import glance_file, mirrored_file, note_captured, read_fingerprint, seems_captured
from tanist.runs.release import release
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.world import World

CONF = "/etc/oc/main.conf"


def captured(world: World) -> bool:
    return seems_captured(world.session("ec-a"))


def test_after_a_capture_that_every_node_took_nothing_needs_one(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    assert captured(world)
    world.a.power_off()
    assert not captured(world)  # a boot forgets


CHANGES: list[Callable[[World], None]] = [
    lambda world: world.a.files.write(CONF, b"configured on ec-A\n", 0o640, 101, 101),
    lambda world: world.a.files.write("/etc/oc/new.conf", b"", 0o640),
    lambda world: world.a.files.remove(CONF),
    lambda world: world.a.files.write(mirrored_file(world.session("ec-a"), "ec-b"), b"another"),
    lambda world: world.a.files.remove(mirrored_file(world.session("ec-a"), "ec-b")),
    lambda world: world.a.files.write(glance_file(world.session("ec-a")), b"torn"),
    lambda world: world.a.files.write(glance_file(world.session("ec-a")), b"[]"),
    lambda world: note_captured(world.session("ec-a"), "no-such-generation", fingerprint(world)),
    lambda world: note_captured(world.session("ec-a"), newest(world), ""),
]


def fingerprint(world: World) -> str:
    session = world.session("ec-a")
    return read_fingerprint(session.host.files, session.controller.captured_paths)


def newest(world: World) -> str:
    return max(path.name for path in (world.top / "disk/.tanist/captures").iterdir() if path.is_dir())


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_whatever_changed_or_can_not_be_told_asks_for_a_capture(world: World, number: int) -> None:
    backup(world.session("ec-a"), mirror=True)
    assert captured(world)
    CHANGES[number](world)
    assert not captured(world)


def test_a_fingerprint_that_can_not_be_read_is_none(world: World) -> None:
    assert read_fingerprint(world.a.files, ["/etc/oc/" + 300 * "x"]) == ""


@pytest.mark.requirement("A32", "A36")
def test_the_last_capture_reads_every_byte_whatever_the_first_look_says(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    world.a.files.write(CONF, b"changed unseen\n", 0o640, 101, 101)
    note_captured(world.session("ec-a"), newest(world), fingerprint(world))  # as if no time or size told of it
    assert captured(world)
    release(world.session("ec-a"))
    takeover(world.session("ec-b"), TakeoverOptions())
    assert world.b.files.read(CONF) == b"changed unseen\n"
