"""The words that a disk's reservation is changed by: register, reserve, preempt, let go. SCSI and NVMe.

Each is one program that is left behind when it does not end in its time: a preempt-and-abort was seen to hang for
minutes. What came of it is never believed from its exit status: whoever calls reads it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tanist.facts.reservation import Ways, ask_disk
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.host import Ran

ILLEGAL, CONFLICT = 5, 24  # exit statuses of sg3_utils(8)
TYPE = 5  # Write Exclusive, registrants only; NVMe has its own number
NVME_TYPE = 3


Outcome = Literal["done", "conflict", "unsupported", "failed"]
SCSI: dict[int, Outcome] = {0: "done", CONFLICT: "conflict", ILLEGAL: "unsupported"}
NVME: dict[str, Outcome] = {"conflict": "conflict", "invalid field": "unsupported", "invalid_field": "unsupported"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """`unsupported`: the disk does not know the word, and did nothing."""

    outcome: Outcome
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One disk as this node reaches it."""

    host: Host
    ways: Ways
    timeout: float  # seconds for each command

    def register(self, key: int) -> Sent:
        """On each path, over whatever key of this node is there; for good, a power failure of the disk included, where
        it can do that."""
        register = self._register_scsi if self.ways.protocol == "scsi" else self._register_nvme
        for path in self.ways.paths:
            sent = register(path, key)
            if sent.outcome != "done":
                return Sent(outcome=sent.outcome, words=f"{path}: {sent.words}")
        return Sent(outcome="done")

    def unregister(self, key: int) -> Sent:
        """On each path. A reservation of this node's ends with it."""
        for path in self.ways.paths:
            if self.ways.protocol == "scsi":
                sent = self._persist("--register-ignore", "--param-sark=0", path)
            else:
                sent = self._nvme("resv-register", path, f"--crkey={key:#x}", "--rrega=1", "--iekey")
            if sent.outcome != "done":
                return Sent(outcome=sent.outcome, words=f"{path}: {sent.words}")
        return Sent(outcome="done")

    def reserve(self, key: int) -> Sent:
        path = self.ways.paths[0]
        if self.ways.protocol == "scsi":
            return self._persist("--reserve", f"--param-rk={key:#x}", f"--prout-type={TYPE}", path)
        return self._nvme("resv-acquire", path, f"--crkey={key:#x}", f"--rtype={NVME_TYPE}", "--racqa=0")

    def preempt(self, key: int, victim: int) -> Sent:
        """The victim's key goes, and what it still has under way is aborted; where the disk can't abort, without."""
        sent = self._preempt(key, victim, abort=True)
        return self._preempt(key, victim, abort=False) if sent.outcome == "unsupported" else sent

    def _preempt(self, key: int, victim: int, *, abort: bool) -> Sent:
        path = self.ways.paths[0]
        if self.ways.protocol == "scsi":
            word = "--preempt-abort" if abort else "--preempt"
            keys = (f"--param-rk={key:#x}", f"--param-sark={victim:#x}")
            return self._persist(word, *keys, f"--prout-type={TYPE}", path)
        keys = (f"--crkey={key:#x}", f"--prkey={victim:#x}")
        return self._nvme("resv-acquire", path, *keys, f"--rtype={NVME_TYPE}", f"--racqa={2 if abort else 1}")

    def _register_scsi(self, path: str, key: int) -> Sent:
        words = ("--register-ignore", f"--param-sark={key:#x}")
        sent = self._persist(*words, "--param-aptpl", path)
        return self._persist(*words, path) if sent.outcome == "unsupported" else sent

    def _register_nvme(self, path: str, key: int) -> Sent:
        """A host that is registered already gets another key by "replace" only."""
        sent = self._nvme("resv-register", path, f"--nrkey={key:#x}", "--rrega=0", "--iekey", "--cptpl=3")
        if sent.outcome == "unsupported":
            sent = self._nvme("resv-register", path, f"--nrkey={key:#x}", "--rrega=0", "--iekey")
        if sent.outcome == "conflict":
            sent = self._nvme("resv-register", path, f"--nrkey={key:#x}", "--rrega=2", "--iekey")
        return sent

    def _persist(self, *words: str) -> Sent:
        ran = ask_disk(self.host, ["sg_persist", "--no-inquiry", "--out", *words], self.timeout)
        if isinstance(ran, Unread):
            return Sent(outcome="failed", words=ran.why)
        return _sent(ran, SCSI.get(ran.status, "failed"))

    def _nvme(self, verb: str, path: str, *words: str) -> Sent:
        ran = ask_disk(self.host, ["nvme", verb, path, *words], self.timeout)
        if isinstance(ran, Unread):
            return Sent(outcome="failed", words=ran.why)
        text = f"{ran.text}{ran.stderr.decode('utf-8', 'replace')}".lower()
        if ran.status == 0:
            return _sent(ran, "done")
        return _sent(ran, next((outcome for word, outcome in NVME.items() if word in text), "failed"))


def _sent(ran: Ran, outcome: Outcome) -> Sent:
    return Sent(outcome=outcome, words="" if outcome == "done" else ran.complaint)
