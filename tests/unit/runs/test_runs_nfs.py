"""A tree on a filer: init, release, takeover, boot; what only a strong proof lets through; the watch's lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tanist.definition.load import load_controller
from tanist.model.dataclasses import replace
from tanist.model.definition import Proof
from tanist.model.errors import NotProved, Refused, TanistError
from tanist.runs.boot import boot, gate
from tanist.runs.filer_lock import LockKeeper
from tanist.runs.first import init
from tanist.runs.grow import check_active as check_grow
from tanist.runs.migrate import check_common
from tanist.runs.release import release
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.runs.watch import Watcher
from tests.unit.runs.test_runs_fencing import DEVICE, FENCE, Outlet
from tests.unit.runs.test_runs_takeover import ATTEST, claim_of, is_active
from tests.unit.runs.test_runs_watch import end_looks, rob, rounds
from tests.unit.runs.world import ADDRESSES, TREE, World

EXPORT = "filer:/srv/oc"
ASSET = f'kind = "nfs"\nexport = "{EXPORT}"\noptions = ["noatime"]'
SERVED = '[[export]]\npath = "share"\nclients = ["10.88.0.0/24"]\noptions = ["ro"]\n'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    text = (Path(__file__).parent / "oc.toml").read_text().format(mode="host", asset=ASSET)
    assert SERVED in text
    made = World(tmp_path / "world", controller=load_controller(text.replace(SERVED, "").encode(), "oc.toml"))
    made.disk.fstype, made.disk.guarded = "nfs4", False
    for node in made.nodes.values():
        node.disks[EXPORT] = made.disk
    init(made.session("ec-a"))
    yield made
    assert made.violations == ()


@pytest.fixture
def orphan(world: World) -> World:
    world.a.power_off()
    return world


def test_the_tree_is_mounted_by_the_owner_alone_and_given_on_its_word(world: World) -> None:
    mount = next(one for one in world.a.mounts() if one.target == TREE)
    assert (mount.source, mount.fstype) == (EXPORT, "nfs4")
    assert {"hard", "proto=tcp", "vers=4.2"} <= set(mount.wide)
    release(world.session("ec-a"))
    assert world.disk.holder == ""
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b")
    assert claim_of(world, "ec-b") == ("ec-b", 2, "held")
    info = world.b.files.stat(f"{TREE}/.tanist")
    assert info is not None
    assert world.b.read_idmap(TREE) is None, "the files were re-owned: the kernel has no id maps for NFS"


def test_released_is_not_clean_where_the_one_that_released_is_silent(world: World) -> None:
    """As with btrfs: another node may have mounted it since, and sleep."""
    release(world.session("ec-a"))
    world.a.power_off()
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), TakeoverOptions())
    takeover(world.session("ec-b"), ATTEST)
    assert is_active(world, "ec-b")


def test_a_lock_that_is_held_vetoes_a_persons_word(orphan: World) -> None:
    """The filer still waits for the client that it had it from."""
    orphan.disk.locked, orphan.disk.note = "ec-a", "ec-a boot"
    with pytest.raises(NotProved, match="shows life"):
        takeover(orphan.session("ec-b"), ATTEST)
    assert "its owner's lock is held: by ec-a" in orphan.said("ec-b")
    assert orphan.disk.holder == ""
    orphan.disk.locked = ""
    with pytest.raises(NotProved, match="not proved"):
        takeover(orphan.session("ec-b"), TakeoverOptions())
    takeover(orphan.session("ec-b"), ATTEST)
    assert is_active(orphan, "ec-b")


def test_a_filer_that_is_away_refuses_and_changes_nothing(orphan: World) -> None:
    orphan.disk.away = True
    before = list(orphan.b.log)
    with pytest.raises(Refused, match="the claim on the asset can't be read: filer:/srv/oc: its filer gave no answer"):
        takeover(orphan.session("ec-b"), ATTEST)
    assert not [one for one in orphan.b.log[len(before) :] if one.startswith("mount")]


def test_an_owner_boots_with_its_claim_and_waits_for_its_filer(world: World) -> None:
    world.a.power_off()
    world.a.boot()
    gate(world.session("ec-a"))
    world.disk.away = True
    begun = world.clock.ticks
    with pytest.raises(Refused):
        boot(world.session("ec-a"))
    assert world.clock.ticks - begun >= 60
    world.disk.away = False
    assert boot(world.session("ec-a")) == "active"
    assert is_active(world, "ec-a")


def test_what_a_filer_alone_can_do_is_refused_by_name(world: World) -> None:
    with pytest.raises(Refused, match="on a filer, which alone makes it larger"):
        check_grow(world.session("ec-a"))
    with pytest.raises(Refused, match="not moved onto a filer"):
        check_common(world.session("ec-b"))
    with pytest.raises(Refused, match="checked by the filer alone"):
        takeover(world.session("ec-b"), TakeoverOptions(check=True))


def test_a_lock_of_the_one_that_was_cut_off_is_waited_for_and_one_that_stays_is_believed_more_than_a_plug(
    world: World,
) -> None:
    world.controller = replace(world.controller, proof=Proof(power=(DEVICE,)))
    world.ssh_works = False
    Outlet(world)
    world.disk.locked, world.disk.note = "ec-a", "ec-a boot"
    begun = world.clock.ticks
    with pytest.raises(TanistError, match=r"not stopped for certain: .*its owner's lock is held"):
        takeover(world.session("ec-b"), FENCE)
    assert world.clock.ticks - begun >= 150
    assert not world.a.power and world.disk.holder == ""
    world.disk.looks = 6  # more find it held: those of the evidence, and some that wait
    takeover(world.session("ec-b"), FENCE)
    assert "waiting until the filer lets go" in world.said("ec-b")
    assert is_active(world, "ec-b")


# -- the watch
@pytest.fixture
def watcher(world: World) -> Watcher:
    return Watcher(world.session("ec-a"), keeper=LockKeeper())


def turn(watcher: Watcher, world: World, count: int = 1, seconds: float = 1.0) -> None:
    for _ in range(count):
        rounds(watcher, world, 1, seconds)
        end_looks()


def test_the_watch_of_the_owner_holds_the_lock_and_lets_go_as_soon_as_a_run_is_at_work(
    world: World, watcher: Watcher
) -> None:
    turn(watcher, world, 2)
    assert world.disk.locked == "ec-a"
    assert world.disk.note == f"ec-a {world.a.boot_id()}"
    seen = []

    def during() -> None:
        turn(watcher, world, 2)
        seen.append(world.disk.locked)

    world.a.then.append(("systemctl stop oc-proxy.service", during))
    release(world.session("ec-a"))
    assert seen == [""], "an open file would keep the tree busy"
    turn(watcher, world, 6)
    assert world.disk.locked == "", "and a standby never holds it"


def test_a_lock_that_is_somebody_elses_is_asked_for_again(world: World, watcher: Watcher) -> None:
    world.disk.locked = "the one that died"
    turn(watcher, world, 2)
    assert world.disk.locked == "the one that died"
    assert "held by somebody else" in world.said("ec-a")
    world.disk.locked = ""
    turn(watcher, world, 3, seconds=5)
    assert world.disk.locked == "ec-a"


def test_a_lock_that_the_filer_took_away_is_told_and_had_again(world: World, watcher: Watcher) -> None:
    turn(watcher, world, 2)
    world.disk.locked = ""  # its lease ran out
    turn(watcher, world, 3, seconds=10)
    assert world.disk.locked == "ec-a"
    assert is_active(world, "ec-a"), "the claim says who owns the tree"


def test_an_owner_that_lost_it_lets_go_of_the_lock_and_resets_itself_at_once(world: World, watcher: Watcher) -> None:
    """It can't be cut off from its filer, and an unmount would write."""
    turn(watcher, world, 2)
    rob(world)
    turn(watcher, world)
    assert any(timer.due <= world.clock.ticks for timer in world.a.resets), "no sync, no unmount"
    assert world.disk.locked == ""
    own = {one.address for interface in world.a.interfaces() for one in interface.addresses}
    assert not set(ADDRESSES) & own
