"""Runs in a machine, with tanist's own environment: one move of the asset, by the facts and steps that a takeover uses.

Usage: on_machine.py DEFINITION state|layers|claim|look|acquire|release|mark|raise NODE EPOCH, acquire PROOF,
seconds acquire|force|release|COMMANDS. Prints JSON; refused: why, status 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tanist.definition.load import load_controller
from tanist.facts.layers import read_layers
from tanist.facts.storage import read_claim_offline, read_marks
from tanist.host.host import Host
from tanist.host.local import LocalHost
from tanist.journal.claimfile import create_claim
from tanist.model.claim import Claim
from tanist.model.codec import encode
from tanist.model.dataclasses import replace
from tanist.model.definition import Controller
from tanist.model.errors import Failed, TanistError
from tanist.model.layer_steps import AttachDisk
from tanist.model.steps import FreeMmp, MountTree, StepSpec
from tanist.model.storage import StorageMarks
from tanist.plan.layers import build_layers, stays
from tanist.steps.claim import save_beside, write_claim
from tanist.steps.context import Context
from tanist.steps.registry import handler_for


def asset_steps(controller: Controller) -> list[StepSpec]:
    asset = controller.asset
    mount = MountTree(
        device=asset.device, target=controller.tree, fstype=asset.fstype, options=asset.mount_options, idmap=None
    )
    return [*(spec for _, spec in build_layers(asset)), mount]


def forced_steps(controller: Controller, host: Host) -> list[StepSpec]:
    """As after a strong proof that the old owner is stopped."""
    *_, mount = asset_steps(controller)
    built = [spec for _, spec in build_layers(controller.asset, alone=True)]
    steps = [replace(one, proof="its power is off") if isinstance(one, AttachDisk) else one for one in built]
    marks = read_marks(host, controller.asset, watch_seconds=0)
    guarded = isinstance(marks, StorageMarks) and marks.mmp is not None
    guard = [FreeMmp(device=controller.asset.device)] if guarded else []
    return [*steps, *guard, mount]


def apply(steps: Iterable[StepSpec], context: Context) -> None:
    for spec in steps:
        handler_for(type(spec)).apply(spec, context)


def undo(steps: Sequence[StepSpec], context: Context) -> None:
    for spec in reversed([spec for spec in steps if not stays(spec)]):
        handler_for(type(spec)).undo(spec, context)


def measure(context: Context, what: str) -> float:
    """Seconds of a move by tanist's steps, or of a person's commands."""
    controller = context.controller
    forced = forced_steps(controller, context.host) if what == "force" else []
    begun = context.host.monotonic()
    match what:
        case "acquire":
            apply(asset_steps(controller), context)
        case "force":
            apply(forced, context)
        case "release":
            undo(asset_steps(controller), context)
        case commands:
            done = subprocess.run(
                ["sh", "-ec", commands], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
            if done.returncode != 0:
                raise Failed(done.stdout.decode())
    return round(context.host.monotonic() - begun, 3)


def main(path: str, verb: str, node: str = "", epoch: str = "1") -> object:
    host = LocalHost()
    controller = load_controller(Path(path).read_bytes(), path)
    context = Context(host=host, controller=controller, node=node)
    steps = asset_steps(controller)
    if verb == "acquire" and node:  # the proof that the old owner is stopped
        steps = [replace(spec, proof=node) if isinstance(spec, AttachDisk) else spec for spec in steps]
    claim = Claim(controller=controller.name, node=node, epoch=int(epoch), state="held", since="2026-01-01", run="r")
    match verb:
        case "state":
            return encode(read_marks(host, controller.asset, watch_seconds=3))
        case "layers":
            return encode(read_layers(host, controller.asset))
        case "claim":
            return encode(read_claim_offline(host, controller.asset))
        case "mark":
            create_claim(host, controller.tree, claim)
            save_beside(context, claim)
        case "raise":
            write_claim(context, claim)
        case "acquire":
            apply(steps, context)
        case "release":
            undo(steps, context)
        case "seconds":
            return measure(context, node)
    shown = (spec for spec in steps if not stays(spec))
    return [bool(looks(spec, context)) for spec in shown if (looks := handler_for(type(spec)).is_applied)]


if __name__ == "__main__":
    try:
        print(json.dumps(main(*sys.argv[1:])))
    except (TanistError, OSError) as error:
        print(error)
        sys.exit(1)
