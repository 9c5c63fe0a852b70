"""One proof engine as it was found, for one node or device."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller, ProofName

State = Literal["ready", "fails", "not set up"]
STRENGTH = {
    "power": "strong: a node without power does nothing, whichever way it hung; machines of metal and guests alike",
    "reservation": "strong for the data: the old owner's next write fails, whichever way it hung; its addresses need "
    "silence and its own gate; machines of metal and guests alike",
    "lease": "strong on metal with a watchdog; never for a guest, whose hypervisor can stop its clock",
    "mount guard": "no proof: keeps two nodes from mounting at once, does not stop one that comes back",
    "word": "as good as the node's own look at itself; one that hangs gives none",
    "attestation": "no proof: you are believed, where every address of the old owner is silent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    engine: str
    about: str
    state: State
    detail: str
    seconds: float | None = None  # measured now
    at_most: float | None = None  # seconds that proving it takes at most
    suffices: str = ""  # the sets of the policy that it is part of, "" for none
    mend: str = ""  # what to type or to define
    alone: bool = True  # it counts without another proof beside it

    @property
    def strength(self) -> str:
        return STRENGTH[self.engine]


def sets_with(controller: Controller, name: ProofName) -> str:
    """The sets of the policy that it is part of, for people."""
    return ", ".join("+".join(names) for names in controller.proof.suffices if name in names)
