"""What `tanist proofs` found last, kept for readiness: asking a power switch takes seconds, a check must not."""

from __future__ import annotations

import json

from tanist.model.codec import decode, encode
from tanist.model.errors import TanistError
from tanist.model.readout import Proofs
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs.finding import Finding
from tanist.runs.proofs import Survey
from tanist.runs.session import Session

FORMAT = 1


def save_proofs(session: Session, survey: Survey) -> None:
    """A disk that is full must not spoil the look: it is said instead."""
    body = {"format": FORMAT, "proofs": encode(summarize(survey, session.host.now()))}
    try:
        session.host.files.make_directory(f"{places.STATE}/{session.name}", 0o700)
        session.host.files.write(places.proofs(session.name), json.dumps(body).encode() + b"\n", 0o600)
    except (OSError, TanistError) as error:
        session.note(f"warning: what was found could not be kept: {error}")


def read_proofs(session: Session) -> Proofs | Unread:
    try:
        body = json.loads(session.host.files.read(places.proofs(session.name), 1 << 20))
        if body["format"] != FORMAT:
            raise ValueError("unknown format")
        return decode(Proofs, body["proofs"], "proofs")
    except FileNotFoundError:
        return Unread(f"nobody looked on {session.node} yet")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Unread(f"what was found last can't be read: {error}")


def summarize(survey: Survey, now: float) -> Proofs:
    others = [one for one in survey.findings if one.about != survey.node]
    guard = next((one for one in others if one.engine == "mount guard" and one.mend), None)
    strong = [one for one in others if one.engine not in ("mount guard", "word", "attestation")]
    ready = {one.engine for one in others if one.state == "ready"} | {"attestation"}  # a person is always to be had
    return Proofs(
        at=now,
        works=tuple(_name(one) for one in strong if one.state == "ready"),
        lacking=survey.lacking,
        broken=tuple(f"{_name(one)} does not answer: {one.detail}" for one in strong if one.state == "fails"),
        enough=any(set(names) <= ready for names in survey.policy),
        guard=f"{guard.about}: {guard.detail}" if guard else "",
        guard_mend=guard.mend if guard else "",
    )


def _name(one: Finding) -> str:
    return f"{one.engine} of {one.about}"
