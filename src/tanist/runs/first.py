"""init: the first claim of a new asset, on the node where the server was set up."""

from __future__ import annotations

from tanist.engine import Engine, StepFailure
from tanist.facts.standing import read_standing
from tanist.journal.journal import Journal
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.definition import Controller
from tanist.model.errors import Failed, Refused
from tanist.model.peer import Intent, PeerWord
from tanist.model.run import PlanMade, RunStarted
from tanist.model.standing import Standing
from tanist.model.unread import Unread
from tanist.plan.assume import build_first
from tanist.plan.first import build_first_acquire
from tanist.runs.aftermath import after_becoming_active
from tanist.runs.contest import contest, declare, heed_words, withdraw
from tanist.runs.filing import begin_run, finish, refuse_open_run, verify
from tanist.runs.guard import read_claim_now
from tanist.runs.mirroring import mirror_to_peers
from tanist.runs.observe import Observation, demand_proof, observe
from tanist.runs.pairing import find_not_enabled
from tanist.runs.peers import ask_peer
from tanist.runs.prechecks import check_node
from tanist.runs.session import (
    Session,
    forget_active,
    new_run,
    owning,
    read_active,
    save_active,
)


def init(session: Session, reason: str = "") -> None:
    """The tree must lie on its asset already; its services may run. Refused when the asset has a claim, unless that is
    what an undone `init` left; and while another node has the asset, or is taking it."""
    session = replace(session, may_fence=False)
    with owning(session, "init"):
        refuse_open_run(session)
        if read_active(session):
            raise Refused(f"{session.node} is the active node of {session.name} already")
        check_node(session)
        if find_not_enabled(session):
            raise Refused(
                f"a boot of {session.node} would not be gated yet",
                next_step=f"on every node: tanist enable {session.name}",
            )
        run, journal = new_run(session, "init")
        intent = declare(session, run)
        try:
            before = look_at_asset(session, intent)
            begin_run(
                session,
                "init",
                epoch=before.claim.epoch + 1 if before else 1,
                reason=reason,
                evidence=before.evidence if before else (),
                verdict=before.verdict if before else None,
                opened=(run, journal),
            )
            drive_first(session, journal)
        finally:
            withdraw(session, intent)


def look_at_asset(session: Session, intent: Intent) -> Observation | None:
    """Before it is mounted: another node may have it. None: it has no claim yet; else an undone `init` left one, whose
    epoch is raised as by a takeover."""
    while True:
        found, observation = read_claim_now(session), None
        if isinstance(found, Unread):
            words = hear_others(session)
        else:
            demand_unused(session, found)
            observation = observe(session, "")
            demand_unused(session, observation.claim)
            demand_proof(session, observation)
            words = observation.words
        if contest(session, intent, words):
            return observation


def demand_unused(session: Session, found: Claim) -> None:
    if found.controller != session.name:
        raise Refused(f"the asset belongs to the controller {found.controller!r}, not to {session.name!r}")
    if not found.unused:
        raise Refused(
            f"the asset at {session.controller.tree} is in use already: {found.controller}, {found.describe()}",
            next_step=f"tanist status {session.name}; to have it here: tanist switchover or tanist takeover",
        )


def hear_others(session: Session) -> tuple[PeerWord, ...]:
    """Where there is no claim, they alone can tell that they have the asset. A silent one may be not set up yet."""
    said = [ask_peer(session, node.name) for node in session.controller.peers(session.node)]
    words = tuple(word for word in said if isinstance(word, PeerWord))
    for word in words:
        if word.state == "active" and word.intent is None:
            raise Refused(
                f"{word.node} has something of {session.name} in use: {word.detail}",
                next_step=f"stop it there, or set the controller up there: tanist init {session.name}, on {word.node}",
            )
    return words


def demand_still_new(session: Session, started: RunStarted) -> None:
    """Before an `init` that was cut off takes the asset (again): another node may have begun with it since."""
    found = read_claim_now(session)
    if isinstance(found, Claim) and found.run != started.run and not (found.unused and found.epoch < started.epoch):
        raise Refused(
            f"the asset at {session.controller.tree} is in use by now: {found.controller}, {found.describe()}",
            next_step=f"tanist undo {session.name}",
        )
    heed_words(session, hear_others(session))


def drive_first(session: Session, journal: Journal) -> None:
    engine = session.engine(journal)
    begun = session.host.monotonic()
    started = engine.state.started
    controller = session.controller

    def standing() -> Standing:
        return read_standing(session.host, controller, session.node)

    def acquire() -> PlanMade:
        found = read_claim_now(session)
        undone = found.run if isinstance(found, Claim) and found.unused else ""
        plan = build_first_acquire(controller, standing(), started.run, epoch=started.epoch, undone=undone)
        return PlanMade(part="acquire", plan=plan)

    try:
        engine.execute("acquire", acquire)
        engine.execute("assume", lambda: PlanMade(part="assume", plan=build_first(controller, standing(), started.run)))
        verify(session, engine)
    except StepFailure as failure:
        if failure.hold:
            raise
        raise taken_back(session, journal, engine, controller, failure) from failure
    save_active(session, started.run, started.epoch)
    finish(session, journal, f"{session.node} is the active node, epoch {started.epoch}", begun)
    mirror_first(session, engine)


def mirror_first(session: Session, engine: Engine) -> None:
    after_becoming_active(session, engine.state)
    mirror_to_peers(session)


def taken_back(
    session: Session, journal: Journal, engine: Engine, controller: Controller, failure: StepFailure
) -> Failed:
    engine.undo()
    forget_active(session, engine.state.started.run)
    finish(session, journal, f"undone: {failure.message}", outcome="undone")
    return Failed(
        f"{failure.message}. Everything was undone",
        node=session.node,
        next_step=f"mend it, then: tanist init {controller.name}",
    )
