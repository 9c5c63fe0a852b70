"""Takeovers that re-own the tree: whole, killed after each change, taken back, and taken over by the other node.

ec-a and ec-b number the two accounts the other way round, so a file that is mapped twice looks as if it never was.
TANIST_EVERY_POINT=1 tries each point; without it each test takes every third, begun at another one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tanist.facts.mountable import OSRELEASE
from tanist.facts.storage import read_claim_offline
from tanist.host.fake import Crash
from tanist.host.reowning import PLACE
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.definition import OwnershipMethod
from tanist.model.errors import Refused
from tanist.plan import places
from tanist.runs.boot import boot, gate
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.release import release
from tanist.runs.session import read_active
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tests.unit.runs.roots import NUMBERS
from tests.unit.runs.world import TREE, World

EVERY = bool(os.environ.get("TANIST_EVERY_POINT"))
ATTESTED = TakeoverOptions(attest="seen off")
NewWorld = Callable[..., World]
Owners = dict[str, tuple[int, int]]
# what each file of roots.make_disk() belongs to, by name; the rest is root's
BY_NAME = {"/uce/etc.opt/users.json": "oc", "/db/data": "oc", "/share/image": "ocproxy"}


def make(new_world: NewWorld, method: OwnershipMethod = "walk", kind: str = "filesystem") -> World:
    """ec-a held the claim and lost its power."""
    world = new_world("host", kind)
    set_method(world, method)
    world.a.power_off()
    world.warm("ec-b")
    if kind == "directory":  # copied without owners
        for path, account in BY_NAME.items():
            os.chown(f"{disk_of(world, 'ec-b')}{path}", *[NUMBERS["ec-a"][account]] * 2)
    return world


def set_method(world: World, method: OwnershipMethod) -> None:
    world.controller = replace(world.controller, accounts=replace(world.controller.accounts, ownership=method))


def disk_of(world: World, name: str) -> Path:
    return Path(world.disk.path) if world.controller.asset.kind == "filesystem" else world.top / name / TREE[1:]


def owners(world: World, name: str = "ec-b") -> Owners:
    top = disk_of(world, name)
    found = {}
    for path in sorted(top.rglob("*")):
        place = f"/{path.relative_to(top)}"
        if not place.startswith("/.tanist"):
            info = os.lstat(path)
            found[place] = (info.st_uid, info.st_gid)
    return found


def claim_of(world: World, name: str) -> Claim:
    claim = read_claim_offline(world.nodes[name], world.controller.asset, TREE)
    assert isinstance(claim, Claim)
    return claim


def expect_numbers_of(world: World, numbers_of: str, on: str, why: object = "") -> None:
    """The disk has the numbers of that node, its claim says so, and nothing of a walk is left."""
    numbers = NUMBERS[numbers_of]
    for path, owner in owners(world, on).items():
        wanted = numbers[BY_NAME[path]] if path in BY_NAME else 0
        # the group of ocproxy is none of the definition's: its number stays
        assert owner[0] == wanted, f"{path}: {why}"
    claim = claim_of(world, on)
    assert dict(claim.users) == {name: numbers[name] for name in ("oc", "ocproxy")}, why
    assert dict(claim.groups) == {"oc": numbers["oc"]}, why
    assert claim.reowning == "", why
    assert not (disk_of(world, on) / PLACE).exists(), why
    hidden = places.hidden("oc")
    assert not any(mount.target == hidden for mount in world.nodes[on].mounts()), why


def kill(world: World, name: str, after: int, act: Callable[[], None]) -> bool:
    node = world.nodes[name]
    node.crash_after(after)
    try:
        act()
    except Crash:
        return True
    finally:
        node.revive()
        for thread in threading.enumerate():  # looks that were left behind: they die with a real process
            if thread.name.startswith("look "):
                thread.join()
    return False


def points(new_world: NewWorld, first: int, kind: str = "filesystem") -> Iterator[int]:
    """From the moment that the asset is taken up to the mount that makes the tree visible, and a little further."""
    world = make(new_world, kind=kind)
    before = len(world.b.log)
    takeover(world.session("ec-b"), ATTESTED)
    log = world.b.log[before:]
    last = max(n for n, what in enumerate(log) if what.startswith(("forget_reowning", "unmount /run"))) + 4
    assert any(what == "reown changed" for what in log)
    start = next(n for n, what in enumerate(log) if what.startswith(("mount_device", "begin_reowning"))) + 1
    yield from range(start, last) if EVERY else range(start + first, last, 3)


@pytest.mark.requirement("A52", "A54", "A55")
@pytest.mark.parametrize("kind", ["filesystem", "directory"])
def test_a_takeover_gives_the_disk_this_nodes_numbers_and_the_way_back_the_others(
    new_world: NewWorld, kind: str
) -> None:
    world = make(new_world, kind=kind)
    before = owners(world)
    takeover(world.session("ec-b"), ATTESTED)
    expect_numbers_of(world, "ec-b", "ec-b")
    assert owners(world) != before
    if kind == "filesystem":
        assert "idmapped" not in next(one for one in world.b.mounts() if one.target == TREE).options
    release(world.session("ec-b"))
    assert claim_of(world, "ec-b").state == "released"
    expect_numbers_of(world, "ec-b", "ec-b")


@pytest.mark.requirement("A65", "A66", "A67")
def test_any_number_of_ways_there_and_back_ends_where_it_began(new_world: NewWorld) -> None:
    world = make(new_world)
    before = owners(world)
    for _ in range(3):
        takeover(world.session("ec-b"), ATTESTED)
        expect_numbers_of(world, "ec-b", "ec-b")
        release(world.session("ec-b"))
        world.a.boot()
        gate(world.session("ec-a"))
        boot(world.session("ec-a"))
        takeover(world.session("ec-a"), TakeoverOptions())
        expect_numbers_of(world, "ec-a", "ec-a")
        assert owners(world, "ec-a") == before
        release(world.session("ec-a"))
        world.a.power_off()


def test_the_tree_is_not_seen_before_every_file_is_re_owned(new_world: NewWorld) -> None:
    world = make(new_world)
    seen: list[tuple[str, int]] = []
    world.b.then.append(("reown walked", lambda: seen.extend((one.target, 0) for one in world.b.mounts())))
    takeover(world.session("ec-b"), ATTESTED)
    assert places.hidden("oc") in dict(seen) and TREE not in dict(seen)
    assert oct(os.stat(f"{world.b.root}{places.hidden('oc')}").st_mode)[-3:] == "700"


@pytest.mark.requirement("A54", "A55")
@pytest.mark.parametrize("kind", ["filesystem", "directory"])
def test_killed_after_any_change_it_goes_on_and_maps_nothing_twice(new_world: NewWorld, kind: str) -> None:
    for after in points(new_world, 0, kind):
        world = make(new_world, kind=kind)
        kill(world, "ec-b", after, lambda: takeover(world.session("ec-b"), ATTESTED))  # noqa: B023
        resume(world.session("ec-b"))
        expect_numbers_of(world, "ec-b", "ec-b", f"killed after change {after}")


@pytest.mark.requirement("A54", "A55")
def test_killed_after_any_change_it_is_taken_back_to_the_disks_own_numbers(new_world: NewWorld) -> None:
    for after in points(new_world, 1):
        world = make(new_world)
        before = owners(world)
        kill(world, "ec-b", after, lambda: takeover(world.session("ec-b"), ATTESTED))  # noqa: B023
        kill(world, "ec-b", after // 3 + 1, lambda: undo(world.session("ec-b")))  # noqa: B023
        if find_open_run(world.session("ec-b")) is not None:
            undo(world.session("ec-b"))
        assert owners(world) == before, f"killed after change {after}"
        expect_numbers_of(world, "ec-a", "ec-b", f"killed after change {after}")
        assert not any(mount.target != "/" for mount in world.b.mounts())


@pytest.mark.requirement("A54", "A55", "A66")
@pytest.mark.parametrize(("method", "first"), [("map", 2), ("walk", 1)])
def test_power_cut_after_any_change_the_other_node_takes_over_with_its_own_numbers(
    new_world: NewWorld, method: OwnershipMethod, first: int
) -> None:
    """ec-a's numbers are those that the disk had: what the walk had changed already is given back, no more."""
    for after in points(new_world, first):
        world = make(new_world)
        before = owners(world)
        kill(world, "ec-b", after, lambda: takeover(world.session("ec-b"), ATTESTED))  # noqa: B023
        world.b.power_off()
        world.disk.holder = ""
        done = dict(claim_of(world, "ec-b").users) == NUMBERS["ec-b"]
        set_method(world, method)
        world.a.boot()
        session = world.session("ec-a")
        gate(session)
        boot(session)
        if not read_active(session):
            takeover(session, ATTESTED)
        why = f"cut after change {after}"
        if done and method == "map":  # finished: these are the disk's numbers now, and ec-a maps
            expect_numbers_of(world, "ec-b", "ec-a", why)
            assert "idmapped" in next(one for one in world.a.mounts() if one.target == TREE).options
        else:
            expect_numbers_of(world, "ec-a", "ec-a", why)
            assert owners(world, "ec-a") == before


def test_after_a_power_cut_in_the_walk_the_node_goes_on(new_world: NewWorld) -> None:
    for after in points(new_world, 1):
        world = make(new_world)
        kill(world, "ec-b", after, lambda: takeover(world.session("ec-b"), ATTESTED))  # noqa: B023
        world.b.reboot()
        gate(world.session("ec-b"))
        with pytest.raises(Refused, match="stays inert"):
            boot(world.session("ec-b"))
        resume(world.session("ec-b"))
        expect_numbers_of(world, "ec-b", "ec-b", f"cut after change {after}")


def test_an_old_kernel_means_a_walk_and_the_dry_run_says_so(new_world: NewWorld) -> None:
    world = make(new_world, "auto")
    path = Path(f"{world.b.root}{OSRELEASE}")
    path.parent.mkdir(parents=True)
    path.write_text("5.10.0-32-amd64\n")
    session = world.session("ec-b")
    set_method(world, "map")
    with pytest.raises(Refused, match=r"5\.10\.0-32-amd64\) has no id maps for ext4.* allows nothing else"):
        takeover(world.session("ec-b"), ATTESTED)
    assert find_open_run(world.session("ec-b")) is None
    set_method(world, "auto")
    takeover(session, ATTESTED)
    expect_numbers_of(world, "ec-b", "ec-b")
    release(session)
    path.write_text("5.12.0\n")
    assert claim_of(world, "ec-b").users == (("oc", 102), ("ocproxy", 101))


def test_the_dry_run_names_the_walk_and_the_numbers(new_world: NewWorld) -> None:
    world = make(new_world)
    world.a.boot()
    text = []
    try:
        _, shown = dry_run(world.session("ec-b"), ATTESTED)
        text.append(shown)
    except Refused as refusal:
        text.append(str(refusal))
    assert "re-own the files of /var/opt/oc, ids by name (oc 101->102, ocproxy 102->101; to keep" in text[0], text
    assert "where only root sees it" in text[0]
