"""A run that slept between two of its records while another node took over: it does nothing to that one's harm."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tanist.host.fake import Crash
from tanist.journal.claimfile import parse_claim, render_slot
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.runs.boot import boot
from tanist.runs.carry_on import resume, undo
from tanist.runs.guard import find_problem, is_lost
from tanist.runs.history import load_history
from tanist.runs.peers import find_activity
from tanist.runs.release import release
from tanist.runs.restore import harestore
from tanist.runs.session import exclusive, read_active
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.runs.watch import Watcher, read_held
from tests.unit.runs.picture import differences, open_runs, take
from tests.unit.runs.test_runs_takeover import ATTEST
from tests.unit.runs.test_runs_watch import inert_now, rounds
from tests.unit.runs.world import Node, World

if TYPE_CHECKING:
    from pathlib import Path

RECORD = "files.append /var/lib/tanist/oc/runs/"
NewWorld = Callable[..., World]


def claim_file(world: World) -> Path:
    return world.top / "disk/.tanist/claim"


def captures(world: World) -> list[Path]:
    return sorted((world.top / "disk/.tanist/captures").glob("*"))


def steal(world: World, thief: str, epoch: int = 2) -> bytes:
    """What the thief's takeover leaves on the disk, past whatever the other node has mounted."""
    found = parse_claim(claim_file(world).read_bytes())
    assert isinstance(found, Claim)
    slot = render_slot(replace(found, node=thief, epoch=epoch, state="held", run="theirs"), 90)
    claim_file(world).write_bytes(slot * 2)
    return slot * 2


def sleep_at(node: Node, record: int, act: Callable[[], object]) -> None:
    """`act` happens right behind the node's Nth record from now on."""

    def again() -> None:
        sleep_at(node, record - 1, act)

    def now() -> None:
        act()

    node.then.append((RECORD, now if record == 1 else again))


def slept_through(world: World, name: str, record: int, run: Callable[[], object]) -> str:
    """The message of a run that was robbed at that record; "" where it was over before, or needed the claim no more."""
    node = world.nodes[name]
    stolen: list[tuple[bytes, list[Path]]] = []

    def robbed() -> None:
        stolen.append((steal(world, "ec-b" if name == "ec-a" else "ec-a"), captures(world)))

    sleep_at(node, record, robbed)
    node.log.clear()
    try:
        run()
    except Failed as failed:
        assert (claim_file(world).read_bytes(), captures(world)) == stolen[0]
        assert find_activity(world.session(name)) == () and read_held(world.session(name)) is None
        assert read_active(world.session(name)) == ""
        assert all(timer.closed for timer in node.resets) and node.resets
        return failed.message
    finally:
        node.then.clear()
    return ""


@pytest.mark.requirement("A05", "A61")
def test_a_release_that_slept_at_any_record_harms_nobody_and_gives_this_nodes_own_back(new_world: NewWorld) -> None:
    inert: dict[str, object] = {}
    told: list[bool] = []
    for record in range(2, 40):
        world = new_world()
        if not inert:
            release(world.session("ec-a"))
            inert = take(world, "ec-a")
            world = new_world()
        said = slept_through(world, "ec-a", record, partial(release, world.session("ec-a")))
        told.append(bool(said))
        if not said:
            break
        assert "the claim is held by ec-b, epoch 2, since" in said and "ec-a is inert" in said
        cut = world.a.log.index("cut_off /var/opt/oc")
        assert cut < world.a.log.index("unmount /var/opt/oc")
        assert not any("captures" in line or "files.overwrite" in line for line in world.a.log[cut:])
        changed = {one for one in differences(inert, take(world, "ec-a")) if "/etc/tanist/identity" not in one}
        assert changed <= {"claim", "disk /var/opt/oc"}  # keys are another world's
        last = load_history(world.session("ec-a"))[-1]
        assert (last["kind"], last["outcome"]) == ("release", "done")
    assert len(told) > 10 and told == [True] * (len(told) - 1) + [False]  # once the asset is let go, it is free to go


@pytest.mark.requirement("A05", "A61")
@pytest.mark.parametrize("cut", [False, True], ids=["kill", "power cut"])
@pytest.mark.parametrize("way", [resume, undo])
@pytest.mark.parametrize("who", ["release", "watch"])
def test_what_gives_a_lost_controller_back_goes_on_wherever_it_was_cut_off(
    new_world: NewWorld, who: str, way: Callable[..., None], cut: bool
) -> None:
    """Seed 5010473: the release itself went on, with a capture of a tree that was another node's."""
    opened = 0
    for after in range(2, 40, 2):
        world = new_world()
        session = world.session("ec-a")
        if who == "watch":
            steal(world, "ec-b")
            world.a.crash_after(after)
        else:
            sleep_at(world.a, 3, partial(rob_and_kill, world, after))
        with contextlib.suppress(Crash, Failed):
            Watcher(session).round() if who == "watch" else release(session)
        world.a.then.clear()
        world.a.revive()
        if cut:
            world.a.reboot()
        before = (claim_file(world).read_bytes(), captures(world))
        if who == "watch" and not cut:
            rounds(Watcher(session), world, 2)  # takes down what is still in use
        if open_runs(world.a):
            with contextlib.suppress(Failed):  # where it finds out only now; it ends all the same
                way(session)
            opened += 1
            picture = take(world, "ec-a")
            assert (picture["active"], picture["open runs"], picture["hostname"]) == (False, 0, "ec-a")
            assert picture["ssh keys shown"] == world.a.files.read("/etc/ssh/ssh_host_ed25519_key")
        assert find_activity(session) == ()
        assert (claim_file(world).read_bytes(), captures(world)) == before
    assert opened > 2


def rob_and_kill(world: World, after: int) -> None:
    steal(world, "ec-b")
    world.a.crash_after(after)


@pytest.mark.requirement("A05", "A61")
def test_a_takeover_that_slept_at_any_record_is_taken_back_and_harms_nobody(new_world: NewWorld) -> None:
    inert: dict[str, object] = {}
    told: list[bool] = []
    for record in range(2, 80):
        world = new_world()
        world.a.power_off()
        inert = inert or take(world, "ec-b")
        said = slept_through(world, "ec-b", record, partial(takeover, world.session("ec-b"), ATTEST))
        told.append(bool(said))
        if not said:
            break
        assert "the claim is held by ec-a, epoch 2, since" in said and "this takeover was made for epoch 2" in said
        assert set(differences(inert, take(world, "ec-b"))) <= {"claim", "disk /var/opt/oc"}
    assert len(told) > 40 and told.count(False) <= 2


@pytest.mark.parametrize("way", [resume, undo])
@pytest.mark.parametrize("kind", ["release", "takeover", "restore"])
def test_what_goes_on_after_a_kill_looks_as_well(world: World, kind: str, way: Callable[..., None]) -> None:
    """The claim is stolen at the first record of the resume or undo, behind its own look at everything."""
    name = "ec-b" if kind == "takeover" else "ec-a"
    if kind == "takeover":
        world.a.power_off()
    runs = {
        "release": lambda: release(world.session("ec-a")),
        "takeover": lambda: takeover(world.session("ec-b"), ATTEST),
        "restore": lambda: harestore(world.session("ec-a"), TakeoverOptions()),
    }
    changes = {"release": 12, "takeover": 45, "restore": 12}
    world.nodes[name].crash_after(changes[kind])
    with pytest.raises(Crash):
        runs[kind]()
    world.nodes[name].revive()
    said = slept_through(world, name, 1, lambda: way(world.session(name)))
    assert "held by" in said and "epoch 2" in said


def test_a_start_after_a_boot_looks_before_each_step(world: World) -> None:
    world.a.reboot()
    said = slept_through(world, "ec-a", 5, partial(boot, world.session("ec-a")))
    assert "this start was made for epoch 1" in said


@pytest.mark.requirement("A61")
def test_a_run_that_slept_before_its_last_look_is_no_success(orphan: World) -> None:
    """Every step is done; its claim is not."""
    takeover(orphan.session("ec-b"), ATTEST)
    records = orphan.b.log.count(next(line for line in orphan.b.log if line.startswith(RECORD))) - 1
    undone = orphan.session("ec-b")
    release(undone)
    orphan.a.boot()
    orphan.a.power_off()
    stolen: list[bytes] = []
    sleep_at(orphan.b, records, lambda: stolen.append(steal(orphan, "ec-a", epoch=9)))
    with pytest.raises(Failed, match="held by ec-a, epoch 9"):
        takeover(orphan.session("ec-b"), ATTEST)
    assert claim_file(orphan).read_bytes() == stolen[0] and find_activity(undone) == ()


def test_a_restore_on_an_active_node_that_lost_it_takes_down_what_is_in_force(world: World) -> None:
    said = slept_through(world, "ec-a", 3, lambda: harestore(world.session("ec-a"), TakeoverOptions()))
    assert "this restore was made for epoch 1" in said
    kinds = [one["kind"] for one in load_history(world.session("ec-a"))]
    assert kinds[-2:] == ["restore", "release"]


def test_a_claim_that_cannot_be_read_in_the_middle_of_a_takeover_is_no_leave_to_go_on(orphan: World) -> None:
    def unreadable() -> None:
        claim_file(orphan).write_bytes(bytes(8192))

    sleep_at(orphan.b, 22, unreadable)
    with pytest.raises(Failed, match="the claim can't be read") as caught:
        takeover(orphan.session("ec-b"), ATTEST)
    assert "Everything was undone" in caught.value.message and find_activity(orphan.session("ec-b")) == ()


def test_a_stalled_disk_that_shows_an_old_claim_is_no_leave_either(orphan: World) -> None:
    before = claim_file(orphan).read_bytes()
    sleep_at(orphan.b, 20, partial(claim_file(orphan).write_bytes, before))
    with pytest.raises(Failed, match="the disk shows an old claim"):
        takeover(orphan.session("ec-b"), ATTEST)


CLAIM = Claim(controller="oc", node="ec-b", epoch=4, state="held", since="then", run="r")


def test_what_is_lost_and_what_is_in_the_way_by_the_claim_alone() -> None:
    assert is_lost(replace(CLAIM, epoch=5), "ec-b", 4) and is_lost(replace(CLAIM, node="ec-a"), "ec-b", 4)
    assert not is_lost(CLAIM, "ec-b", 4) and not is_lost(replace(CLAIM, epoch=3, node="ec-a"), "ec-b", 4)
    assert not is_lost(Unread("EIO"), "ec-b", 4)
    assert find_problem(CLAIM, 4, "held") == find_problem(CLAIM, 5, "before") == find_problem(CLAIM, 4, "raising") == ""
    assert "old claim" in find_problem(replace(CLAIM, epoch=3), 4, "held")
    assert "old claim" in find_problem(replace(CLAIM, epoch=2), 4, "before")
    assert "released by ec-b" in find_problem(replace(CLAIM, state="released"), 4, "held")
    assert "EIO" in find_problem(Unread("EIO"), 4, "held") and find_problem(Unread("EIO"), 4, "leaving") == ""


@pytest.mark.requirement("A61")
def test_the_watch_cuts_a_run_that_is_stuck_in_a_step_off_from_disk_and_wire(world: World) -> None:
    """A release hangs in a service that does not stop, with its record written; ec-b has taken over meanwhile."""
    world.a.crash_after(8)
    with pytest.raises(Crash):
        release(world.session("ec-a"))
    world.a.revive()
    watcher = Watcher(world.session("ec-a"))
    stolen = steal(world, "ec-b")
    world.a.log.clear()
    with exclusive(world.session("ec-a"), "release"):
        assert rounds(watcher, world, 2) == ["none"] * 2
        assert {"cut_off /var/opt/oc", "remove_address 10.88.0.60 svc0"} <= set(world.a.log)
        assert len(world.a.resets) == 1 and not world.a.resets[0].closed
    assert rounds(watcher, world, 1) == ["lost"]  # the run was killed: the rest is the watch's
    inert_now(world)
    assert claim_file(world).read_bytes() == stolen


def test_the_watch_leaves_a_run_at_work_alone_while_the_claim_is_its_own(world: World) -> None:
    watcher = Watcher(world.session("ec-a"))
    with exclusive(world.session("ec-a"), "restore"):
        assert rounds(watcher, world, 3) == ["kept"] * 3
    assert world.a.resets == [] and not any(line.startswith("cut_off") for line in world.a.log)


def test_a_dead_file_system_still_tells_its_owner_from_the_raw_device(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After cut_off nothing is read in place (EIO), but who has it decides."""
    steal(world, "ec-b")

    def fail(path: str, size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error", path)

    monkeypatch.setattr(world.a.files, "read_direct", fail)
    with pytest.raises(Failed, match="held by ec-b, epoch 2"):
        release(world.session("ec-a"))
