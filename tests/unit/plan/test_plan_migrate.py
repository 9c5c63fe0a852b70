"""An installed server's tree is moved onto the asset and back: what is done at work, and what while it stands still."""

from __future__ import annotations

from tanist.definition.load import load_controller
from tanist.model import steps as s
from tanist.model.asset_steps import CompareTrees, CopyTree, MarkCopy, MountBeside, SetAside
from tanist.model.dataclasses import replace
from tanist.model.definition import Controller
from tanist.model.host import Mount
from tanist.model.layer_steps import ActivateVolume
from tanist.model.steps import Plan
from tanist.plan.migrate import back, build_copy, build_move, build_move_back, forth
from tests.unit.plan.machines import load_profile
from tests.vm.definitions import render_definition

TREE, BESIDE, ASIDE = "/var/lib/postgresql", "/run/tanist/postgresql/beside", "/var/lib/postgresql.before-tanist"
CONTROLLER = load_profile("postgresql", "host", "ext4")
PARKED = "/etc/tanist/parked/postgresql/R"
MOUNTED = MountBeside(device="/dev/asset0", target=BESIDE, fstype="ext4", options=("noatime",))
OLD = Mount(target=TREE, source="/dev/sdb1", fstype="xfs", root="/", options=("rw", "noatime"), device="8:17")
VOLUME = '[[asset.layer]]\nkind = "lvm"\ngroup = "vg0"\nvolume = "tree"\ndisk = "/dev/disk/by-id/wwn-0xa"\n'


def render(plan: Plan) -> list[str]:
    return [f"{step.direction} {type(step.spec).__name__}: {step.says}" for step in plan.steps]


def on_volume() -> Controller:
    asset = load_controller(render_definition("/dev/vg0/tree", "ext4", layers=VOLUME).encode(), "ledger.toml").asset
    return replace(CONTROLLER, asset=asset)


def test_a_copy_goes_into_what_was_seen_to_be_empty_and_a_second_one_has_what_changed_meanwhile() -> None:
    plan = build_copy(CONTROLLER, forth(CONTROLLER), "1234-abcd")
    assert plan.title == "copy: the server is at work meanwhile"
    copy = CopyTree(source=TREE, target=BESIDE, asset=BESIDE, last=False)
    notes = "/run/tanist/postgresql/same"
    assert [step.spec for step in plan.steps] == [
        MOUNTED,
        MarkCopy(target=BESIDE, uuid="1234-abcd", note="/var/lib/tanist/postgresql/copied"),
        *(copy, copy),
        CompareTrees(source=TREE, target=BESIDE, asset=BESIDE, last=False, notes=notes),
    ]
    assert render(plan) == [
        f"apply MountBeside: mount /dev/asset0 at {BESIDE}, where only root sees it",
        "apply MarkCopy: see that it is empty, or holds an earlier copy of this tree",
        *(f"apply CopyTree: copy what differs from {TREE} to {BESIDE}",) * 2,
        "apply CompareTrees: see what is the same by now, byte for byte",
    ]
    assert [step.id for step in plan.steps] == [f"copy.{n}" for n in range(1, 6)]


def test_the_way_back_copies_from_the_asset_to_the_old_tree_which_needs_no_mark() -> None:
    plan = build_copy(CONTROLLER, back(CONTROLLER), "1234-abcd")
    copy = CopyTree(source=BESIDE, target=ASIDE, asset=BESIDE, last=False)
    assert [type(step.spec) for step in plan.steps] == [MountBeside, CopyTree, CopyTree, CompareTrees]
    assert plan.steps[1].spec == copy


def test_the_last_difference_is_copied_once_everything_stands_still() -> None:
    plan = build_move(CONTROLLER, "R", None)
    assert plan.title == "move: the server stands still meanwhile"
    assert render(plan) == [
        f"apply MountBeside: mount /dev/asset0 at {BESIDE}, where only root sees it",
        "undo ArmCron: disarm cron: /etc/cron.d/postgresql-ledger",
        "undo StartService: stop postgresql@15-main.service",
        f"apply CopyTree: copy the last difference from {TREE} to {BESIDE}",
        "apply CompareTrees: see that every byte and attribute is the same",
        f"undo MountBeside: unmount {BESIDE}",
        f"apply SetAside: set the old tree aside, as {ASIDE}",
        f"apply MountTree: mount /dev/asset0 at {TREE}",
        "apply StartService: start postgresql@15-main.service",
        "apply ArmCron: arm cron: /etc/cron.d/postgresql-ledger",
    ]
    specs = [step.spec for step in plan.steps]
    cron = s.ArmCron(paths=("/etc/cron.d/postgresql-ledger",), store="", own="", parked=PARKED)
    assert (specs[1], specs[-1]) == (cron, cron)
    assert specs[3:5] == [
        CopyTree(source=TREE, target=BESIDE, asset=BESIDE, last=True),
        CompareTrees(source=TREE, target=BESIDE, asset=BESIDE, last=True, notes="/run/tanist/postgresql/same"),
    ]
    mount = s.MountTree(device="/dev/asset0", target=TREE, fstype="ext4", options=("noatime",), idmap=None)
    assert specs[6:8] == [SetAside(tree=TREE, aside=ASIDE), mount]
    assert [step.id for step in plan.steps] == [f"move.{n}" for n in range(1, 11)]


def test_a_tree_that_is_a_file_system_of_its_own_is_unmounted_and_not_renamed() -> None:
    plan = build_move(CONTROLLER, "R", OLD)
    (put,) = (step for step in plan.steps if isinstance(step.spec, SetAside))
    assert put.says == "unmount the old tree, /dev/sdb1"
    assert put.spec == SetAside(tree=TREE, aside="", device="/dev/sdb1", options="rw,noatime")


def test_on_the_way_back_the_asset_is_unmounted_everywhere_before_the_server_starts_on_its_old_tree() -> None:
    plan = build_move_back(CONTROLLER, "R")
    assert plan.title == "move back: the server stands still meanwhile"
    assert render(plan) == [
        f"apply MountBeside: mount /dev/asset0 at {BESIDE}, where only root sees it",
        "undo ArmCron: disarm cron: /etc/cron.d/postgresql-ledger",
        "undo StartService: stop postgresql@15-main.service",
        f"apply CopyTree: copy the last difference from {BESIDE} to {ASIDE}",
        "apply CompareTrees: see that every byte and attribute is the same",
        f"undo MountTree: unmount {TREE}",
        f"undo SetAside: put {ASIDE} back at {TREE}",
        f"undo MountBeside: unmount {BESIDE}",
        "apply StartService: start postgresql@15-main.service",
        "apply ArmCron: arm cron: /etc/cron.d/postgresql-ledger",
    ]
    assert plan.steps[3].spec == CopyTree(source=BESIDE, target=ASIDE, asset=BESIDE, last=True)


def test_services_stop_in_the_reverse_of_the_order_in_which_they_start() -> None:
    controller = load_profile("opscenter", "host", "ext4")
    units = [service.unit for service in controller.services]
    for plan in (build_move(controller, "R", None), build_move_back(controller, "R")):
        found = [(step.direction, step.spec.unit) for step in plan.steps if isinstance(step.spec, s.StartService)]
        assert found == [*(("undo", unit) for unit in reversed(units)), *(("apply", unit) for unit in units)]


def test_without_cron_entries_none_are_disarmed_and_none_armed() -> None:
    without = replace(CONTROLLER, cron=())
    for plan in (build_move(without, "R", None), build_move_back(without, "R")):
        assert not [step for step in plan.steps if isinstance(step.spec, s.ArmCron)]
        assert len(plan.steps) == 8


def test_the_layers_of_the_asset_are_up_before_each_part_as_a_boot_may_lie_in_between() -> None:
    controller = on_volume()
    plans = (
        build_copy(controller, forth(controller), "u"),
        build_move(controller, "R", None),
        build_move_back(controller, "R"),
    )
    for plan in plans:
        assert [type(step.spec) for step in plan.steps[:2]] == [ActivateVolume, MountBeside]
        assert [step.direction for step in plan.steps if isinstance(step.spec, ActivateVolume)] == ["apply"]
