"""Release: the owner stops, lets the asset go and is itself again."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from tanist.engine import Event, StepFailure
from tanist.journal.claimfile import load_claim
from tanist.journal.journal import Journal
from tanist.journal.state import RunState, read_run
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed, Refused, TanistError
from tanist.model.run import PlanMade
from tanist.model.steps import AddAddress, HoldClaim, MapTree, MountHidden, MountTree, PlannedStep, Reserve, SaveCapture
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.plan.acquire import build_reserve
from tanist.plan.release import AFTER, ASSET, KEYS, LAYERS, build_loss, build_release, letting_go
from tanist.runs.filing import begin_run, finish, refuse_open_run, verify
from tanist.runs.glance import note_captured, read_fingerprint, seems_captured
from tanist.runs.guard import find_tree
from tanist.runs.inert import say_inert
from tanist.runs.replica import warn_unlinked, why_cut_off
from tanist.runs.seen import note_claim, note_claim_on_disk, read_epoch_seen, save_claim_seen
from tanist.runs.session import (
    Session,
    clear_active,
    load_run,
    owning,
    read_active,
)
from tanist.steps.registry import handler_for
from tanist.steps.storage import mounted_at

if TYPE_CHECKING:
    from tanist.model.facts import NodeFacts

LATER = (
    "tanist.host.mounting",
    "tanist.host.netlink",
    "tanist.facts.node",
    "tanist.runs.history",
)  # what else the later steps import

Hold = Literal["here", "away", "let-go", "lost"]


def release(session: Session, reason: str = "", on_let_go: Callable[[], None] = lambda: None) -> None:
    """`on_let_go` is called as soon as the other node may take the asset, before this node is wholly itself again."""
    with owning(session, "release"):
        refuse_open_run(session)
        active = read_active(session)
        if not active:
            raise Refused(f"{session.node} is not the active node of {session.name}: there is nothing to release")
        in_force = load_run(session, active)
        if not find_tree(session) and (why := why_cut_off(session)):
            stand_back_alone(session, active, in_force, reason or why)
            return
        warn_unlinked(session)
        capture_before(session, in_force)
        epoch = in_force.started.epoch
        _, journal = begin_run(session, "release", epoch=epoch, reason=reason, in_force=active)
        drive_release(session, journal, on_let_go)


def stand_back_alone(session: Session, active: str, in_force: RunState, why: str) -> None:
    """For an ex-owner that a boot brought back beside a copy that follows nobody: its own files return, and it is a
    standby again. No claim is read or written: this copy's may be old."""
    _, journal = begin_run(session, "release", epoch=in_force.started.epoch, reason=why, in_force=active)
    plan = build_loss(in_force.steps)
    session.engine(journal, guarded=False).execute("loss", lambda: PlanMade(part="loss", plan=plan))
    clear_active(session)
    finish(session, journal, f"{session.node} is a standby of {session.name}; its copy was not touched")
    say_inert(session, why)


def capture_before(session: Session, in_force: RunState) -> None:
    """Habackup first, if it can (A32, A40): while the services still run, so that the last one has little to do. Where
    nothing seems to have changed since the last one, that one is it; the last one reads every byte in any case."""
    if seems_captured(session):
        return
    from tanist.capture.habackup import capture
    from tanist.facts.node import read_node_facts
    from tanist.runs.mirroring import mirror_to_peers

    try:
        before = read_fingerprint(session.host.files, session.controller.own_paths)
        facts = read_node_facts(session.host, session.controller, session.node)
        epoch, run = in_force.started.epoch, in_force.started.run
        made = capture(session.host, session.controller, session.node, epoch=epoch, run=run, facts=facts)
        note_captured(session, made.name, before)
        mirror_to_peers(session, ask_again=False)  # an ssh call would double its time
        note_claim(session)
    except (OSError, TanistError) as error:
        session.note(f"warning: no capture before the release: {error}")


def drive_release(session: Session, journal: Journal, on_let_go: Callable[[], None] = lambda: None) -> None:
    """The release from wherever its journal stands. Before the asset is let go a failure is undone: the controller
    comes up again here. Afterwards there is only forward."""
    begun = session.host.monotonic()
    ahead = Ahead(session)
    watching = replace(session, report=_watch(session, journal, on_let_go, ahead))
    context = replace(session.context, meanwhile=ahead.prepare, read_facts=ahead.read_facts)
    engine = watching.engine(journal, context)
    started = engine.state.started
    in_force = load_run(session, started.in_force)
    try:
        engine.execute(
            "release",
            lambda: PlanMade(
                part="release",
                plan=build_release(
                    with_reserve(session, in_force), started.epoch, started.run, session.controller.commands
                ),
            ),
        )
        verify(session, engine)
    except StepFailure as failure:
        try:
            here = read_hold(session, journal) == "here"
        except Refused:
            raise failure from None  # it cannot be told any more; what was changed was changed
        if not here:
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
    if session.controller.commands:
        from tanist.runs.commands import tell_kept

        tell_kept(session, in_force.steps)
    note_released(session, ahead.claim)
    finish(session, journal, f"{session.node} released {session.name}, epoch {started.epoch}", begun)


def with_reserve(session: Session, in_force: RunState) -> tuple[PlannedStep, ...]:
    """The steps in force, and the reservation where it was taken later than they were (tanist proofs --reserve)."""
    if any(isinstance(step.spec, Reserve) for step in in_force.steps):
        return in_force.steps
    later = build_reserve(session.controller, session.node, in_force.started.epoch, keep=False)
    reserved = (PlannedStep(id="", says=says, direction="apply", spec=spec) for says, spec in later)
    return (*reserved, *in_force.steps)


class Ahead:
    """What a release does while the services stop, and what it saw on its way. Changes nothing on the host."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._facts: NodeFacts | None = None
        self.claim: Claim | None = None  # as it was written last

    def prepare(self) -> None:
        """Read in what the last capture and the steps after it need."""
        for kind in (SaveCapture, *ASSET, *KEYS, *AFTER, AddAddress):
            handler_for(kind)
        for module in LATER:
            importlib.import_module(module)
        self.read_facts()

    def read_facts(self) -> NodeFacts:
        """Read once in a run."""
        from tanist.facts.node import read_node_facts

        if self._facts is None:
            self._facts = read_node_facts(self._session.host, self._session.controller, self._session.node)
        return self._facts

    def note_claim(self) -> None:
        """In the tree, of a pool as well: there is what this node itself wrote last, and no device to wait for."""
        claim = load_claim(self._session.host, self._session.controller.tree)
        self.claim = None if isinstance(claim, Unread) else claim


def note_released(session: Session, claim: Claim | None) -> None:
    """For people. After a crash the disk is asked; and the next owner's word, which may have come already, stays."""
    if claim is None:
        note_claim_on_disk(session)
    elif read_epoch_seen(session) <= claim.epoch:
        save_claim_seen(session, claim)


def has_let_go(session: Session, state: RunState) -> bool:
    """True from the step on that lets the asset go. Killed within it, the host tells whether it came to pass; once it
    was being taken back, the claim does."""
    for part in state.parts.values():
        last = letting_go(part.plan)
        if last is None or state.status[last.id] in ("planned", "undoing", "undone"):
            continue
        if state.status[last.id] == "done":
            return True
        if isinstance(last.spec, (MountHidden, MountTree, MapTree)):
            return mounted_at(session.host, last.spec.target) is None
        looks = handler_for(type(last.spec)).is_applied if isinstance(last.spec, LAYERS) else None
        return looks is not None and looks(last.spec, session.context) is False
    return False


def read_hold(session: Session, journal: Journal) -> Hold:
    """What this node still has of the asset, asked of the host and of the disk, not of the journal alone.

    here: all of it, so that the release can go on or be taken back. away: the claim, but a boot took down the rest.
    let-go: nothing, or nothing that may be brought up again: there is only forward. lost: nothing, another node has
    taken it since, and only this node's own is left to be given back.
    """
    from tanist.facts.storage import read_claim_offline

    state, controller = read_run(journal.records), session.controller
    if "loss" in state.parts:
        return "lost"  # it was found out already, and is being given back
    if has_let_go(session, state):
        return "let-go"
    claim = read_claim_offline(session.host, controller.asset, controller.tree)
    spots = (controller.tree, places.hidden(controller.name))
    mounted = controller.asset.kind == "directory" or any(mounted_at(session.host, one) is not None for one in spots)
    here = mounted and journal.records[0].boot == session.host.boot_id()
    if isinstance(claim, Unread):
        if here:
            return "here"
        says = f"the tree is not here, and the claim on the asset can't be read: {claim.why}"
        raise Refused(says, next_step=describe_lost(session))
    if (claim.node, claim.epoch) != (session.node, state.started.epoch):
        return "let-go" if here else "lost"
    if claim.state == "released" and not here:
        return "let-go"
    return "here" if here else "away"


def describe_lost(session: Session) -> str:
    return (
        f"once the asset answers again: tanist resume {session.name}   or   tanist undo {session.name}\n"
        f"where it never will: tanist undo {session.name} --asset-lost TEXT"
    )


def _watch(session: Session, journal: Journal, on_let_go: Callable[[], None], ahead: Ahead) -> Callable[[Event], None]:
    def report(event: Event) -> None:
        session.report(event)
        if event.kind == "done" and event.step is not None:
            if isinstance(event.step.spec, HoldClaim):
                ahead.note_claim()
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
