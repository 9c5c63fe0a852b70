"""The rules of the claim that only a whole run shows (docs/formats.md, "The claim")."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tanist.journal.claimfile import load_claim, parse_claim
from tanist.model.claim import Claim
from tanist.model.errors import NotProved, Refused
from tanist.runs.boot import boot
from tanist.runs.carry_on import undo
from tanist.runs.peers import find_activity
from tanist.runs.release import release
from tanist.runs.takeover import takeover
from tests.unit.runs.test_runs_guard import claim_file, sleep_at, steal
from tests.unit.runs.test_runs_takeover import ATTEST
from tests.unit.runs.world import TREE, Node, World

USES = ("add_address", "systemctl start", "mount_bind", "files.write /etc/", "announce", "set_hostname")


def first(node: Node, begin: str) -> int:
    return next(at for at, line in enumerate(node.log) if line.startswith(begin))


def test_the_epoch_is_raised_before_anything_that_an_old_owner_could_not_live_with(orphan: World) -> None:
    orphan.b.log.clear()
    takeover(orphan.session("ec-b"), ATTEST)
    raised = first(orphan.b, f"files.overwrite {TREE}/.tanist/claim")
    assert first(orphan.b, f"mount_device /dev/asset {TREE}") < raised
    before = [line for line in orphan.b.log[:raised] if line.startswith(USES)]
    assert before == [] and all(any(line.startswith(one) for line in orphan.b.log) for one in USES[:3])


def test_the_claim_is_let_go_behind_the_last_capture_and_just_before_the_tree_is(world: World) -> None:
    world.a.log.clear()
    release(world.session("ec-a"))
    let_go = first(world.a, f"files.overwrite {TREE}/.tanist/claim")
    unmounted = next(at for at, line in enumerate(world.a.log) if line == f"unmount {TREE}")
    assert first(world.a, "systemctl stop") < let_go < unmounted
    between = [line for line in world.a.log[let_go:unmounted] if TREE in line]
    assert all(line.startswith(f"files.overwrite {TREE}/.tanist/claim") for line in between)


def test_a_takeover_over_a_claim_that_moved_on_while_it_looked_is_refused(orphan: World) -> None:
    """Right behind its first record: the evidence is gathered, nothing is mounted yet."""
    sleep_at(orphan.b, 1, lambda: steal(orphan, "ec-a", epoch=3))
    with pytest.raises(Refused, match="the claim moved on while this run began: it is held by ec-a, epoch 3"):
        takeover(orphan.session("ec-b"), ATTEST)
    assert not any(line.startswith("mount_device") for line in orphan.b.log)


def test_a_takeover_that_is_undone_leaves_its_epoch_released(orphan: World) -> None:
    orphan.b.units["oc-ec.service"].fails = True
    with pytest.raises(Exception, match="oc-ec"):
        takeover(orphan.session("ec-b"), ATTEST)
    held = load_claim(orphan.b, TREE)
    undo(orphan.session("ec-b"))
    left = parse_claim(claim_file(orphan).read_bytes())
    assert isinstance(held, Claim) and (held.node, held.epoch, held.state) == ("ec-b", 2, "held")
    assert isinstance(left, Claim) and (left.node, left.epoch, left.state) == ("ec-b", 2, "released")


def test_a_plain_directorys_claim_brings_nothing_up_without_the_other_nodes_word(
    new_world: Callable[..., World],
) -> None:
    world = new_world(kind="directory")
    world.ssh_works = False
    world.a.reboot()
    with pytest.raises(NotProved, match="a directory is not shared"):
        boot(world.session("ec-a"))
    assert find_activity(world.session("ec-a")) == ()
