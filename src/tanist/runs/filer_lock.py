"""The owner's lock on its filer: held by the watch while this node is active, a sign of life for whoever looks.

Each act is done by a thread that may hang as long as the filer does; the next one waits for it, and nobody else does.
It is let go before anything unmounts the tree: an open file keeps it busy. Whether it is held decides nothing here: the
claim says who owns the tree.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tanist.model.exports import LOCK
from tanist.model.unread import Unread
from tanist.proof.looks import Looks
from tanist.steps.storage import mounted_at

if TYPE_CHECKING:
    from tanist.host.host import Record
    from tanist.runs.hold import Held
    from tanist.runs.session import Session

RENEW = 10.0  # seconds between two notes, by which a lock that was lost is found
AGAIN = 5.0  # seconds between two tries to have it
PATIENCE = 5.0  # seconds that letting go is waited for


class LockKeeper:
    def __init__(self) -> None:
        self._record: Record | None = None
        self._looks: Looks | None = None
        self._done: float | None = None  # when the last act began
        self._said = ""

    def keep(self, session: Session, held: Held | None) -> None:
        """Called in each round; never waits. Held while this node is active and no run is at work."""
        if session.controller.asset.kind != "nfs" or self._is_at_work(session):
            return
        if held is None or held.unfinished or mounted_at(session.host, session.controller.tree) is None:
            if self._record is not None:
                self._begin(session, self._close)
        elif self._record is None and self._is_due(session, AGAIN):
            self._begin(session, partial(self._take, session))
        elif self._record is not None and self._is_due(session, RENEW):
            self._begin(session, partial(self._renew, session))

    def let_go(self, session: Session) -> None:
        """Before the tree is taken down by this process itself."""
        if self._looks is not None:
            self._looks.wait(["lock"], PATIENCE)
        if self._record is not None and not self._is_at_work(session):
            self._begin(session, self._close).wait(["lock"], PATIENCE)

    def _begin(self, session: Session, act: Callable[[], str]) -> Looks:
        self._looks, self._done = Looks(session.host), session.host.monotonic()
        self._looks.begin("lock", act)
        return self._looks

    def _is_at_work(self, session: Session) -> bool:
        """What came of the last act is told once."""
        if self._looks is None:
            return False
        if not self._looks.is_done("lock"):
            return True
        found = self._looks.result("lock", str)
        text = f"the owner's lock on the filer: {found.why}" if isinstance(found, Unread) else found
        if text != self._said:
            session.note(text or "this node has the owner's lock on the filer")
        self._looks, self._said = None, text
        return False

    def _is_due(self, session: Session, every: float) -> bool:
        return self._done is None or session.host.monotonic() - self._done >= every

    def _take(self, session: Session) -> str:
        path = f"{session.controller.tree}/{LOCK}"
        self._record = session.host.hold_record(path, note_of(session))
        if self._record is None:
            return "the owner's lock on the filer is held by somebody else; a dead node's runs out after a while"
        return ""

    def _renew(self, session: Session) -> str:
        if self._record is not None:
            try:
                self._record.renew(note_of(session))
            except OSError:
                self._close()
                raise
        return ""

    def _close(self) -> str:
        record, self._record = self._record, None
        if record is not None:
            record.close()
        return ""


def note_of(session: Session) -> bytes:
    """Who has it, in which boot (facts/exports.py reads it)."""
    return f"{session.node} {session.host.boot_id()}".encode()
