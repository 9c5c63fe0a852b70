"""Pieces of evidence and policies, as the tests of the verdict put them together."""

from __future__ import annotations

from tanist.model.evidence import Evidence, Says, Source
from tanist.proof.decide import PERSON, Policy

ME = "ec-b"
SEEN = 10.0  # when whatever is seen is seen, in the table
LIFE = (Says.ACTIVE, Says.ALIVE)
POLICIES: tuple[Policy, ...] = (
    PERSON,
    (("power",),),
    (("reservation",), ("power", "attestation")),
    (("power", "reservation"),),
    (("lease",), ("lease", "attestation")),
)


def item(source: Source, about: str, says: Says, at: float = SEEN) -> Evidence:
    return Evidence(source=source, about=about, says=says, detail=f"{source} of {about} says {says.value}", at=at)


HELD = item("claim", "ec-a", Says.HELD)
ATTESTED = item("attestation", "ann", Says.ATTESTED)
SILENT_A = item("management-address", "ec-a", Says.SILENT)
SILENT_C = item("management-address", "ec-c", Says.SILENT)
SILENT_SERVICE = item("service-address", "10.88.0.50", Says.SILENT)
