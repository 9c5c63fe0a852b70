"""tanist storage check NAME: a close look at this node's storage, then what both nodes make of it.

The other node's part is what it tells now of its own last close look, or what is remembered of it when it is dead.
"""

from __future__ import annotations

from tanist.model.dataclasses import replace
from tanist.model.readiness import Assessment
from tanist.parity.kinds import STORAGE
from tanist.runs.check import check
from tanist.runs.measured import look
from tanist.runs.session import Session


def check_storage(session: Session, *, measuring: bool | None) -> tuple[Assessment, ...]:
    measured = look(session, measuring=measuring)
    if measuring and measured.skipped:
        session.note(f"not measured: {measured.skipped}")
    return tell_storage(session)


def tell_storage(session: Session) -> tuple[Assessment, ...]:
    """Without a closer look than `tanist check` takes."""
    return tuple(
        replace(one, found=tuple(item for item in one.found if item.kind in STORAGE)) for one in check(session)
    )
