"""Whether what lies on the asset is behind what this node knows of it. Only looks.

A leg that its mirror left behind, a snapshot, an image that was put back: each looks as whole as the newest. What this
node remembers (the claim that it saw last, the captures that came to it from the asset) is no evidence about the owner,
but it says that there was more. Then nothing is taken: who owns what came later is not known, and it would be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.capture.generations import GenerationInfo, list_generations
from tanist.model.claim import Claim
from tanist.model.errors import Refused
from tanist.model.layers import MdLayer
from tanist.plan import places
from tanist.runs.seen import read_epoch_seen

if TYPE_CHECKING:
    from tanist.runs.session import Session

OLDER = "the data on it are older: a leg that its mirror left behind, a snapshot, an image that was put back"


def refuse_older_claim(session: Session, claim: Claim) -> None:
    """A directory is each node's own, and a replicated copy says itself that it lags (facts/storage.py)."""
    asset, seen = session.controller.asset, read_epoch_seen(session)
    if asset.kind == "directory" or asset.replicated is not None or claim.epoch >= seen:
        return
    path = places.claim_seen(session.name)
    raise Refused(
        f"the claim on the asset is {claim.describe()}, and {session.node} has seen epoch {seen}: {OLDER}",
        next_step=f"find the disk that has epoch {seen}; if it is gone for good and this is all that is left: "
        f"mv {path} {path}.gone, then the same again",
    )


def refuse_older_captures(session: Session, directory: str) -> None:
    """`directory`: where the asset has its captures, whose newest one must be as new as the newest that came here."""
    seen = read_epoch_seen(session)
    here = [one for one in list_generations(session.host, places.mirror(session.name)) if one.epoch <= seen]
    there = list_generations(session.host, directory)[:1]
    if not here or (there and order(there[0]) >= order(here[0])):
        return
    has = f"the newest capture on the asset is {there[0].name}" if there else "the asset has no capture"
    raise Refused(
        f"{has}, and {here[0].name} came from it to {session.node}: {OLDER}",
        next_step=f"find the disk that has it; if it is gone for good and this is all that is left: "
        f"tanist takeover {session.name} --capture {there[0].name if there else 'GEN'}",
    )


def order(one: GenerationInfo) -> tuple[int, str]:
    return one.epoch, one.created


def tell_missing_legs(session: Session) -> None:
    """A mirror with a dead leg is taken; what that may cost is said before."""
    for layer in session.controller.asset.layers:
        if isinstance(layer, MdLayer):
            from tanist.facts.md import describe_missing  # few assets need it

            if missing := describe_missing(session.host, layer):
                session.note(f"warning: {missing}")
