"""Captures on their way to the other node."""

from __future__ import annotations

from tanist.plan import places
from tanist.runs.backup import backup
from tanist.runs.mirroring import mirror_to_peers, mirrored_names
from tanist.runs.release import release
from tests.unit.runs.world import World


def calls(world: World) -> int:
    return sum(argv[0] == "ssh" and "mirror" in argv[-1] for argv in world.a.ran)


def test_a_release_does_not_ask_a_node_that_has_the_newest_capture(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    before = calls(world)
    release(world.session("ec-a"))
    assert calls(world) == before


def test_a_release_brings_what_changed_to_the_other_node(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    before = set(mirrored_names(world.session("ec-b")))
    world.clock.advance(60)
    world.a.files.write("/etc/oc/main.conf", b"changed just now\n", 0o640, 101, 101)
    release(world.session("ec-a"))
    assert set(mirrored_names(world.session("ec-b"))) - before


def test_an_hourly_capture_always_asks_for_the_other_node_may_have_lost_it(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    world.b.files.remove_tree(places.mirror("oc"))
    backup(world.session("ec-a"), mirror=True)
    assert mirrored_names(world.session("ec-b"))


def test_a_node_that_could_not_be_reached_is_not_believed_to_have_it(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    world.clock.advance(60)
    world.a.files.write("/etc/oc/main.conf", b"changed just now\n", 0o640, 101, 101)
    world.ssh_works = False
    backup(world.session("ec-a"), mirror=True)
    world.ssh_works = True
    before = set(mirrored_names(world.session("ec-b")))
    mirror_to_peers(world.session("ec-a"), ask_again=False)
    assert set(mirrored_names(world.session("ec-b"))) - before
