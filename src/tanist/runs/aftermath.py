"""What follows a run that succeeded and must never spoil it: a fresh capture, the mirror, the claim for people."""

from __future__ import annotations

from tanist.capture.habackup import capture
from tanist.facts.node import read_node_facts
from tanist.journal.state import RunState
from tanist.model.errors import TanistError
from tanist.model.evidence import Says
from tanist.runs.commands import runnable
from tanist.runs.glance import note_captured, read_fingerprint
from tanist.runs.mirroring import mirror_to_peers
from tanist.runs.seen import note_claim
from tanist.runs.session import Session


def after_becoming_active(session: Session, state: RunState) -> None:
    """A capture by the new owner, so that a way home finds this node's account numbers (A67). It is mirrored to the
    nodes that answered when the run began; the others get it with the next hourly capture."""
    epoch, run = state.started.epoch, state.started.run
    reachable = {one.about for one in state.started.evidence if one.source == "peer" and one.says is Says.INACTIVE}
    try:
        note_claim(session)
        before = read_fingerprint(session.host.files, session.controller.own_paths)
        facts = read_node_facts(session.host, session.controller, session.node)
        # after a takeover, what the commands say is what they were given
        commands = runnable(session) if state.started.kind == "init" else ()
        made = capture(
            session.host, session.controller, session.node, epoch=epoch, run=run, facts=facts, commands=commands
        )
        note_captured(session, made.name, before)
        session.note(f"captured: {made.name}")
        mirror_to_peers(session, reachable)
    except (OSError, TanistError) as error:
        session.note(f"warning: the first capture of the new owner failed: {error}; later: habackup {session.name}")
