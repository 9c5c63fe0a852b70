"""Runs in a machine, with tanist's own environment: a pair without a shared disk, by a run's facts, steps and rules.

Usage: on_replica.py DEFINITION NODE VERB [EPOCH]. Prints JSON; refused: why, status 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tanist.definition.load import load_controller
from tanist.facts.drbd import read_readout, read_states
from tanist.facts.storage import read_claim_offline, read_claim_seen, read_marks
from tanist.host.local import LocalHost
from tanist.journal.claimfile import create_claim
from tanist.model.claim import Claim
from tanist.model.codec import encode
from tanist.model.errors import TanistError
from tanist.model.event import Event
from tanist.model.layers import DrbdLayer
from tanist.model.steps import HoldClaim, MountTree, StepSpec
from tanist.plan import places
from tanist.plan.layers import build_layers
from tanist.runs.boot import boot
from tanist.runs.replica import choose_alone
from tanist.runs.session import Session, save_active
from tanist.steps.registry import handler_for


def tell(event: Event) -> None:
    print(event.says)


def steps_of(session: Session, *, alone: bool = False) -> list[StepSpec]:
    asset, tree = session.controller.asset, session.controller.tree
    mount = MountTree(device=asset.device, target=tree, fstype=asset.fstype, options=asset.options, idmap=None)
    return [*(spec for _, spec in build_layers(asset, alone=alone)), mount]


def main(path: str, node: str, verb: str, epoch: str = "1") -> object:
    host = LocalHost()
    controller = load_controller(Path(path).read_bytes(), path)
    session = Session(host=host, controller=controller, node=node, who="somebody", report=tell)
    asset, layer = controller.asset, controller.asset.replicated
    assert isinstance(layer, DrbdLayer)
    match verb:
        case "state":
            return encode(read_marks(host, asset, watch_seconds=0))
        case "claim":
            return encode(read_claim_offline(host, asset))
        case "seen":
            return encode(read_claim_seen(host, asset))
        case "readout":
            return encode(read_readout(host, layer))
        case "settings":
            return [one.wrong for one in read_states(host, layer) if one.wrong]
        case "alone":
            return choose_alone(session, ())
        case "boot":
            host.files.make_directory(f"{places.STATE}/{session.name}", 0o700)
            host.files.make_directory(places.runtime(session.name), 0o700)
            save_active(session, "r", int(epoch))
            return boot(session)
        case "mark":
            held = Claim(controller=controller.name, node=node, epoch=1, state="held", since="2026-01-01", run="r")
            create_claim(host, controller.tree, held)
        case "hold":
            raised = HoldClaim(
                tree=controller.tree, controller="ledger", node=node, epoch=int(epoch), run="r", over=int(epoch) - 1
            )
            handler_for(HoldClaim).apply(raised, session.context)
        case "acquire" | "take":
            for spec in steps_of(session, alone=verb == "take" and choose_alone(session, ())):
                handler_for(type(spec)).apply(spec, session.context)
        case "release":
            for spec in reversed(steps_of(session)):
                handler_for(type(spec)).undo(spec, session.context)
    looks = [(handler_for(type(spec)).is_applied, spec) for spec in steps_of(session)]
    return [bool(look(spec, session.context)) for look, spec in looks if look]


if __name__ == "__main__":
    try:
        print(json.dumps(main(*sys.argv[1:])))
    except (TanistError, OSError) as error:
        print(error, getattr(error, "next_step", ""))
        sys.exit(1)
