"""A copy is promoted when it is the newest and never by force; demoted, it goes on following."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.host.fake import FakeHost
from tanist.model.errors import Failed
from tanist.model.growing import GrowReplica
from tanist.model.layer_steps import PromoteReplica
from tanist.steps.context import Context
from tanist.steps.drbd import apply_grow_replica, is_grow_replica_applied
from tests.unit.runs.replicas import ReplicaWorld
from tests.unit.steps.specs import apply, looks_applied, undo

PROMOTE = PromoteReplica(resource="r0", device="/dev/drbd0")
ALONE = PromoteReplica(resource="r0", device="/dev/drbd0", alone=True)


@pytest.fixture
def world(tmp_path: Path) -> ReplicaWorld:
    return ReplicaWorld(tmp_path / "world")


def test_promoted_and_demoted_and_both_twice(world: ReplicaWorld) -> None:
    session = world.session("ec-a")
    assert looks_applied(session, PROMOTE) is False
    for _ in range(2):
        apply(session, PROMOTE)
        assert looks_applied(session, PROMOTE) is True
    for _ in range(2):
        undo(session, PROMOTE)
        assert looks_applied(session, PROMOTE) is False
    assert world.drbd.linked, "a standby must follow"


def test_a_resource_that_is_down_is_brought_up_first_and_not_for_an_undo(world: ReplicaWorld) -> None:
    world.drbd.copies["ec-a"].up = False
    world.drbd.settle()
    undo(world.session("ec-a"), PROMOTE)
    assert not world.drbd.copies["ec-a"].up
    apply(world.session("ec-a"), PROMOTE)
    assert world.drbd.copies["ec-a"].primary


@pytest.mark.parametrize("up", [True, False])
def test_cut_off_it_is_promoted_only_where_the_plan_says_alone(world: ReplicaWorld, up: bool) -> None:
    world.cut_cable()
    world.drbd.copies["ec-a"].up = up
    world.drbd.settle()
    with pytest.raises(Failed, match="may be old; it is not promoted"):
        apply(world.session("ec-a"), PROMOTE)
    assert not world.drbd.copies["ec-a"].primary
    apply(world.session("ec-a"), ALONE)
    assert world.drbd.copies["ec-a"].primary


@pytest.mark.parametrize("spec", [PROMOTE, ALONE], ids=["linked", "alone"])
@pytest.mark.parametrize("state", ["Outdated", "Inconsistent", "Diskless", "Failed"])
def test_a_copy_that_is_not_whole_is_never_promoted(world: ReplicaWorld, state: str, spec: PromoteReplica) -> None:
    for cut in (False, True):
        world.drbd.cable = not cut
        world.drbd.copies["ec-a"].state = state
        world.drbd.settle()
        with pytest.raises(Failed, match=f"the copy on this node is {state}"):
            apply(world.session("ec-a"), spec)
    assert not world.drbd.copies["ec-a"].primary
    assert not any("--force" in argv for argv in world.a.ran)


def test_one_that_stands_alone_is_never_promoted(world: ReplicaWorld) -> None:
    world.drbd.copies["ec-a"].stands_alone = True
    world.drbd.settle()
    for spec in (PROMOTE, ALONE):
        with pytest.raises(Failed, match="StandAlone"):
            apply(world.session("ec-a"), spec)


def test_two_are_never_promoted_while_they_follow_each_other(world: ReplicaWorld) -> None:
    apply(world.session("ec-a"), PROMOTE)
    for spec in (PROMOTE, ALONE):
        with pytest.raises(Failed, match="Multiple primaries not allowed by config"):
            apply(world.session("ec-b"), spec)


def test_who_keeps_it_open_is_named(world: ReplicaWorld) -> None:
    session = world.session("ec-a")
    apply(session, PROMOTE)
    session.host.files.make_directory("/mnt")
    session.host.mount_device("/dev/drbd0", "/mnt", "ext4", (), None)
    with pytest.raises(Failed, match=r"Device is held open by someone; mounted at /mnt; open in process 4711"):
        undo(session, PROMOTE)
    session.host.unmount("/mnt")
    undo(session, PROMOTE)


def test_what_the_kernel_says_in_other_words_is_no_answer(world: ReplicaWorld) -> None:
    (world.top / "ec-a/proc/drbd").write_text("version: unknown\n")
    assert looks_applied(world.session("ec-a"), PROMOTE) is None
    with pytest.raises(Failed, match="can't be told"):
        apply(world.session("ec-a"), PROMOTE)


GROW = GrowReplica(resource="r0", device="/dev/drbd0", size=2 << 20)
XML = (Path(__file__).parents[1] / "facts/drbd/cases/floating.xml").read_text()
SET = '<section name="disk"><option name="size" value="2M"/></section>'


@pytest.mark.parametrize(("setting", "most"), [("", ()), (SET, ("--size=4096s",))], ids=["all", "what was set"])
def test_a_device_grows_when_the_kernel_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, most: tuple[str, ...]
) -> None:
    host = FakeHost(str(tmp_path))
    context = Context(host=host, controller=None, node="ec-a")  # type: ignore[arg-type]
    host.answer(["blockdev"], f"{1 << 20}")
    host.answer(["drbdadm", "dump-xml"], status=1)
    with pytest.raises(Failed):
        apply_grow_replica(GROW, context)
    host.answer(["drbdadm", "dump-xml"], XML.replace("</resource>", f"{setting}</resource>"))
    host.answer(["drbdsetup"], "")
    host.ran.clear()
    with pytest.raises(Failed, match=r"/dev/drbd0 should have 2097152 bytes at least now: 1048576 bytes"):
        apply_grow_replica(GROW, context)
    assert is_grow_replica_applied(GROW, context) is False
    assert [argv for argv in host.ran if argv[0] == "drbdsetup"] == [("drbdsetup", "resize", "0", *most)]

    monkeypatch.setattr(host, "sleep", lambda _: host.answer(["blockdev"], f"{2 << 20}"))
    apply_grow_replica(GROW, context)
    assert host.ran[-1] == ("drbdsetup", "check-resize", "0")
    host.ran.clear()
    apply_grow_replica(GROW, context)
    assert not any(argv[0] == "drbdsetup" for argv in host.ran), "once"
    host.answer(["blockdev"], f"{1 << 20}")
    host.answer(["drbdsetup"], status=10)
    with pytest.raises(Failed, match="drbdsetup resize 0"):
        apply_grow_replica(GROW, context)
