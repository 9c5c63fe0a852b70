"""What `tanist proofs` found last, kept for readiness: asking a power switch takes seconds, a check must not."""

from __future__ import annotations

from tanist.model.readout import Proofs
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs.finding import Finding
from tanist.runs.keeping import keep, load_kept
from tanist.runs.proofs import Survey
from tanist.runs.session import Session


def save_proofs(session: Session, survey: Survey) -> None:
    keep(session, places.proofs(session.name), "proofs", summarize(survey, session.host.now()))


def read_proofs(session: Session) -> Proofs | Unread:
    found = load_kept(session, places.proofs(session.name), "proofs", Proofs, "what was found last")
    return Unread(f"nobody looked on {session.node} yet") if found is None else found


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
