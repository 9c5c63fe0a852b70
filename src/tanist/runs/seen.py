"""The claim that this node saw last: for people, when the asset is elsewhere; never evidence."""

from __future__ import annotations

import json

from tanist.model.claim import Claim
from tanist.model.codec import encode
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs.session import Session


def note_claim(session: Session) -> None:
    """Remember the claim that was seen last: `tanist status` tells it when the asset is elsewhere."""
    from tanist.facts.storage import load_claim_here  # a node that only gives its word reads no claim

    claim = load_claim_here(session.host, session.controller.asset, session.controller.tree)
    if not isinstance(claim, Unread):
        save_claim_seen(session, claim)


def note_claim_on_disk(session: Session) -> None:
    """The same where the asset was let go: what the disk says now, the next owner's claim perhaps."""
    from tanist.facts.storage import read_claim_offline

    claim = read_claim_offline(session.host, session.controller.asset, session.controller.tree)
    if not isinstance(claim, Unread):
        save_claim_seen(session, claim)


def save_claim_seen(session: Session, claim: Claim) -> None:
    """A full disk costs this memory, not the run that came so far."""
    text = json.dumps(encode(claim), indent=1).encode() + b"\n"
    path = places.claim_seen(session.name)
    try:
        session.host.files.write(path, text)
    except OSError as error:
        session.note(f"warning: {path} can't be written, so the claim is not remembered: {error.strerror or error}")


def read_epoch_seen(session: Session) -> int:
    """0 where none was seen yet."""
    try:
        return int(json.loads(session.host.files.read(places.claim_seen(session.name)))["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
