"""How long a real takeover would take, stage by stage: what a drill measured, and what it can't measure. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tanist.model.definition import Controller
from tanist.model.drill import DrillResult, Stage
from tanist.model.steps import (
    AddAddress,
    Announce,
    ArmCron,
    BindMount,
    CheckHealth,
    CoverSshKeys,
    HoldClaim,
    MapTree,
    PlannedStep,
    PutPath,
    Reown,
    SaveOwn,
    ServeAlias,
    SetHostname,
    StartService,
    WriteExports,
)
from tanist.model.storage import MmpMark

UNKNOWN = -1.0
MEASURED = "measured in this drill"
_STAGES: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("claim", (HoldClaim,)),
    ("files outside the tree", (SaveOwn, PutPath)),
    ("binds and exports", (BindMount, WriteExports)),
    ("name and addresses", (SetHostname, AddAddress, Announce)),
    ("services start", (StartService,)),
    ("health", (CheckHealth,)),
    ("cron and ssh keys", (ArmCron, CoverSshKeys, ServeAlias)),
)


def build_forecast(
    controller: Controller,
    node: str,
    *,
    steps: Sequence[tuple[PlannedStep, float]],
    mmp: MmpMark | None,
    no_idmap: str,
    history: Iterable[Mapping[str, Any]],
) -> tuple[Stage, ...]:
    """`steps`: of the drill, with their seconds; `no_idmap`: why the real asset can't be mapped, "" where it can;
    `history`: every run that this node knows."""
    takeovers = [one for one in history if one.get("kind") == "takeover" and one.get("node") == node]
    return (
        _proof(controller, node),
        _guard(mmp),
        *_mount(controller, takeovers),
        _owners(steps, no_idmap),
        *(_stage(name, kinds, steps) for name, kinds in _STAGES),
    )


def _proof(controller: Controller, node: str) -> Stage:
    if all("attestation" in names for names in controller.proof.suffices):
        return Stage(name="proof", seconds=UNKNOWN, source="a person's word is not rehearsed")
    longest = max(
        (one.longest for peer in controller.peers(node) for one in controller.proof.devices(peer.name)), default=0.0
    )
    return Stage(
        name="proof", seconds=UNKNOWN, source=f"a fence is not rehearsed; {longest:.0f} s at most, by its limits"
    )


def _guard(mmp: MmpMark | None) -> Stage:
    if mmp is None:
        return Stage(name="mmp wait", seconds=0.0, source="the asset has no mount guard (ext4 mmp)")
    return Stage(
        name="mmp wait",
        seconds=mmp.longest_wait,
        source="at most, by the interval on the disk; none when a fence proved the owner down",
    )


def _mount(controller: Controller, takeovers: Sequence[Mapping[str, Any]]) -> tuple[Stage, ...]:
    name = "mount and journal replay"
    if controller.asset.kind == "directory":
        return ()
    for entry in reversed(takeovers):
        for says, seconds in entry.get("steps", ()):
            if str(says).startswith("mount ") and controller.asset.device in str(says):
                return (Stage(name=name, seconds=float(seconds), source=f"measured in {entry.get('run')}"),)
    return (Stage(name=name, seconds=UNKNOWN, source="no takeover by this node has measured it yet"),)


def _owners(steps: Sequence[tuple[PlannedStep, float]], no_idmap: str) -> Stage:
    walked = sum(seconds for step, seconds in steps if isinstance(step.spec, Reown))
    mapped = sum(seconds for step, seconds in steps if isinstance(step.spec, MapTree))
    if walked and not no_idmap:
        return Stage(name="owners", seconds=mapped, source="by an id map, which the asset takes and the copy did not")
    return Stage(name="owners", seconds=walked + mapped, source=MEASURED)


def _stage(name: str, kinds: tuple[type, ...], steps: Sequence[tuple[PlannedStep, float]]) -> Stage:
    return Stage(name=name, seconds=sum(took for step, took in steps if isinstance(step.spec, kinds)), source=MEASURED)


def slowest(forecast: Iterable[Stage]) -> Stage | None:
    known = [stage for stage in forecast if stage.seconds > 0]
    return max(known, key=lambda stage: stage.seconds, default=None)


def compare_drills(now: DrillResult, before: DrillResult | None) -> tuple[str, ...]:
    """What changed since, for people: stages that take clearly longer or shorter."""
    if before is None:
        return ("there is no earlier drill to compare with",)
    then = {stage.name: stage.seconds for stage in before.forecast}
    found = [f"foretold {now.foretold:.1f} s, {before.foretold:.1f} s in {before.run} ({before.result})"]
    for stage in now.forecast:
        was = then.get(stage.name, UNKNOWN)
        if min(stage.seconds, was) >= 0 and abs(stage.seconds - was) >= max(1.0, 0.5 * min(stage.seconds, was)):
            found.append(f"{stage.name}: {stage.seconds:.1f} s, it was {was:.1f}")
    return tuple(found)


def render_result(result: DrillResult, before: DrillResult | None) -> str:
    lines = [f"{result.run}: {result.result.upper()} on {result.node}, {result.seconds:.1f} s. {result.says}"]
    lines += [f"  capture  {result.capture or 'none'}", f"  data     {result.data}"]
    lines += [f"  {'ok' if one.ok else 'FAILED':<7} {one.seconds:8.2f} s  {one.says}" for one in result.steps]
    lines += [f"  seen     {one}" for one in result.checked]
    if result.words:
        lines += ["  its last words:", *(f"    {line}" for line in result.words.splitlines())]
    if result.forecast:
        lines.append(f"a real takeover, as far as it is known: {result.foretold:.1f} s")
        lines += [
            f"  {f'{one.seconds:8.2f} s' if one.seconds >= 0 else '       ?  '}  {one.name} ({one.source})"
            for one in result.forecast
        ]
        if worst := slowest(result.forecast):
            lines.append(f"the slowest: {worst.name}, {worst.seconds:.1f} s")
        lines += [f"compared: {one}" for one in compare_drills(result, before)]
    return "\n".join(lines)
