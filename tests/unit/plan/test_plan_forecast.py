"""How long a takeover would take: what is measured, what is foretold, and what nobody knows stays unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from tanist.definition.load import load_controller
from tanist.model import asset_steps as asset
from tanist.model import steps as s
from tanist.model.dataclasses import replace
from tanist.model.definition import Asset, Controller, Lease, Proof, Reserving
from tanist.model.drill import DrillResult, Stage
from tanist.model.growing import GrowStep
from tanist.model.host import Renumber
from tanist.model.layers import LvmLayer
from tanist.model.steps import PlannedStep, Reown, StartService, StepSpec
from tanist.model.storage import MmpMark
from tanist.plan.forecast import (
    NOT_REHEARSED,
    REHEARSED,
    UNKNOWN,
    build_forecast,
    compare_drills,
    find_comparable,
    render_result,
    slowest,
)
from tanist.report.stages import OTHER, STAGES
from tanist.report.style import STAGE_CLASSES

ROOT = Path(__file__).resolve().parents[3]
CONTROLLER = load_controller((ROOT / "profiles/postgresql.toml").read_bytes(), "postgresql.toml")
START = StartService(unit="postgresql@15-main.service", start_timeout=90, stop_timeout=90)
WALK = Reown(
    tree="/t",
    run="r",
    renumber=Renumber(users=((1, 2),), groups=()),
    users_before=(),
    groups_before=(),
    users_after=(),
    groups_after=(),
)
VOLUME = LvmLayer(group="vg0", volume="db")
MOUNTED = {
    "kind": "takeover",
    "node": "ec-b",
    "run": "old",
    "steps": [["mount /dev/asset0 at /var/lib/postgresql", 2.5]],
}


def step(spec: StepSpec) -> PlannedStep:
    return PlannedStep(id="assume.1", says="x", direction="apply", spec=spec)


def forecast(*, controller: Controller = CONTROLLER, **changes: Any) -> dict[str, Stage]:
    known: dict[str, Any] = {"steps": [(step(START), 4.0)], "mmp": None, "no_idmap": "", "history": []}
    return {one.name: one for one in build_forecast(controller, "ec-b", **{**known, **changes})}


def test_services_take_what_they_took_in_the_drill() -> None:
    assert forecast()["services start"].seconds == 4.0


def test_the_mount_guard_of_a_living_owner_is_counted_in_full() -> None:
    mark = MmpMark(sequence=7, node="ec-a", time=0, interval=10)
    assert forecast(mmp=mark)["mmp wait"].seconds == 42.0
    assert forecast()["mmp wait"].seconds == 0.0


def test_a_mount_is_known_only_from_a_real_takeover_by_this_node() -> None:
    assert forecast()["mount and journal replay"].seconds < 0
    assert forecast(history=[{**MOUNTED, "node": "ec-a"}])["mount and journal replay"].seconds < 0
    assert forecast(history=[MOUNTED])["mount and journal replay"].seconds == 2.5


def test_a_plain_directory_has_no_mount_that_takes_time() -> None:
    plain = replace(CONTROLLER, asset=Asset(kind="directory"))
    assert "mount and journal replay" not in forecast(controller=plain, history=[MOUNTED])


def test_a_walk_that_only_the_copy_needed_does_not_count() -> None:
    steps = [(step(WALK), 9.0)]
    assert forecast(steps=steps)["owners"].seconds == 0.0
    assert forecast(steps=steps, no_idmap="this kernel has none")["owners"].seconds == 9.0


def test_the_proof_is_never_said_to_take_no_time() -> None:
    assert forecast()["proof"].seconds < 0 and "word" in forecast()["proof"].source


def result(*stages: Stage, **changes: Any) -> DrillResult:
    made = DrillResult(
        run="20261101T000000000-drill-ec-b",
        kind="isolated",
        node="ec-b",
        who="root",
        reason="",
        began=1.0,
        seconds=9.0,
        result="passed",
        says="all well",
        words="",
        capture="c1",
        data="a copy",
        steps=(),
        checked=(),
        forecast=stages,
    )
    return replace(made, **changes)


def stage(name: str, seconds: float) -> Stage:
    return Stage(name=name, seconds=seconds, source="s")


def test_the_slowest_stage_is_one_that_is_known() -> None:
    worst = slowest([stage("a", -1.0), stage("b", 2.0), stage("c", 1.0)])
    assert worst is not None and worst.name == "b"
    assert slowest([stage("a", -1.0)]) is None


def test_a_drill_is_compared_with_the_one_before() -> None:
    now = result(stage("a", 4.0), stage("b", 1.0), stage("c", -1.0))
    before = result(stage("a", 1.0), stage("b", 1.2), stage("c", 3.0), run="before")
    told = compare_drills(now, before)
    assert told == ("foretold 5.0 s, 5.2 s in before (passed)", "a: 4.0 s, it was 1.0")
    assert "no earlier drill" in compare_drills(now, None)[0]


def test_what_foretold_nothing_is_compared_with_nothing() -> None:
    """A drill on the real thing, or one that did not come to its cell, would seem to have taken no time at all."""
    there_and_back, early = result(run="back"), result(run="early", result="failed")
    before = result(stage("a", 1.0), run="before")
    found = find_comparable([there_and_back, early, before, result(stage("a", 2.0), run="older")])
    assert found == before and find_comparable([early]) is None


def test_a_result_reads_as_what_it_was() -> None:
    text = render_result(result(stage("mmp wait", 42.0), stage("proof", -1.0), words="no such file\nbye"), None)
    assert "PASSED on ec-b" in text and "the slowest: mmp wait, 42.0 s" in text
    assert "       ?    proof (s)" in text and "    no such file\n    bye" in text


def test_a_result_that_foretold_nothing_is_told_without_a_forecast() -> None:
    text = render_result(result(result="failed", says="the copy failed"), None)
    assert text.splitlines() == [
        "20261101T000000000-drill-ec-b: FAILED on ec-b, 9.0 s. the copy failed",
        "  capture  c1",
        "  data     a copy",
    ]


def test_where_no_stage_is_known_none_is_the_slowest() -> None:
    lines = render_result(result(stage("proof", -1.0)), None).splitlines()
    assert lines[-3:] == [
        "a real takeover, as far as it is known: 0.0 s",
        "         ?    proof (s)",
        "compared: there is no earlier drill to compare with",
    ]


FENCED = replace(
    CONTROLLER,
    proof=Proof(
        reservation=Reserving(devices=("/dev/disk/a",)),
        lease=Lease(device="/dev/lease0"),
        policy=(("reservation",), ("lease",)),
    ),
)
RESERVE = "reserve /dev/disk/a for ec-b alone and read it back, epoch 9"
TAKE = "take the lease on /dev/lease0, also where its last holder is stopped"


def test_a_reservation_and_a_lease_take_what_the_last_takeover_by_this_node_measured() -> None:
    entry = {**MOUNTED, "steps": [[RESERVE, 0.7], [TAKE, 1.5], [RESERVE, 0.2]]}
    known = forecast(controller=FENCED, history=[entry])
    assert [known[name].seconds for name in ("proof", "lease", "reservation")] == [0.7, 1.5, 0.2]
    assert known["proof"].source == "reservation, measured in old"
    assert known["reservation"].source == "measured in old"


def test_a_later_takeover_that_had_no_need_of_a_step_does_not_hide_the_one_that_measured_it() -> None:
    fenced = {**MOUNTED, "steps": [[RESERVE, 0.7], [TAKE, 1.5]]}
    known = forecast(controller=FENCED, history=[fenced, {**MOUNTED, "run": "planned", "steps": [[TAKE, 0.4]]}])
    assert (known["reservation"].seconds, known["reservation"].source) == (0.7, "measured in old")
    assert (known["lease"].seconds, known["lease"].source) == (0.4, "measured in planned")


def test_a_reservation_that_nobody_measured_is_not_known_and_its_limit_is_told() -> None:
    known = forecast(controller=FENCED, history=[{**MOUNTED, "node": "ec-a", "steps": [[RESERVE, 0.7]]}])
    assert known["proof"].seconds == known["reservation"].seconds == known["lease"].seconds == UNKNOWN
    assert "200 s at most" in known["proof"].source


def test_a_lease_alone_is_waited_for_until_it_has_run_out() -> None:
    alone = replace(FENCED, proof=Proof(lease=Lease(device="/dev/lease0")))
    known = forecast(controller=alone)
    assert known["proof"].seconds == alone.proof.lease.longest_wait == 160.0  # type: ignore[union-attr]
    assert known["proof"].source == "lease: at most, by the lease's times"
    assert known["lease"].seconds == UNKNOWN


def test_with_a_persons_word_alone_the_lease_has_to_run_out_when_it_is_taken() -> None:
    word = replace(FENCED, proof=Proof(lease=Lease(device="/dev/lease0"), policy=(("attestation",),)))
    assert forecast(controller=word)["lease"].seconds == 140.0


def test_what_lies_below_the_file_system_is_known_from_a_real_takeover_only() -> None:
    layered = replace(CONTROLLER, asset=replace(CONTROLLER.asset, layers=(VOLUME,)))
    says = "take the volume group vg0 and activate /dev/vg0/db"
    assert forecast(controller=layered)["array and volume"].seconds == UNKNOWN
    known = forecast(controller=layered, history=[{**MOUNTED, "steps": [[says, 0.4]]}])
    assert known["array and volume"].seconds == 0.4
    assert "array and volume" not in forecast()


def test_every_step_of_a_takeover_is_in_the_forecast() -> None:
    elsewhere = {
        *(s.InitAsset, s.MakeSshKeys, s.SaveCapture),  # first claim, release
        *(s.Reboot, s.CheckFileSystem),  # --reboot, --check-filesystem
        *(
            asset.MountBeside,
            asset.MarkCopy,
            asset.CopyTree,
            asset.CompareTrees,
            asset.SetAside,
        ),  # migrate
        *(
            asset.EraseDisk,
            asset.ProveShared,
            asset.MakeArray,
            asset.MakeVolume,
            asset.MakeFileSystem,
        ),  # prepare
        *get_args(GrowStep),
    }
    assert {*REHEARSED, *NOT_REHEARSED} == {*get_args(s.StepSpec)} - elsewhere


def test_every_step_has_a_stage_of_its_own_name() -> None:
    assert {*STAGES} == {*get_args(s.StepSpec)}
    assert {*STAGES.values()} <= {*STAGE_CLASSES} and OTHER not in STAGES.values()
