"""The way back: what a takeover put in place is taken away, the asset let go as early as it can be. Pure.

First what stands in the way of the asset (services, addresses, exports, mounts), then the asset, then what is this
node's own again (name, files): the other node need not wait for the latter. ssh answers with the node's own keys from
when the addresses are gone: the server's reload takes its time beside the asset's steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tanist.model.asset_steps import MountBeside
from tanist.model.dataclasses import replace
from tanist.model.definition import SavedCommand
from tanist.model.layer_steps import LAYER_STEPS, LayerStep, PromoteReplica
from tanist.model.steps import (
    AddAddress,
    ArmCron,
    BindMount,
    CoverSshKeys,
    FeedCommand,
    HoldClaim,
    KeepNfsState,
    MapTree,
    MountHidden,
    MountTree,
    MountUnmapped,
    Plan,
    PlannedStep,
    PutPath,
    Reserve,
    RunCommands,
    SaveCapture,
    ServeAlias,
    ServeNfs,
    SetHostname,
    StartService,
    StepSpec,
    TakeLease,
    WriteExports,
)
from tanist.plan import places
from tanist.plan.layers import describe_down, stays

Kinds = tuple[type, ...]
BEFORE: Kinds = (ArmCron, StartService, ServeAlias, AddAddress)
MOUNTS: Kinds = (ServeNfs, WriteExports, KeepNfsState, MountUnmapped, BindMount)
LAYERS: Kinds = (*LAYER_STEPS, Reserve)
ASSET: Kinds = (HoldClaim, MountHidden, MountTree, MapTree, *LAYERS, TakeLease)
KEYS: Kinds = (CoverSshKeys,)
AFTER: Kinds = (SetHostname, FeedCommand, PutPath)


def build_release(
    in_force: tuple[PlannedStep, ...], epoch: int, run: str, commands: tuple[SavedCommand, ...] = ()
) -> Plan:
    """`in_force`: the steps of the run that made this node active, in their order. `commands`: whose output the last
    capture is to have: of those that need a service before it stops, but after those that were started later."""
    steps = list(_save_outputs(commands, in_force))
    for kinds in (KEYS, MOUNTS):
        steps += [_reversed(step) for step in reversed(in_force) if isinstance(step.spec, kinds)]
    steps += _running(tuple(one for one in commands if one.when != "running"), "now that the services have stopped")
    steps.append(
        PlannedStep(
            id="",
            says="a last capture, now that the services have stopped",
            direction="apply",
            spec=SaveCapture(epoch=epoch, run=run, parked=parked_entries(in_force)),
        )
    )
    for kinds in (ASSET, AFTER):
        steps += [_reversed(step, run) for step in reversed(in_force) if _is_among(step, kinds)]
    steps += [_reversed(step) for armed in in_force for step in _own_entries(armed)]
    return Plan(title="release: the owner stops and lets the asset go", steps=numbered("release", steps))


def _save_outputs(commands: tuple[SavedCommand, ...], in_force: tuple[PlannedStep, ...]) -> Iterator[PlannedStep]:
    """The services stop, and what talks to one of them is run before that one does."""
    units = [step.spec.unit for step in in_force if isinstance(step.spec, StartService)]
    left = [one for one in commands if one.when == "running"]
    if not units or any(one.service and one.service not in units for one in left):
        yield from _running(tuple(left), "while the services run")
        left = []
    for step in reversed(in_force):
        if isinstance(step.spec, StartService):
            yield from _running(talking_to(left, step.spec.unit, units[-1]), f"while {step.spec.unit} runs")
        if isinstance(step.spec, BEFORE):
            yield _reversed(_parked_only(step))


def talking_to(commands: Iterable[SavedCommand], unit: str, last: str) -> tuple[SavedCommand, ...]:
    """The commands that are to be run while that service is the last one that is up."""
    return tuple(one for one in commands if one.when == "running" and (one.service or last) == unit)


def _running(commands: tuple[SavedCommand, ...], moment: str) -> Iterator[PlannedStep]:
    if commands:
        says = f"save the output of {', '.join(one.name for one in commands)}, {moment}"
        yield PlannedStep(id="", says=says, direction="apply", spec=RunCommands(commands=commands))


def _is_among(step: PlannedStep, kinds: Kinds) -> bool:
    """What was given to a program that needs the controller's services is not taken back where these are away; a
    log-in that stays is not in the way of anybody."""
    if isinstance(step.spec, FeedCommand) and step.spec.command.when == "running":
        return False
    if stays(step.spec):
        return False
    return isinstance(step.spec, kinds)


def parked_entries(in_force: tuple[PlannedStep, ...]) -> tuple[tuple[str, str], ...]:
    """The controller's cron entries, and where they lie while cron must not see them."""
    arms = [step.spec for step in in_force if isinstance(step.spec, ArmCron)]
    return tuple((path, places.parked_path(one.parked, path)) for one in arms for path in one.paths)


def build_give_back(in_force: tuple[PlannedStep, ...]) -> Plan:
    """For a node that lost the controller without releasing it: only what outlived the boot, its replaced files."""
    steps = [_reversed(step) for step in reversed(in_force) if _is_among(step, (ArmCron, FeedCommand, PutPath))]
    return Plan(title="give back: this node's own files return", steps=numbered("give-back", steps))


def build_loss(in_force: tuple[PlannedStep, ...]) -> Plan:
    """For a node that finds out, while it is up, that it lost the controller: everything back, but neither capture nor
    claim, which are the next owner's."""
    steps: list[PlannedStep] = []
    for kinds in (BEFORE, MOUNTS, (MountHidden, MountTree, MapTree), (PromoteReplica,), (TakeLease,), KEYS, AFTER):
        steps += [_reversed(step) for step in reversed(in_force) if _is_among(step, kinds)]
    title = "lost: everything of the controller is taken down, this node's own returns"
    return Plan(title=title, steps=numbered("loss", steps))


def numbered(part: str, steps: Iterable[PlannedStep]) -> tuple[PlannedStep, ...]:
    return tuple(replace(step, id=f"{part}.{n}") for n, step in enumerate(steps, start=1))


def letting_go(plan: Plan) -> PlannedStep | None:
    """The step after which the other node may take the asset."""
    found = [step for step in plan.steps if step.direction == "undo" and isinstance(step.spec, ASSET)]
    return found[-1] if found else None


def _parked_only(step: PlannedStep) -> PlannedStep:
    """Cron need only let go of the entries in force before the services stop; the node's own ones have time."""
    return replace(step, spec=replace(step.spec, own="")) if isinstance(step.spec, ArmCron) else step


def _own_entries(step: PlannedStep) -> tuple[PlannedStep, ...]:
    if not isinstance(step.spec, ArmCron) or not step.spec.own:
        return ()
    puts = (PutPath(path=path, store=step.spec.store, own=step.spec.own) for path in step.spec.paths)
    return tuple(replace(step, spec=put) for put in puts)


def _reversed(step: PlannedStep, run: str = "") -> PlannedStep:
    spec = step.spec
    if isinstance(spec, HoldClaim) and run:
        spec = replace(spec, run=run)
    if isinstance(spec, Reserve):
        spec = replace(spec, keep=False)
    return replace(step, direction="undo", says=describe_undo(spec), spec=spec)


def describe_undo(spec: StepSpec) -> str:
    if isinstance(spec, LayerStep):
        return describe_down(spec)
    match spec:
        case ArmCron(paths=paths):
            return f"disarm cron: {', '.join(paths)}"
        case StartService(unit=unit):
            return f"stop {unit}"
        case ServeAlias():
            return "stop ssh on the service addresses"
        case AddAddress(address=address):
            return f"remove {address.address}/{address.prefix} from {address.interface}"
        case ServeNfs():
            return "stop the NFS server"
        case KeepNfsState():
            return "have this node's own record of NFS clients again"
        case WriteExports():
            return "withdraw the NFS exports"
        case MountTree(target=target, hidden=hidden) if hidden:
            return f"unmount {target}; only root sees the asset, at {hidden}"
        case (
            MountUnmapped(target=target)
            | BindMount(target=target)
            | MountTree(target=target)
            | MountHidden(target=target)
            | MountBeside(target=target)
        ):
            return f"unmount {target}"
        case Reserve(node=node, devices=devices):
            return f"take {node}'s key off {', '.join(devices)}"
        case MapTree(target=target):
            return f"take the id map off {target}"
        case HoldClaim(controller=controller, epoch=epoch):
            return f"write the claim: {controller} released, epoch {epoch}"
        case TakeLease(controller=controller):
            return f"give back the lease of {controller}"
        case CoverSshKeys():
            return "answer ssh with this node's own host keys"
        case SetHostname(own=own):
            return f"be {own} again"
        case FeedCommand(command=command):
            return f"give {command.restore[0]} back what this node had before ({command.name})"
        case PutPath(path=path):
            return f"put back this node's own {path}"
        case _:
            return type(spec).__name__
