"""Pairing: a node is known by its own ssh keys, whatever controller it runs just now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.model.errors import Refused
from tanist.runs.pairing import KNOWN_HOSTS, trust_peer
from tanist.runs.peers import write_known_hosts
from tests.unit.runs.world import World

ROOT = Path(__file__).resolve().parents[3]
CONTROLLER = "ssh-ed25519 AAAAcontroller"


def known(world: World) -> list[str]:
    return sorted(world.b.files.read(KNOWN_HOSTS).decode().splitlines())


def test_a_nodes_new_key_replaces_its_old_one(world: World) -> None:
    trust_peer(world.session("ec-b"), world.controller.node("ec-a"), ("ssh-ed25519 AAAAnew",))
    assert known(world) == ["tanist-ec-a ssh-ed25519 AAAAnew", "tanist-ec-b ssh-ed25519 AAAAb"]


def test_the_keys_of_the_controller_are_never_taken_for_a_nodes_own(world: World) -> None:
    before = known(world)
    trust_peer(world.session("ec-b"), world.controller.node("ec-a"), (CONTROLLER,))
    assert known(world) == before


def test_a_node_never_seen_as_itself_is_refused(world: World) -> None:
    world.b.files.write(KNOWN_HOSTS, b"tanist-ec-b ssh-ed25519 AAAAb\n")
    with pytest.raises(Refused, match="its own were never seen"):
        trust_peer(world.session("ec-b"), world.controller.node("ec-a"), (CONTROLLER,))


def test_a_peer_may_answer_with_the_keys_of_another_controller_of_this_node(world: World) -> None:
    files = world.b.files
    files.write("/etc/tanist/controllers/postgresql.toml", (ROOT / "profiles/postgresql.toml").read_bytes())
    files.write("/etc/tanist/controllers/broken.toml", b"name =")
    files.make_directory("/var/lib/tanist/postgresql")
    files.write("/var/lib/tanist/postgresql/controller_keys.pub", b"ssh-ed25519 AAAAdb comment\n")
    lines = files.read(write_known_hosts(world.session("ec-b"))).decode().splitlines()
    assert "tanist-ec-a ssh-ed25519 AAAAdb" in lines
    assert f"tanist-ec-a {CONTROLLER}" in lines
