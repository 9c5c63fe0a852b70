"""What tanist promises, what was seen of it in this run, and the verdict. What was never looked at is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


class Promise(Enum):
    REFUSED = "without proof that the owner is down, a takeover is refused"
    UNCHANGED = "refused means that nothing was changed"
    TAKEN = "with a person's word, one command brings it up on the other host"
    CLIENTS = "clients come back to the same name and address"
    WRITES = "no acknowledged write is missing"
    KEYS = "the same ssh host keys answer"
    OWNERS = "files belong to the right accounts, by name, whatever their numbers"
    FOREIGN = "root's password, foreign accounts and foreign files stay as they were"
    INERT = "the dead host boots inert, as itself"
    SAYS = "it says who is the owner now"
    HOME = "one command brings it home"
    RESTORED = "the other host is itself again, byte for byte"
    ONE = "never two owners of the service address"
    CLEAN = "nothing is left on this machine"


EACH_TIME = frozenset({Promise.CLIENTS})  # every look is told, not only the last one
# seen once for the pair, not once for each controller
OF_THE_PAIR = frozenset({Promise.UNCHANGED, Promise.FOREIGN, Promise.INERT, Promise.RESTORED, Promise.CLEAN})


@dataclass(frozen=True, slots=True)
class Finding:
    promise: Promise
    subject: str  # the controller, "" for the pair
    text: str
    good: bool
    evidence: Sequence[str] = ()


@dataclass(slots=True)
class Verdict:
    controllers: Sequence[str]
    kept: bool = False  # with --keep nothing is cleaned up, so nothing is promised of it
    seen: list[Finding] = field(default_factory=list)

    def promises(self) -> list[Promise]:
        return [one for one in Promise if not (self.kept and one is Promise.CLEAN)]

    def rows(self) -> list[tuple[str, list[str], bool]]:
        return [self._row(promise) for promise in self.promises()]

    def _row(self, promise: Promise) -> tuple[str, list[str], bool]:
        subjects = [""] if promise in OF_THE_PAIR else list(self.controllers)
        shown = {subject: self._choose(promise, subject) for subject in subjects}
        lines = [self._label(subject) + one.text for subject, found in shown.items() for one in found]
        lines += [one.evidence[0] for found in shown.values() for one in found if not one.good and one.evidence]
        lines += [self._label(subject) + "never came to it" for subject, found in shown.items() if not found]
        return promise.value, lines, all(found and all(one.good for one in found) for found in shown.values())

    def _choose(self, promise: Promise, subject: str) -> list[Finding]:
        """What went wrong, whatever was seen later; else the last look."""
        found = [one for one in self.seen if one.promise is promise and one.subject == subject]
        bad = [one for one in found if not one.good]
        return bad or (found if promise in EACH_TIME else found[-1:])

    def _label(self, subject: str) -> str:
        return f"{subject}: " if subject and len(self.controllers) > 1 else ""

    @property
    def good(self) -> bool:
        return all(good for _, _, good in self.rows())
