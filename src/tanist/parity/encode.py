"""An assessment as JSON (docs/formats.md, "tanist check --json"). Pure."""

from __future__ import annotations

from tanist.model.readiness import Assessment, Found
from tanist.parity.kinds import KINDS


def encode_assessment(one: Assessment) -> dict[str, object]:
    return {
        "controller": one.controller,
        "taker": one.taker,
        "owner": one.owner,
        "owner_seen": one.owner_seen,
        "verdict": one.verdict,
        "loss": one.loss,
        "findings": [encode_found(found) for found in one.found],
    }


def encode_found(found: Found) -> dict[str, object]:
    return {
        "name": found.name,
        "kind": found.kind,
        "subject": found.subject,
        "grade": found.grade,
        "says": found.says,
        "why": KINDS[found.kind].why,
        "mend": found.mend,
        "seen": {one.node: one.what for one in found.seen},
        "accepted": found.accepted,
    }
