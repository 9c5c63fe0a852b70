"""init, from a new asset to the first epoch: cut off and undone, it may be typed again, on whichever node."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tanist.host.fake import Crash
from tanist.journal.claimfile import parse_claim, render_slot
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Busy, Failed, Refused
from tanist.model.host import Ran
from tanist.model.unread import Unread
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.first import init
from tanist.runs.history import load_history
from tanist.runs.peers import ask_peer
from tanist.runs.release import release
from tanist.runs.session import read_active
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tests.unit.runs.test_runs_guard import claim_file
from tests.unit.runs.test_runs_takeover import ATTEST
from tests.unit.runs.world import TREE, World

ENDS: tuple[Callable[..., None], ...] = (undo, resume)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """Nothing has been typed yet."""
    world = World(tmp_path / "world")
    yield world
    assert world.violations == ()


def claim(world: World) -> Claim | None:
    path = claim_file(world)
    found = parse_claim(path.read_bytes()) if path.exists() else None
    return found if isinstance(found, Claim) else None


def cut_off(world: World, after: int, name: str = "ec-a") -> bool:
    """Whether an init there came as far as that many changes, and was killed."""
    node = world.nodes[name]
    node.crash_after(after)
    try:
        init(world.session(name))
    except Crash:
        return True
    finally:
        node.revive()
    return False


def cut_off_holding(world: World) -> None:
    """An init of ec-a that was killed once it held the claim."""
    world.a.then.append(("set_hostname", lambda: world.a.die("here")))
    with pytest.raises(Crash):
        init(world.session("ec-a"))
    world.a.revive()
    found = claim(world)
    assert found is not None and found.state == "held"


def test_cut_off_anywhere_and_undone_it_may_be_typed_again_and_no_epoch_comes_twice(fresh: World) -> None:
    epoch, rounds = 0, 0
    for after in range(1, 1000, 5):
        if not cut_off(fresh, after):
            break
        rounds += 1
        if find_open_run(fresh.session("ec-a")) is not None:
            undo(fresh.session("ec-a"))
        if read_active(fresh.session("ec-a")):
            break
        found = claim(fresh)
        assert found is None or (found.unused and found.epoch >= epoch), f"after change {after}: {found}"
        epoch = found.epoch if found else 0
    assert rounds > 8 and epoch > 1
    if not read_active(fresh.session("ec-a")):
        init(fresh.session("ec-a"))
    held = claim(fresh)
    assert held is not None and (held.node, held.state) == ("ec-a", "held") and held.epoch > epoch
    release(fresh.session("ec-a"))
    takeover(fresh.session("ec-b"), TakeoverOptions())


@pytest.mark.parametrize("end", ENDS)
def test_power_lost_in_it_ends_by_resume_or_undo_and_typed_again(fresh: World, end: Callable[..., None]) -> None:
    cut_off_holding(fresh)
    fresh.a.reboot()
    end(fresh.session("ec-a"))
    if end is undo:
        init(fresh.session("ec-a"))
    held = claim(fresh)
    assert held is not None and (held.epoch, held.state) == (2 if end is undo else 1, "held")


def test_one_that_failed_is_mended_and_typed_again_as_its_message_says(fresh: World) -> None:
    (Path(fresh.a.root) / "var/opt/oc-run").rmdir()
    (Path(fresh.top) / "disk/uce/var.opt").rmdir()
    with pytest.raises(Failed) as failed:
        init(fresh.session("ec-a"))
    assert failed.value.next_step == "mend it, then: tanist init oc"
    (Path(fresh.top) / "disk/uce/var.opt").mkdir()
    init(fresh.session("ec-a"))
    assert [entry["outcome"] for entry in load_history(fresh.session("ec-a"))] == ["undone", "done"]


def test_a_takeover_of_what_only_an_undone_init_had_is_refused_before_anything_is_mounted(fresh: World) -> None:
    cut_off_holding(fresh)
    undo(fresh.session("ec-a"))
    fresh.b.log.clear()
    for act in (lambda one: takeover(one, ATTEST), lambda one: dry_run(one, ATTEST)):
        with pytest.raises(Refused, match="its first run was undone") as refused:
            act(fresh.session("ec-b"))
        assert "tanist init oc" in refused.value.next_step
    assert not any(line.startswith("mount_device") for line in fresh.b.log)


def test_undone_on_the_wrong_node_it_may_be_typed_on_the_right_one(fresh: World) -> None:
    """Whose numbers the disk has is the last word of the node that the server was set up on."""
    cut_off_holding(fresh)
    undo(fresh.session("ec-a"))
    init(fresh.session("ec-b"))
    held = claim(fresh)
    assert held is not None and (held.node, held.epoch, held.state) == ("ec-b", 2, "held")
    assert dict(held.users)["oc"] == 102  # ec-b's


def test_typed_on_a_standby_it_is_refused_and_the_active_nodes_asset_is_not_mounted_there(world: World) -> None:
    before = claim_file(world).read_bytes()
    world.disk.guarded = False
    world.b.log.clear()
    with pytest.raises(Refused, match="is in use already: oc, held by ec-a, epoch 1"):
        init(world.session("ec-b"))
    assert not any(line.startswith("mount_device") for line in world.b.log)
    assert claim_file(world).read_bytes() == before


def test_an_asset_that_was_released_is_taken_over_and_not_begun_again(world: World) -> None:
    release(world.session("ec-a"))
    for name in ("ec-a", "ec-b"):
        with pytest.raises(Refused, match="is in use already: oc, released by ec-a, epoch 1"):
            init(world.session(name))


def test_of_two_at_one_moment_one_wins(fresh: World) -> None:
    """ec-b's is typed while ec-a's is at each of its changes."""
    fresh.disk.guarded = False
    told: list[str] = []

    def meanwhile() -> None:
        with pytest.raises((Busy, Refused)) as refused:
            init(fresh.session("ec-b"))
        told.append(refused.value.message)

    for begin in ("files.write /run/tanist/oc/intent.json", f"mount_device /dev/asset {TREE}", "files.overwrite"):
        fresh.a.then.append((begin, meanwhile))
    init(fresh.session("ec-a"))
    assert len(told) == 3 and read_active(fresh.session("ec-a")) and not read_active(fresh.session("ec-b"))


def test_one_that_was_cut_off_is_not_resumed_once_another_node_has_the_asset(fresh: World) -> None:
    fresh.disk.guarded = False
    assert cut_off(fresh, 4)
    assert claim(fresh) is None and find_open_run(fresh.session("ec-a")) is not None
    fresh.a.reboot()
    init(fresh.session("ec-b"))
    with pytest.raises(Refused, match="is in use by now: oc, held by ec-b"):
        resume(fresh.session("ec-a"))
    undo(fresh.session("ec-a"))
    assert read_active(fresh.session("ec-b"))


def test_the_claim_of_another_controller_is_not_touched(fresh: World) -> None:
    cut_off_holding(fresh)
    undo(fresh.session("ec-a"))
    found = claim(fresh)
    assert found is not None
    claim_file(fresh).write_bytes(render_slot(replace(found, controller="other"), 90) * 2)
    before = claim_file(fresh).read_bytes()
    with pytest.raises(Refused, match="belongs to the controller 'other', not to 'oc'"):
        init(fresh.session("ec-b"))
    assert claim_file(fresh).read_bytes() == before


def test_another_node_whose_answer_comes_too_late_is_a_silent_one(fresh: World) -> None:
    def late(argv: Sequence[str], _: bytes) -> Ran:
        raise OSError(errno.ETIMEDOUT, f"{argv[0]}: no end within 8 s, killed")

    fresh.a.answer_with(["ssh"], late)
    assert ask_peer(fresh.session("ec-a"), "ec-b") == Unread("ssh: no end within 8 s, killed")
    init(fresh.session("ec-a"))
    found = claim(fresh)
    assert found is not None and (found.node, found.state) == ("ec-a", "held")
