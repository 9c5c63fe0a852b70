"""What an owner that lets go, or that lost the controller, takes down of its disks, and when output is saved."""

from __future__ import annotations

import pytest

from tanist.definition.load import load_controller
from tanist.model import steps as s
from tanist.model.dataclasses import replace
from tanist.model.definition import Controller, Export, Lease, Proof, Reserving
from tanist.model.layer_steps import ActivateVolume, LogIn, PromoteReplica
from tanist.model.steps import Plan, PlannedStep
from tanist.plan.acquire import build_acquire, build_claim
from tanist.plan.assume import build_assume, build_first, build_restore, build_start, build_stated, with_outputs
from tanist.plan.release import build_give_back, build_loss, build_release, letting_go, talking_to
from tests.unit.plan.machines import EPOCH, ROOT, RUN, load_profile, make_claim, make_standing
from tests.vm.definitions import render_definition

DISK = "/dev/disk/by-id/wwn-0xa"
LOG_IN = '[[asset.layer]]\nkind = "iscsi"\ntarget = "iqn.2026-01.org.example:store"\nportals = ["10.66.0.21:3260"]\n'
VOLUME = f'[[asset.layer]]\nkind = "lvm"\ngroup = "vg0"\nvolume = "tree"\ndisk = "{DISK}"\n'
COPY = '[[asset.layer]]\nkind = "drbd"\nresource = "r0"\ndevice = "/dev/drbd0"\n'
LEASE = Lease(device="/dev/lease0")


def place(device: str, layers: str, *, proof: Proof) -> tuple[PlannedStep, ...]:
    """The steps of a takeover of the profile of PostgreSQL, its tree on these layers."""
    asset = load_controller(render_definition(device, "ext4", layers=layers).encode(), "ledger.toml").asset
    controller = replace(load_profile("postgresql", "host", "ext4"), asset=asset, proof=proof)
    standing, claim = make_standing(controller), make_claim(controller)
    parts = (
        build_acquire(controller, standing, claim, epoch=EPOCH, run=RUN),
        build_claim(controller, standing, claim, RUN, EPOCH),
        build_assume(controller, standing, "/store", RUN),
    )
    return tuple(step for plan in parts for step in plan.steps)


def on_volume(more: str = "") -> tuple[PlannedStep, ...]:
    proof = Proof(lease=LEASE, reservation=Reserving(devices=(DISK,)))
    return place("/dev/vg0/tree", f'{LOG_IN}device = "{DISK}"\n{more}{VOLUME}', proof=proof)


def kinds(steps: tuple[PlannedStep, ...]) -> list[type]:
    return [type(step.spec) for step in steps]


def asset_part(release: Plan) -> tuple[PlannedStep, ...]:
    """From the claim, that is written as released, to where the other node may take the asset."""
    found = kinds(release.steps)
    last = letting_go(release)
    assert last is not None
    return release.steps[found.index(s.HoldClaim) : release.steps.index(last) + 1]


def test_the_disks_are_let_go_from_the_highest_layer_down_and_the_lease_last() -> None:
    part = asset_part(build_release(on_volume("logout = true\n"), EPOCH, "RELEASE"))
    assert kinds(part) == [s.HoldClaim, s.MountTree, ActivateVolume, s.Reserve, LogIn, s.TakeLease]
    assert [step.says for step in part[2:]] == [
        "deactivate /dev/vg0/tree",
        f"take ec-b's key off {DISK}",
        "log out of iqn.2026-01.org.example:store",
        "give back the lease of postgresql",
    ]


def test_a_log_in_that_stays_is_no_step_of_a_release() -> None:
    steps = on_volume()
    assert LogIn in kinds(steps)
    part = asset_part(build_release(steps, EPOCH, "RELEASE"))
    assert kinds(part) == [s.HoldClaim, s.MountTree, ActivateVolume, s.Reserve, s.TakeLease]


def test_an_owner_that_lets_go_takes_its_key_off_also_where_it_had_shut_another_one_out() -> None:
    steps = on_volume()
    (taken,) = (step.spec for step in steps if isinstance(step.spec, s.Reserve))
    assert taken.keep
    release = build_release(steps, EPOCH, "RELEASE").steps
    assert [step.spec for step in release if isinstance(step.spec, s.Reserve)] == [replace(taken, keep=False)]


def bare(spec: s.StepSpec) -> s.StepSpec:
    match spec:
        case s.MountTree():
            return replace(spec, idmap=None)
        case s.ArmCron():
            return replace(spec, store="", own="")
    return spec


@pytest.mark.parametrize("profile", ["postgresql", "opscenter"])
@pytest.mark.parametrize("fstype", ["ext4", "directory"])
def test_by_the_definition_alone_the_same_is_in_use_as_by_the_journal(profile: str, fstype: str) -> None:
    """But for what only a takeover knows: how ids are mapped, and where a capture's cron entries lie."""
    used: tuple[type, ...] = (
        *(s.MountTree, s.MountUnmapped, s.ServeNfs, s.WriteExports, s.KeepNfsState, s.BindMount),
        *(s.AddAddress, s.StartService, s.ArmCron),
    )
    controller = load_profile(profile, "host", fstype)
    controller = replace(controller, exports=(Export(path="share", clients=("10.88.0.0/24",), options=("rw",)),))
    standing, claim = make_standing(controller), make_claim(controller)
    acquire = build_acquire(controller, standing, claim, epoch=EPOCH, run=RUN)
    assume = build_assume(controller, standing, "/store", RUN)
    steps = [step.spec for plan in (acquire, assume) for step in plan.steps if isinstance(step.spec, used)]
    assert list(map(bare, steps)) == [step.spec for step in build_stated(controller, "ec-b", RUN)]


def test_an_owner_that_lost_its_disks_leaves_them_and_the_claim_to_the_next_one() -> None:
    loss = build_loss(on_volume("logout = true\n"))
    assert loss.title == "lost: everything of the controller is taken down, this node's own returns"
    assert {step.direction for step in loss.steps} == {"undo"}
    assert kinds(loss.steps) == [
        *(s.ArmCron, s.StartService, s.AddAddress, s.MountTree, s.TakeLease, s.CoverSshKeys, s.SetHostname),
        *(s.PutPath,) * 4,
    ]
    assert [step.id for step in loss.steps] == [f"loss.{n}" for n in range(1, 12)]
    assert loss.steps[3].says == "unmount /var/lib/postgresql"


def test_an_owner_that_lost_the_controller_demotes_its_copy_once_nothing_of_it_is_mounted() -> None:
    loss = build_loss(place("/dev/drbd0", COPY, proof=Proof(lease=LEASE)))
    found = kinds(loss.steps)
    assert found[found.index(s.MountTree) :][:3] == [s.MountTree, PromoteReplica, s.TakeLease]


def test_an_owner_that_lost_the_controller_takes_down_exports_and_binds_before_the_tree() -> None:
    controller = load_profile("opscenter", "host", "ext4")
    loss = build_loss(build_assume(controller, make_standing(controller), "/store", RUN).steps)
    found = kinds(loss.steps)
    assert found[: found.index(s.CoverSshKeys)] == [
        *(s.ArmCron, s.StartService, s.StartService, s.StartService, s.AddAddress),
        *(s.BindMount, s.BindMount, s.BindMount, s.ServeNfs, s.WriteExports, s.KeepNfsState, s.MountUnmapped),
    ]


# -- the output of commands

COMMANDS = """
[[capture.command]]
name = "accounts"
argv = ["/usr/bin/dump", "accounts"]
service = "sun-xvm-ec.service"
restore = ["/usr/bin/load", "accounts"]

[[capture.command]]
name = "jobs"
argv = ["/usr/bin/dump", "jobs"]
restore = ["/usr/bin/load", "jobs"]

[[capture.command]]
name = "people"
argv = ["/usr/sbin/slapcat"]
when = "any"
restore = ["/usr/sbin/slapadd"]

[[capture.command]]
name = "index"
argv = ["/usr/bin/dump", "index"]
when = "stopped"
restore = ["/usr/bin/load", "index"]

[[capture.command]]
name = "report"
argv = ["/usr/bin/report"]
when = "any"
"""
EC, JOBS, PROXY = (f"sun-xvm-{one}.service" for one in ("ec", "jobs", "proxy"))


def saving() -> Controller:
    text = (ROOT / "profiles/opscenter.toml").read_text() + COMMANDS
    return load_controller(text.encode(), "opscenter.toml")


def tell(steps: tuple[PlannedStep, ...]) -> list[str]:
    """Services, the commands' output and the capture, in their order."""
    told = []
    for step in steps:
        match step.spec:
            case s.StartService(unit=unit):
                told.append(f"{'start' if step.direction == 'apply' else 'stop'} {unit}")
            case s.FeedCommand(command=command):
                told.append(f"{'give' if step.direction == 'apply' else 'give back'} {command.name}")
            case s.RunCommands(commands=commands):
                told.append(f"save {', '.join(one.name for one in commands)}")
            case s.SaveCapture():
                told.append("capture")
    return told


def test_a_takeover_gives_each_output_to_a_program_when_that_one_can_read_it() -> None:
    controller = saving()
    steps = build_assume(controller, make_standing(controller), "/store", RUN).steps
    assert tell(steps) == [
        *("give people", "give index"),
        *(f"start {EC}", "give accounts", f"start {JOBS}", f"start {PROXY}", "give jobs"),
    ]
    (people,) = (step for step in steps if isinstance(step.spec, s.FeedCommand) and step.spec.command.name == "people")
    assert people.spec == s.FeedCommand(
        command=controller.commands[2],
        source="/var/lib/tanist/opscenter/commands/people",
        own=f"/var/lib/tanist/opscenter/own/{RUN}.commands/people",
    )
    assert people.says == (
        "save what /usr/sbin/slapcat says here, and give /usr/sbin/slapadd what it said there (people)"
    )


def test_a_boot_and_a_first_start_give_no_output_to_anybody() -> None:
    controller = saving()
    standing = make_standing(controller)
    started = [f"start {unit}" for unit in (EC, JOBS, PROXY)]
    assert tell(build_start(build_assume(controller, standing, "/store", RUN).steps).steps) == started
    assert tell(build_first(controller, standing, RUN).steps) == started


def test_a_restore_on_the_active_node_leaves_out_what_needs_the_services_stopped() -> None:
    assert tell(build_restore(saving(), "/store", RUN).steps) == ["give accounts", "give jobs", "give people"]


def test_a_capture_that_lacks_an_output_gives_none() -> None:
    controller = saving()
    less = with_outputs(controller, {"index", "jobs"})
    assert [one.name for one in less.commands] == ["jobs", "index"]
    assert replace(less, commands=controller.commands) == controller
    assert tell(build_restore(less, "/store", RUN).steps) == ["give jobs"]


def test_a_release_saves_each_output_while_its_service_is_the_last_one_up_and_gives_the_nodes_own_back() -> None:
    controller = saving()
    in_force = build_assume(controller, make_standing(controller), "/store", RUN).steps
    release = build_release(in_force, EPOCH, "RELEASE", controller.commands)
    assert tell(release.steps) == [
        *("save jobs", f"stop {PROXY}", f"stop {JOBS}", "save accounts", f"stop {EC}"),
        *("save people, index, report", "capture", "give back index", "give back people"),
    ]
    assert [step.says for step in release.steps if isinstance(step.spec, s.RunCommands)] == [
        f"save the output of jobs, while {PROXY} runs",
        f"save the output of accounts, while {EC} runs",
        "save the output of people, index, report, now that the services have stopped",
    ]
    back = [step.says for step in release.steps if isinstance(step.spec, s.FeedCommand)]
    assert back[1] == "give /usr/sbin/slapadd back what this node had before (people)"


def test_an_output_whose_service_is_not_in_force_is_saved_before_anything_stops() -> None:
    controller = saving()
    in_force = build_assume(controller, make_standing(controller), "/store", RUN).steps
    without = tuple(step for step in in_force if step.says != f"start {EC}")
    for steps in (without, ()):
        release = build_release(steps, EPOCH, "RELEASE", controller.commands)
        assert tell(release.steps)[0] == "save accounts, jobs"
        assert release.steps[0].says == "save the output of accounts, jobs, while the services run"
        assert "save jobs" not in tell(release.steps)


def test_a_node_that_lost_the_controller_gives_only_those_their_own_back_that_run_without_it() -> None:
    controller = saving()
    in_force = build_assume(controller, make_standing(controller), "/store", RUN).steps
    assert tell(build_give_back(in_force).steps) == ["give back index", "give back people"]
    assert tell(build_loss(in_force).steps)[-2:] == ["give back index", "give back people"]


def test_a_command_talks_to_the_service_that_it_names_or_to_the_last_one() -> None:
    commands = saving().commands
    names = {unit: [one.name for one in talking_to(commands, unit, PROXY)] for unit in (EC, JOBS, PROXY)}
    assert names == {EC: ["accounts"], JOBS: [], PROXY: ["jobs"]}
