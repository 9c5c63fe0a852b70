"""Profiles to plans: each expected file in cases/ holds the steps of a takeover, of the release after it and of a boot.

TANIST_WRITE_CASES=1 writes them anew; look at what changed before you keep it.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace

import pytest

from tanist.model import steps as s
from tanist.model.evidence import Evidence, Outcome, Says, Verdict
from tanist.model.steps import Plan, PlannedStep
from tanist.plan.acquire import build_acquire, build_claim, build_reboot
from tanist.plan.assume import build_assume, build_first, build_restore, build_start, derive_fsid, render_export
from tanist.plan.first import build_first_acquire
from tanist.plan.release import AFTER, ASSET, build_give_back, build_release, describe_undo, letting_go
from tanist.plan.render import render_evidence, render_plan, render_verdict
from tests.unit.model.examples import PLAN, STEPS
from tests.unit.plan.machines import CASES, EPOCH, RUN, load_profile, make_claim, make_standing, render

STORE = "/TREE/.tanist/captures/20260131T110000.000Z-e7-ec-a"
FAMILY = [
    (profile, mode, fstype)
    for profile in ("postgresql", "opscenter")
    for mode, fstype in (("host", "ext4"), ("alias", "xfs"), ("host", "directory"))
]


def takeover_steps(profile: str, mode: str, fstype: str, shift: int = 0) -> tuple[PlannedStep, ...]:
    return tuple(step for plan in build_parts(profile, mode, fstype, shift) for step in plan.steps)


def build_parts(profile: str, mode: str, fstype: str, shift: int) -> tuple[Plan, Plan, Plan]:
    controller = load_profile(profile, mode, fstype)
    standing, claim = make_standing(controller, shift), make_claim(controller)
    return (
        build_acquire(controller, standing, claim),
        build_claim(controller, standing, claim, RUN, EPOCH),
        build_assume(controller, standing, STORE, RUN),
    )


@pytest.mark.requirement("A39", "A40", "A45", "A46")
@pytest.mark.parametrize(("profile", "mode", "fstype"), FAMILY)
def test_the_plans_of_a_profile_are_as_expected(profile: str, mode: str, fstype: str) -> None:
    acquire, claim, assume = build_parts(profile, mode, fstype, shift=1)
    release = build_release((*acquire.steps, *claim.steps, *assume.steps), EPOCH, "RELEASE")
    text = "\n".join(render(plan) for plan in (acquire, claim, assume, release, build_start(assume.steps)))
    case = CASES / f"{profile}-{mode}-{fstype}.txt"
    if os.environ.get("TANIST_WRITE_CASES"):
        case.write_text(text)
    assert text == case.read_text()


@pytest.mark.parametrize("profile", ["postgresql", "opscenter"])
def test_the_first_plan_of_a_profile_is_as_expected(profile: str) -> None:
    controller = load_profile(profile, "host", "ext4")
    standing = make_standing(controller)
    plans = (build_first_acquire(controller, standing, RUN), build_first(controller, standing, RUN))
    text = "\n".join(render(plan) for plan in (*plans, build_restore(controller, STORE, RUN), build_reboot(standing)))
    case = CASES / f"{profile}-first.txt"
    if os.environ.get("TANIST_WRITE_CASES"):
        case.write_text(text)
    assert text == case.read_text()


@pytest.mark.requirement("A63")
@pytest.mark.parametrize(("profile", "mode", "fstype"), FAMILY)
def test_a_release_takes_away_all_that_a_takeover_put_in_place_the_asset_before_the_own_files(
    profile: str, mode: str, fstype: str
) -> None:
    steps = takeover_steps(profile, mode, fstype, shift=1)
    release = build_release(steps, EPOCH, "RELEASE").steps
    nothing_to_undo = (s.SaveOwn, s.CheckHealth, s.Announce, s.NotifyLocks)
    undone = [step for step in release if step.direction == "undo"]
    put = [step for step in steps if not isinstance(step.spec, nothing_to_undo)]
    arm = next(step.spec for step in put if isinstance(step.spec, s.ArmCron))
    parked = next(step.spec for step in undone if isinstance(step.spec, s.ArmCron))
    assert parked == replace(arm, own="")  # first only parked; the node's own entries return last
    returned = [s.PutPath(path=path, store=arm.store, own=arm.own) for path in arm.paths]
    assert [step.spec for step in release[-len(returned) :]] == returned
    undone = [step for step in undone if step.spec not in returned]
    assert sorted(type(step.spec).__name__ for step in undone) == sorted(type(step.spec).__name__ for step in put)
    for kinds in ((s.StartService,), (s.BindMount,), (s.PutPath,), (s.AddAddress,)):
        assert [x.spec for x in undone if isinstance(x.spec, kinds)] == [
            x.spec for x in reversed(put) if isinstance(x.spec, kinds)
        ]
    order = [0 if isinstance(step.spec, (*ASSET,)) else 1 if isinstance(step.spec, AFTER) else -1 for step in release]
    assert order == sorted(order)
    assert letting_go(build_release(steps, EPOCH, "RELEASE")) == [x for x in release if isinstance(x.spec, ASSET)][-1]
    holds = [step.spec for step in release if isinstance(step.spec, s.HoldClaim)]
    assert [(spec.run, spec.epoch) for spec in holds] == [("RELEASE", EPOCH)]
    assert len({step.id for step in release}) == len(release)


def test_equal_ids_need_no_map_and_a_directory_then_no_mount() -> None:
    controller = load_profile("postgresql", "host", "directory")
    assert build_acquire(controller, make_standing(controller), make_claim(controller)).steps == ()
    first = build_first_acquire(controller, make_standing(controller), RUN)
    assert [type(step.spec) for step in first.steps] == [s.InitAsset, s.HoldClaim]


def test_a_start_keeps_the_epoch_and_says_so() -> None:
    controller = load_profile("postgresql", "host", "ext4")
    claim = replace(make_claim(controller), node="ec-b")
    plan = build_claim(controller, make_standing(controller), claim, RUN, claim.epoch)
    assert plan.steps[-1].says == "keep the claim: ec-b holds postgresql, epoch 7"


def test_a_start_leaves_out_files_and_takes_cron_from_where_the_boot_parked_it() -> None:
    steps = takeover_steps("postgresql", "host", "ext4")
    start = build_start(steps).steps
    left_out = (s.MountTree, s.MapTree, s.HoldClaim, s.SaveOwn, s.PutPath, s.InitAsset, s.MakeSshKeys, s.Reboot)
    assert not any(isinstance(step.spec, left_out) for step in start)
    (cron,) = (step.spec for step in start if isinstance(step.spec, s.ArmCron))
    assert cron.store == "" and cron.own and cron.parked
    assert [step.id for step in start] == [f"assume.{n}" for n in range(1, len(start) + 1)]


def test_a_node_that_lost_the_controller_gets_only_its_files_back() -> None:
    steps = takeover_steps("postgresql", "host", "ext4")
    plan = build_give_back(steps)
    assert {type(step.spec) for step in plan.steps} == {s.ArmCron, s.PutPath}
    assert all(step.direction == "undo" for step in plan.steps)
    assert letting_go(plan) is None


def test_without_keys_addresses_exports_or_cron_there_are_no_steps_for_them() -> None:
    for mode in ("host", "alias"):
        controller = replace(load_profile("postgresql", mode, "ext4"), cron=(), exports=())
        standing = replace(make_standing(controller), controller_keys=(), ssh_keys=())
        kinds = {type(step.spec) for step in build_assume(controller, standing, STORE, RUN).steps}
        assert not kinds & {s.CoverSshKeys, s.ServeAlias, s.ArmCron, s.WriteExports, s.MountUnmapped}


def test_an_export_has_one_number_on_every_node_its_own_where_it_says_one() -> None:
    controller = load_profile("opscenter", "host", "ext4")
    (export,) = controller.exports
    derived = derive_fsid("opscenter", export.path)
    assert render_export(controller, export) == (
        f"/var/opt/sun/xvm/osp/share/allstart 10.88.0.0/24(ro,no_subtree_check,fsid={derived})"
    )
    said = replace(export, options=("rw", "fsid=7"), clients=("10.88.0.0/24", "@admins"))
    assert render_export(controller, said) == (
        "/var/opt/sun/xvm/osp/share/allstart 10.88.0.0/24(rw,fsid=7) @admins(rw,fsid=7)"
    )


def test_alias_mode_keeps_the_nodes_own_name_and_keys() -> None:
    specs = [step.spec for step in takeover_steps("opscenter", "alias", "ext4")]
    assert not any(isinstance(spec, (s.SetHostname, s.CoverSshKeys)) for spec in specs)
    (serve,) = (spec for spec in specs if isinstance(spec, s.ServeAlias))
    assert "ListenAddress 10.88.0.60" in serve.text.splitlines()
    assert [line for line in serve.text.splitlines() if line.startswith("HostKey")] == [
        f"HostKey /etc/tanist/identity/opscenter/ssh_host_{kind}_key" for kind in ("ecdsa", "ed25519", "rsa")
    ]


@pytest.mark.parametrize("spec", STEPS, ids=lambda spec: type(spec).__name__)
def test_every_kind_of_step_has_words_for_its_undoing(spec: s.StepSpec) -> None:
    says = describe_undo(spec)
    assert says
    names = {getattr(spec, field.name) for field in fields(spec) if field.name in ("unit", "target", "path", "own")}
    if says != type(spec).__name__ and isinstance(spec, (s.StartService, s.MountTree, s.MapTree, s.PutPath)):
        assert any(str(name) in says for name in names)


def test_plans_evidence_and_verdicts_are_text_for_people() -> None:
    assert render_plan(PLAN).splitlines()[1].startswith("   1. ")
    evidence = (
        Evidence(source="peer", about="ec-a", says=Says.SILENT, detail="no answer"),
        Evidence(source="service-address", about="10.0.0.1", says=Says.UNKNOWN, detail="deaf"),
    )
    assert render_evidence(evidence).splitlines() == [
        "  peer             ec-a      silent   no answer",
        "  service-address  10.0.0.1  unknown  deaf",
    ]
    assert render_evidence(()) == ""
    verdict = Verdict(outcome=Outcome.NOT_PROVED, reasons=("silence",), would_suffice=("a word",))
    assert render_verdict(verdict) == "verdict: NOT_PROVED\n  silence\nwhat would suffice:\n  - a word"
    assert render_verdict(Verdict(outcome=Outcome.PROVED, reasons=("word",))) == "verdict: PROVED\n  word"
