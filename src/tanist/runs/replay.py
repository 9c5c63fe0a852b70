"""What a mount did about a file system that was not unmounted: told to the person who takes it over. Only looks."""

from __future__ import annotations

from tanist.facts.kernellog import read_mount_log
from tanist.journal.state import RunState
from tanist.model.unread import Unread
from tanist.runs.session import Session


def was_dirty(state: RunState) -> bool:
    """By the look that the run began with: its mount, still to come, replays a journal. A check tells it itself."""
    seen = (item for item in state.started.evidence if item.source == "storage")
    return (
        not state.started.check
        and "acquire" not in state.parts
        and any(item.detail.startswith("dirty") for item in seen)
    )


def tell_replay(session: Session) -> None:
    device = session.controller.asset.device
    said = read_mount_log(session.host, device)
    if isinstance(said, Unread):
        session.note(f"{device} was not unmounted by its last user; what its journal held is not told here: {said.why}")
    elif said:
        session.note(f"{device} was not unmounted by its last user; the kernel, as it mounted it: {'; '.join(said)}")
