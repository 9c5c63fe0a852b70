"""Release: the owner stops, lets the asset go and is itself again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tanist.capture.habackup import capture
from tanist.engine import Event, StepFailure
from tanist.facts.node import read_node_facts
from tanist.facts.storage import read_claim_offline
from tanist.journal.journal import Journal
from tanist.journal.state import RunState, read_run
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed, Refused, TanistError
from tanist.model.run import PlanMade
from tanist.model.steps import MapTree, MountHidden, MountTree
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.plan.release import build_release, letting_go
from tanist.runs.filing import begin_run, finish, refuse_open_run
from tanist.runs.mirroring import mirror_to_peers
from tanist.runs.seen import note_claim, note_claim_on_disk
from tanist.runs.session import (
    Session,
    clear_active,
    exclusive,
    load_run,
    read_active,
)
from tanist.runs.takeover import verify
from tanist.steps.storage import mounted_at

Hold = Literal["here", "away", "let-go", "lost"]


def release(session: Session, reason: str = "", on_let_go: Callable[[], None] = lambda: None) -> None:
    """`on_let_go` is called as soon as the other node may take the asset, before this node is wholly itself again."""
    with exclusive(session, "release"):
        refuse_open_run(session)
        active = read_active(session)
        if not active:
            raise Refused(f"{session.node} is not the active node of {session.name}: there is nothing to release")
        in_force = load_run(session, active)
        capture_before(session, in_force)
        epoch = in_force.started.epoch
        _, journal = begin_run(session, "release", epoch=epoch, reason=reason, in_force=active)
        drive_release(session, journal, on_let_go)


def capture_before(session: Session, in_force: RunState) -> None:
    """Habackup first, if it can (A32, A40): while the services still run, so that the last one has little to do."""
    try:
        facts = read_node_facts(session.host, session.controller, session.node)
        epoch = in_force.started.epoch
        capture(session.host, session.controller, session.node, epoch=epoch, run=in_force.started.run, facts=facts)
        mirror_to_peers(session, ask_again=False)  # an ssh call would double its time
        note_claim(session)
    except (OSError, TanistError) as error:
        session.note(f"warning: no capture before the release: {error}")


def drive_release(session: Session, journal: Journal, on_let_go: Callable[[], None] = lambda: None) -> None:
    """The release from wherever its journal stands. Before the asset is let go a failure is undone: the controller
    comes up again here. Afterwards there is only forward."""
    begun = session.host.monotonic()
    watching = replace(session, report=_watch(session, journal, on_let_go))
    engine = watching.engine(journal)
    started = engine.state.started
    in_force = load_run(session, started.in_force)
    try:
        engine.execute(
            "release",
            lambda: PlanMade(
                part="release",
                plan=build_release(in_force.steps, started.epoch, started.run),
            ),
        )
        verify(session, engine)
    except StepFailure as failure:
        if read_hold(session, journal) != "here":
            raise
        session.note("the asset was not let go: bringing the controller up again")
        engine.undo()
        finish(session, journal, f"undone: {failure.message}", outcome="undone")
        raise Failed(
            f"{failure.message}. The release was undone: {session.node} is still the active node",
            node=session.node,
            next_step=f"mend it, then: tanist release {session.name}",
        ) from failure
    clear_active(session)
    note_claim_on_disk(session)
    finish(session, journal, f"{session.node} released {session.name}, epoch {started.epoch}", begun)


def has_let_go(session: Session, state: RunState) -> bool:
    """True from the step on that lets the asset go. Killed within it, the host tells whether it came to pass."""
    for part in state.parts.values():
        last = letting_go(part.plan)
        if last is None or state.status[last.id] == "planned":
            continue
        if state.status[last.id] == "done" or not isinstance(last.spec, (MountHidden, MountTree, MapTree)):
            return state.status[last.id] == "done"
        return mounted_at(session.host, last.spec.target) is None
    return False


def read_hold(session: Session, journal: Journal) -> Hold:
    """What this node still has of the asset, asked of the host and of the disk, not of the journal alone.

    here: all of it, so that the release can go on or be taken back. away: the claim, but a boot took down the rest.
    let-go: nothing, or nothing that may be brought up again: there is only forward. lost: nothing, another node has
    taken it since, and only this node's own files are left to be given back.
    """
    state, controller = read_run(journal.records), session.controller
    if has_let_go(session, state):
        return "let-go"
    claim = read_claim_offline(session.host, controller.asset, controller.tree)
    spots = (controller.tree, places.hidden(controller.name))
    mounted = controller.asset.kind == "directory" or any(mounted_at(session.host, one) is not None for one in spots)
    here = mounted and journal.records[0].boot == session.host.boot_id()
    if isinstance(claim, Unread):
        if here:
            return "here"
        raise Refused(f"the tree is not here, and the claim on the asset can't be read: {claim.why}")
    if (claim.node, claim.epoch) != (session.node, state.started.epoch):
        return "let-go" if here else "lost"
    if claim.state == "released" and not here:
        return "let-go"
    return "here" if here else "away"


def _watch(session: Session, journal: Journal, on_let_go: Callable[[], None]) -> Callable[[Event], None]:
    def report(event: Event) -> None:
        session.report(event)
        if event.kind == "done" and event.step is not None:
            parts = read_run(journal.records).parts
            if any(letting_go(part.plan) == event.step for part in parts.values()):
                _tell(session, on_let_go)

    return report


def _tell(session: Session, on_let_go: Callable[[], None]) -> None:
    """Whoever waits for the asset may be gone by now; this node must become itself again all the same."""
    try:
        on_let_go()
    except OSError as error:
        session.note(f"warning: the other node could not be told that the asset is free: {error}")
