"""Captures beside each other, and beside what a node has."""

from __future__ import annotations

import pytest

from tanist.capture.generations import list_generations
from tanist.model.errors import BadCapture, Refused
from tanist.plan import places
from tanist.runs import diffing
from tanist.runs.backup import backup
from tanist.runs.mirrored import capture_directory
from tanist.runs.session import Session
from tests.unit.runs.world import World


def diff_captures(session: Session, old: str, new: str) -> tuple[str, ...]:
    return tuple(diffing.diff_captures(session, old, new))


@pytest.fixture
def two(world: World) -> tuple[World, str, str]:
    """Two generations on both nodes, the older one first."""
    backup(world.session("ec-a"), mirror=True)
    world.clock.advance(60)
    world.a.files.write("/etc/oc/main.conf", b"password = geheim\n", 0o600, 102, 102)
    world.a.files.write("/etc/oc/new.conf", b"new", 0o644)
    world.a.files.remove("/etc/oc/extra.conf")
    backup(world.session("ec-a"), mirror=True)
    names = [one.name for one in list_generations(world.a, places.captures(world.controller.tree))]
    return world, names[1], names[0]


@pytest.mark.requirement("A38")
@pytest.mark.parametrize("node", ["ec-a", "ec-b"])
def test_two_captures_are_compared_path_by_path_on_either_node(two: tuple[World, str, str], node: str) -> None:
    world, old, new = two
    lines = diff_captures(world.session(node), old, "latest")
    told = [line.split("  ")[0] for line in lines]
    assert [one for one in told if one != "~ /etc/oc"] == [
        "- /etc/oc/extra.conf",
        "~ /etc/oc/main.conf",
        "+ /etc/oc/new.conf",
    ]
    changed = next(line for line in lines if line.startswith("~ /etc/oc/main.conf"))
    assert "other content (19 -> 18 bytes)" in changed
    assert "owner oc:oc -> ocproxy:ocproxy" in changed
    assert "mode 0640 -> 0600" in changed
    assert "geheim" not in "".join(lines)
    assert diff_captures(world.session(node), new, "latest") == ()


def test_a_capture_is_compared_with_the_node_itself(two: tuple[World, str, str]) -> None:
    world, old, _ = two
    assert diff_captures(world.session("ec-a"), "latest", "ec-a") == ()
    found = "\n".join(diff_captures(world.session("ec-a"), old, "ec-a"))
    assert "/etc/oc/extra.conf is missing" in found
    assert "/etc/oc/new.conf is not in the store" in found
    found = "\n".join(diff_captures(world.session("ec-b"), "latest", "ec-b"))
    assert "/etc/oc/foreign.conf is not in the store" in found


def test_another_node_is_asked_and_looks_at_itself(two: tuple[World, str, str]) -> None:
    world = two[0]
    assert diff_captures(world.session("ec-a"), "latest", "ec-b") == diff_captures(
        world.session("ec-b"), "latest", "ec-b"
    )
    world.ssh_works = False
    with pytest.raises(Refused, match="ec-b can't be asked"):
        diff_captures(world.session("ec-a"), "latest", "ec-b")


def test_a_beginning_that_fits_one_is_enough_and_one_that_fits_two_is_refused(two: tuple[World, str, str]) -> None:
    world, old, new = two
    assert diff_captures(world.session("ec-a"), old[:19], new) == diff_captures(world.session("ec-a"), old, new)
    for word, why in (("2", "2 captures begin with"), ("nothing", "there is no capture"), ("../x", "no capture")):
        with pytest.raises(BadCapture, match=why) as caught:
            diff_captures(world.session("ec-a"), word, new)
        assert caught.value.next_step == "tanist captures oc"


def test_a_bad_capture_is_refused_by_name(two: tuple[World, str, str]) -> None:
    world, old, _ = two
    store = f"{capture_directory(world.session('ec-b'))}/{old}"
    world.b.files.write(f"{store}/manifest.json", b"{}")
    with pytest.raises(BadCapture, match=old):
        diff_captures(world.session("ec-b"), old, "latest")
