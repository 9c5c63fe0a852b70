"""How long a real takeover would take, stage by stage: what a drill measured, and what it can't measure. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tanist.model.definition import Controller
from tanist.model.drill import DrillResult, Stage
from tanist.model.layer_steps import LAYER_STEPS
from tanist.model.steps import (
    AddAddress,
    Announce,
    ArmCron,
    BindMount,
    CheckHealth,
    CoverSshKeys,
    CreateGroup,
    CreateUser,
    FeedCommand,
    FreeMmp,
    HoldClaim,
    KeepNfsState,
    MapTree,
    MountHidden,
    MountTree,
    MountUnmapped,
    NotifyLocks,
    PlannedStep,
    PowerOff,
    PutPath,
    Reown,
    Reserve,
    RunCommands,
    SaveOwn,
    ServeAlias,
    ServeNfs,
    SetHostname,
    StartService,
    TakeLease,
    WaitLease,
    WriteExports,
)
from tanist.model.storage import MmpMark
from tanist.plan.acquire import build_lease, build_reserve
from tanist.plan.fence import build_fence, describe, fences, longest
from tanist.plan.layers import build_layers

UNKNOWN = -1.0
MEASURED, NEVER = "measured in this drill", "no takeover by this node has measured it yet"
History = Mapping[str, Any]  # an entry of it
_STAGES: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("claim", (HoldClaim,)),
    ("accounts", (CreateGroup, CreateUser)),
    ("files outside the tree", (SaveOwn, PutPath)),
    ("commands' output", (RunCommands, FeedCommand)),
    ("binds and exports", (BindMount, MountUnmapped, WriteExports, KeepNfsState, ServeNfs, NotifyLocks)),
    ("name and addresses", (SetHostname, AddAddress, Announce)),
    ("services start", (StartService,)),
    ("health", (CheckHealth,)),
    ("cron and ssh keys", (ArmCron, CoverSshKeys, ServeAlias)),
)
# Not rehearsed: what they take is known from real takeovers only, or from what the disks say.
NOT_REHEARSED = (
    PowerOff,
    WaitLease,
    Reserve,
    TakeLease,
    *LAYER_STEPS,
    FreeMmp,
    MountHidden,
    MountTree,
)
REHEARSED = (MapTree, Reown, *(kind for _, kinds in _STAGES for kind in kinds))


def build_forecast(
    controller: Controller,
    node: str,
    *,
    steps: Sequence[tuple[PlannedStep, float]],
    mmp: MmpMark | None,
    no_idmap: str,
    history: Iterable[History],
) -> tuple[Stage, ...]:
    """`steps`: of the drill, with their seconds; `no_idmap`: why the real asset can't be mapped, "" where it can;
    `history`: every run that this node knows."""
    takeovers = [one for one in history if one.get("kind") == "takeover" and one.get("node") == node]
    return (
        _proof(controller, node, takeovers),
        *_acquire(controller, node, takeovers),
        _guard(mmp),
        *_mount(controller, takeovers),
        _owners(steps, no_idmap),
        *(_stage(name, kinds, steps) for name, kinds in _STAGES),
    )


def _proof(controller: Controller, node: str, takeovers: Sequence[History]) -> Stage:
    """What is done to an owner that did not let go, by the first set of the policy that can be acted on."""
    suspects = tuple(peer.name for peer in controller.peers(node))[:1]
    acts = fences(controller, suspects, attested=True)
    if not acts:
        return Stage(name="proof", seconds=UNKNOWN, source="a person's word is not rehearsed")
    plan = build_fence(controller, "fence", acts[0], suspects, node=node, epoch=0)
    how, most = describe(acts[0]), longest(plan)
    if known := _measured([step.says for step in plan.steps], takeovers):
        return Stage(name="proof", seconds=known[0], source=f"{how}, measured in {known[1]}")
    if all(isinstance(step.spec, WaitLease) for step in plan.steps):
        return Stage(name="proof", seconds=most, source=f"{how}: at most, by the lease's times")
    return Stage(name="proof", seconds=UNKNOWN, source=f"{how}: not rehearsed; {most:.0f} s at most, by its limits")


def _acquire(controller: Controller, node: str, takeovers: Sequence[History]) -> Iterator[Stage]:
    """What every takeover does before it can mount, and no drill does."""
    for name, steps in (
        ("lease", build_lease(controller, node, 0, "", "")),
        ("reservation", build_reserve(controller, node, 0, keep=True)),
        ("array and volume", build_layers(controller.asset)),
    ):
        says = [text for text, _ in steps]
        if not says:
            continue
        if known := _measured(says, takeovers, last=True):
            yield Stage(name=name, seconds=known[0], source=f"measured in {known[1]}")
        elif name == "lease" and controller.proof.lease and ("attestation",) in controller.proof.suffices:
            most = float(controller.proof.lease.lapses_after)
            yield Stage(name=name, seconds=most, source="at most, until the last holder's has run out")
        else:
            yield Stage(name=name, seconds=UNKNOWN, source=NEVER)


def _measured(says: Sequence[str], takeovers: Sequence[History], *, last: bool = False) -> tuple[float, str] | None:
    """Seconds of these steps in the newest takeover that did them all, and which one that was. `last`: the same disk
    may have been reserved before, to fence its owner."""
    for entry in reversed(takeovers):
        steps = [(_stem(str(text)), float(seconds)) for text, seconds in entry.get("steps", ())]
        took = dict(steps if last else reversed(steps))
        if all(_stem(text) in took for text in says):
            return sum(took[_stem(text)] for text in says), str(entry.get("run"))
    return None


def _stem(says: str) -> str:
    """Without what differs from run to run: the epoch, and how the last holder ended."""
    return says.partition(", epoch ")[0].partition(", also where ")[0]


def _guard(mmp: MmpMark | None) -> Stage:
    if mmp is None:
        return Stage(name="mmp wait", seconds=0.0, source="the asset has no mount guard (ext4 mmp)")
    return Stage(
        name="mmp wait",
        seconds=mmp.longest_wait,
        source="at most, by the interval on the disk; none when a fence proved the owner down",
    )


def _mount(controller: Controller, takeovers: Sequence[History]) -> tuple[Stage, ...]:
    name = "mount and journal replay"
    if controller.asset.kind == "directory":
        return ()
    for entry in reversed(takeovers):
        for says, seconds in entry.get("steps", ()):
            if str(says).startswith("mount ") and controller.asset.device in str(says):
                return (Stage(name=name, seconds=float(seconds), source=f"measured in {entry.get('run')}"),)
    return (Stage(name=name, seconds=UNKNOWN, source=NEVER),)


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


def find_comparable(results: Iterable[DrillResult]) -> DrillResult | None:
    """The first that foretold anything: a drill on the real thing, or one that failed before its cell, did not."""
    return next((one for one in results if one.forecast), None)


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
