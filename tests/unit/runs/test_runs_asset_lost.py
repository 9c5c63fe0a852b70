"""A run that was cut off, and the disk died with the power: a person's word leads out, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tanist.host.fake import Crash
from tanist.model.dataclasses import replace
from tanist.model.definition import Proof, Reserving
from tanist.model.errors import Refused, TanistError
from tanist.plan import places
from tanist.runs.boot import boot, gate
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.history import load_history
from tanist.runs.peers import find_activity
from tanist.runs.release import release
from tanist.runs.reservation import reserve_now
from tanist.runs.restore import harestore
from tanist.runs.session import read_active
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.picture import differences, take
from tests.unit.runs.target import Target
from tests.unit.runs.test_runs_takeover import ATTEST, is_active
from tests.unit.runs.world import TREE, World, said

WORD = "the shelf burnt"
READERS = ("debugfs", "dd", "sg_persist")
RECORD = f"files.append {places.STATE}/oc/runs"


def cut(world: World, name: str) -> None:
    """The power goes, and the disk does not answer this node any more."""
    node = world.nodes[name]
    node.power_off()
    for program in READERS:
        node.answer_with([program], lambda argv, _: said(argv, status=1, stderr=b"Input/output error"))
    node.boot()
    gate(world.session(name))
    with pytest.raises(Refused):
        boot(world.session(name))


def mend(world: World, name: str) -> None:
    node = world.nodes[name]
    node.answer_with(["debugfs"], lambda argv, stdin: node._debugfs(argv, stdin))
    node.answer_with(["dd"], lambda argv, stdin: node._dd(argv, stdin))


def killed(world: World, name: str, point: str, act: object) -> None:
    node = world.nodes[name]
    node.then.append((point, lambda: node.die("here")))
    with pytest.raises(Crash):
        act()  # type: ignore[operator]


def leads_out(world: World, name: str) -> None:
    session = world.session(name)
    for act in (resume, undo):
        with pytest.raises(Refused, match="can't be read") as caught:
            act(session)
        assert "--asset-lost TEXT" in caught.value.next_step or act is resume
    undo(session, lost=WORD)
    assert find_open_run(session) is None and read_active(session) == "" and find_activity(session) == ()
    assert WORD in world.said(name) and WORD in str(load_history(session))


def lost_and_taken(world: World) -> None:
    """ec-a's disk is lost, its run led out, and ec-b takes over."""
    cut(world, "ec-a")
    leads_out(world, "ec-a")
    assert world.a.hostname() == "ec-a"
    mend(world, "ec-a")
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b") and world.violations == ()


@pytest.mark.requirement("A61")
@pytest.mark.parametrize(
    "point", ["files.overwrite", "add_address", "announce", "files.write /var/lib/tanist/oc/active"]
)
def test_a_takeover_is_taken_back(orphan: World, point: str) -> None:
    before = take(orphan, "ec-b")
    killed(orphan, "ec-b", point, lambda: takeover(orphan.session("ec-b"), ATTEST))
    cut(orphan, "ec-b")
    leads_out(orphan, "ec-b")
    mend(orphan, "ec-b")
    assert set(differences(before, take(orphan, "ec-b"))) <= {"claim", f"disk {TREE}"}
    takeover(orphan.session("ec-b"), ATTEST)
    assert is_active(orphan, "ec-b") and orphan.violations == ()


@pytest.mark.requirement("A61")
@pytest.mark.parametrize("point", [RECORD, "remove_address", "systemctl stop", "files.overwrite"])
def test_a_release_is_finished_without_its_claim(world: World, point: str) -> None:
    killed(world, "ec-a", point, lambda: release(world.session("ec-a")))
    lost_and_taken(world)


@pytest.mark.requirement("A61")
@pytest.mark.parametrize("owner", [True, False], ids=["a release", "a takeover"])
def test_a_key_on_the_dead_disk_keeps_nobody(new_world: Callable[..., World], owner: bool) -> None:
    world, target = new_world(), Target()
    world.controller = replace(world.controller, proof=Proof(reservation=Reserving()))
    target.fit(world)
    reserve_now(world.session("ec-a"))
    if owner:
        killed(world, "ec-a", "remove_address", lambda: release(world.session("ec-a")))
    else:
        release(world.session("ec-a"))
        killed(world, "ec-b", "add_address", lambda: takeover(world.session("ec-b"), TakeoverOptions()))
    name, other = ("ec-a", "ec-b") if owner else ("ec-b", "ec-a")
    cut(world, name)
    leads_out(world, name)
    mend(world, name)
    target.attach(world.nodes[name])
    takeover(world.session(other), TakeoverOptions())
    assert is_active(world, other) and {node for node, _ in target.keys} == {other} and world.violations == ()


@pytest.mark.requirement("A61")
def test_a_start_gives_this_nodes_own_back(world: World) -> None:
    world.a.power_off()
    world.a.boot()
    killed(world, "ec-a", "add_address", lambda: boot(world.session("ec-a")))
    lost_and_taken(world)


@pytest.mark.requirement("A61")
def test_a_restore_ends_and_the_node_is_a_standby(world: World) -> None:
    world.a.files.write("/etc/oc/main.conf", b"broken\n")
    killed(world, "ec-a", RECORD, lambda: harestore(world.session("ec-a"), TakeoverOptions()))
    cut(world, "ec-a")
    session = world.session("ec-a")
    for act in (resume, undo):
        with pytest.raises(Refused, match="can't be read"):
            act(session)
    undo(session, lost=WORD)
    assert find_open_run(session) is None and read_active(session) == "" and find_activity(session) == ()


@pytest.mark.parametrize("after", range(1, 12))
def test_killed_meanwhile_it_is_said_again(orphan: World, after: int) -> None:
    before = take(orphan, "ec-b")
    killed(orphan, "ec-b", "announce", lambda: takeover(orphan.session("ec-b"), ATTEST))
    cut(orphan, "ec-b")
    session = orphan.session("ec-b")
    orphan.b.crash_after(after)
    try:
        undo(session, lost=WORD)
    except (Crash, TanistError):
        orphan.b.revive()
        with pytest.raises(Refused):
            resume(session)
        undo(session, lost=WORD)
    orphan.b.crash_after(10**6)
    mend(orphan, "ec-b")
    assert find_open_run(session) is None
    assert set(differences(before, take(orphan, "ec-b"))) <= {"claim", f"disk {TREE}"}


def test_not_while_the_asset_answers_or_is_mounted_or_nothing_is_open(orphan: World) -> None:
    session = orphan.session("ec-b")
    with pytest.raises(Refused, match="no run of oc is open"):
        undo(session, lost=WORD)
    killed(orphan, "ec-b", "announce", lambda: takeover(session, ATTEST))
    orphan.b.revive()
    with pytest.raises(Refused, match="the asset is not lost: oc is held by ec-b, epoch 2"):
        undo(session, lost=WORD)
    undo(session)
    assert take(orphan, "ec-b")["claim"] == ("ec-b", 2, "released")
