"""A disk that a program attaches to one node at a time: brought here before the claim on it can be read.

One that no node has is attached at once, and detached again where the takeover is refused. One that another node has
is taken away from it only once a verdict of PROVED, from everything else that can be seen, says that it is stopped.
"""

from __future__ import annotations

import json

from tanist.facts.program import Answer, read_answer
from tanist.facts.storage import ClaimSeen, read_claim_seen
from tanist.model.claim import Claim
from tanist.model.codec import decode
from tanist.model.errors import Failed
from tanist.model.layer_steps import AttachDisk
from tanist.model.layers import ProgramLayer
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.plan.layers import build_attach
from tanist.runs.session import Session
from tanist.steps.program import apply_attach_disk, undo_attach_disk


def layers_of(session: Session) -> tuple[ProgramLayer, ...]:
    return tuple(layer for layer in session.controller.asset.layers if isinstance(layer, ProgramLayer))


def read_claim_here(session: Session, proof: str = "") -> ClaimSeen | Unread:
    """The claim on the asset, whose disks are attached where they may be: see attach()."""
    attach(session, proof)
    asset = session.controller.asset
    return read_claim_seen(session.host, asset, session.controller.tree)


def attach(session: Session, proof: str = "") -> tuple[AttachDisk, ...]:
    """Disks that no node has; with `proof`, that their owner is stopped, those of another node as well."""
    done = []
    for layer in layers_of(session):
        seen, spec = read_answer(session.host, layer), build_attach(layer, proof)
        if isinstance(seen, Answer) and (seen.where == "free" or (seen.where == "elsewhere" and proof)):
            apply_attach_disk(spec, session.context)
            done.append(spec)
            session.note(f"{layer.device} was attached to {seen.holder or 'no node'}, and is attached to this node now")
    return tuple(done)


def detach(session: Session, done: tuple[AttachDisk, ...]) -> None:
    """Nothing stays changed by a look; where it can't be undone it is said."""
    for spec in reversed(done):
        try:
            undo_attach_disk(spec, session.context)
            session.note(f"{spec.device} is attached to no node again")
        except (Failed, OSError) as error:
            session.note(f"warning: {spec.device} stays attached to this node: {error}")


def describe_held(session: Session) -> str:
    """The disks that another node has; "" where none is known to be."""
    answers = ((layer, read_answer(session.host, layer)) for layer in layers_of(session))
    held = (
        seen.describe(layer.device) for layer, seen in answers if isinstance(seen, Answer) if seen.where == "elsewhere"
    )
    return "; ".join(held)


def can_come(session: Session) -> bool:
    """Whether all that keeps the asset from being read is that its disks are not attached here yet."""
    answers = [read_answer(session.host, layer) for layer in layers_of(session)]
    return bool(answers) and all(isinstance(one, Answer) and one.where in ("free", "elsewhere") for one in answers)


def load_claim_seen(session: Session) -> Claim | None:
    """The claim that this node saw last; None where none was."""
    try:
        return decode(Claim, json.loads(session.host.files.read(places.claim_seen(session.name))))
    except (OSError, ValueError, KeyError, TypeError):
        return None
