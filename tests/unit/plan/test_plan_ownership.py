"""Map or walk: decided and told before the first change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist.model import steps as s
from tanist.model.definition import Controller, OwnershipMethod
from tanist.model.errors import Refused
from tanist.model.host import Renumber
from tanist.model.standing import NewGroup, NewUser, Standing
from tanist.plan import places
from tanist.plan.acquire import build_acquire, build_claim
from tanist.plan.idmap import MAX_EXTENTS, build_idmap, find_moves, why_too_large
from tanist.plan.ownership import choose_ownership
from tanist.plan.release import build_release, describe_undo, letting_go
from tanist.plan.render import render_plan
from tests.unit.plan.machines import EPOCH, RUN, load_profile, make_claim, make_standing

OLD = "this kernel (5.10) has no id maps for ext4 (Linux 5.12)"


def profile(method: OwnershipMethod, kind: str = "ext4") -> Controller:
    controller = load_profile("postgresql", "host", kind)
    return replace(controller, accounts=replace(controller.accounts, ownership=method))


def steps_of(controller: Controller, standing: Standing, reowning: str = "") -> tuple[s.PlannedStep, ...]:
    claim = replace(make_claim(controller), reowning=reowning)
    acquire = build_acquire(controller, standing, claim)
    return (*acquire.steps, *build_claim(controller, standing, claim, RUN, EPOCH).steps)


def kinds(steps: tuple[s.PlannedStep, ...]) -> list[str]:
    return [type(step.spec).__name__ for step in steps]


@pytest.mark.requirement("A54", "A55")
@pytest.mark.parametrize(
    ("method", "no_idmap", "wanted"),
    [
        ("auto", "", ["MountTree", "HoldClaim"]),
        ("map", "", ["MountTree", "HoldClaim"]),
        ("walk", "", ["MountHidden", "HoldClaim", "Reown", "MountTree"]),
        ("auto", OLD, ["MountHidden", "HoldClaim", "Reown", "MountTree"]),
    ],
)
def test_the_asset_is_mapped_or_walked(method: OwnershipMethod, no_idmap: str, wanted: list[str]) -> None:
    controller = profile(method)
    steps = steps_of(controller, replace(make_standing(controller, shift=1), no_idmap=no_idmap))
    assert kinds(steps) == wanted
    (mount,) = [step.spec for step in steps if isinstance(step.spec, s.MountTree)]
    assert (mount.idmap is None) == ("Reown" in wanted) == bool(mount.hidden)


def test_equal_numbers_need_neither() -> None:
    controller = profile("walk")
    assert kinds(steps_of(controller, replace(make_standing(controller), no_idmap=OLD))) == ["MountTree", "HoldClaim"]


def test_a_definition_that_wants_the_map_is_refused_where_it_cannot_be() -> None:
    controller = profile("map")
    with pytest.raises(Refused, match=r"5\.10\) has no id maps for ext4 .*, and the definition allows nothing else"):
        steps_of(controller, replace(make_standing(controller, shift=1), no_idmap=OLD))


def test_the_walk_says_which_numbers_and_why() -> None:
    controller = profile("auto")
    standing = replace(make_standing(controller, shift=1), no_idmap=OLD)
    text = render_plan(build_claim(controller, standing, make_claim(controller), RUN, EPOCH))
    assert f"re-own the files of {controller.tree}, ids by name (postgres 100->101; to keep" in text and OLD in text


def test_a_directory_is_walked_where_it_is() -> None:
    controller = profile("walk", "directory")
    standing = make_standing(controller, shift=1)
    assert kinds(steps_of(controller, standing)) == ["HoldClaim", "Reown"]
    mapped = steps_of(profile("auto", "directory"), standing, reowning="t")
    assert kinds(mapped) == ["HoldClaim", "Reown", "MapTree"]


@pytest.mark.requirement("A55", "A66")
@pytest.mark.parametrize("method", ["auto", "walk"])
def test_what_another_node_left_half_re_owned_is_settled_first(method: OwnershipMethod) -> None:
    controller = profile(method)
    standing, claim = make_standing(controller, shift=1), replace(make_claim(controller), reowning="token")
    ownership = choose_ownership(controller, standing, claim)
    step = ownership.build_step(controller.tree, claim, RUN)
    assert kinds(steps_of(controller, standing, "token")) == ["MountHidden", "HoldClaim", "Reown", "MountTree"]
    if method == "auto":
        assert step.renumber == Renumber(users=(), groups=()) and step.users_after == claim.users
        assert ownership.says("/t") == "give the files of /t the disk's numbers again: a walk was cut off (token)"
        assert ownership.idmap is not None
    else:
        assert step.renumber.users == ((100, 101), (101, 100)) and step.users_after == standing.users
        assert step.renumber.inverse.users == ((101, 100), (100, 101))
        assert "cut off (token)" in ownership.says("/t")


def test_a_release_lets_the_hidden_asset_go_last_and_re_owns_nothing() -> None:
    controller = profile("walk")
    in_force = steps_of(controller, make_standing(controller, shift=1))
    plan = build_release(in_force, EPOCH, "RELEASE")
    assert kinds(plan.steps) == ["SaveCapture", "MountTree", "HoldClaim", "MountHidden"]
    last = letting_go(plan)
    hidden = places.hidden(controller.name)
    assert last is not None and last.says == f"unmount {hidden}"
    assert plan.steps[1].says == f"unmount {controller.tree}; only root sees the asset, at {hidden}"
    assert describe_undo(s.CreateGroup(name="g", gid=1)) == "CreateGroup"


def test_accounts_are_made_before_the_asset_is_taken() -> None:
    controller = profile("auto")
    standing = replace(
        make_standing(controller),
        new_groups=(NewGroup(name="g", gid=998),),
        new_users=(NewUser(name="u", uid=998, gid=998),),
    )
    assert kinds(steps_of(controller, standing)) == ["CreateGroup", "CreateUser", "MountTree", "HoldClaim"]


def test_a_map_of_more_places_than_the_kernel_takes_is_found_by_the_plan() -> None:
    """Short numbers: the bytes fit, the extents do not."""
    disk = [(f"u{n}", 2 * n + 10) for n in range(200)]
    here = [(f"u{n}", 2 * n + (12 if n % 2 == 0 else 8)) for n in range(200)]  # swapped in pairs
    idmap = find_moves(disk, here, (), ()).build_idmap()
    assert idmap is not None and len(idmap.users) > MAX_EXTENTS
    assert "401 extents" in why_too_large(idmap) and f"{MAX_EXTENTS} and 4095 fit" in why_too_large(idmap)
    with pytest.raises(Refused, match="too many places"):
        build_idmap(disk, here, (), ())
    controller = profile("auto")
    claim = replace(make_claim(controller), users=tuple(disk), groups=())
    walk = choose_ownership(controller, replace(make_standing(controller), users=tuple(here), groups=()), claim)
    assert walk.walk and "401 extents" in walk.why
    fits = find_moves(disk[:160], here[:160], (), ()).build_idmap()
    assert fits is not None and why_too_large(fits) == ""
