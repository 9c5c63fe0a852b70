"""init: the first claim of a new asset, on the node where the server was set up."""

from __future__ import annotations

from tanist.engine import Engine, StepFailure
from tanist.facts.standing import read_standing
from tanist.journal.journal import Journal
from tanist.model.definition import Controller
from tanist.model.errors import Failed, Refused
from tanist.model.run import PlanMade
from tanist.model.standing import Standing
from tanist.plan.assume import build_first
from tanist.plan.first import build_first_acquire
from tanist.runs.aftermath import after_becoming_active
from tanist.runs.filing import begin_run, finish, refuse_open_run, verify
from tanist.runs.mirroring import mirror_to_peers
from tanist.runs.pairing import find_not_enabled
from tanist.runs.prechecks import check_node
from tanist.runs.session import (
    Session,
    forget_active,
    owning,
    read_active,
    save_active,
)


def init(session: Session, reason: str = "") -> None:
    """The tree must lie on its asset already; its services may run. Refused when the asset has a claim."""
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
        _, journal = begin_run(session, "init", epoch=1, reason=reason)
        drive_first(session, journal)


def drive_first(session: Session, journal: Journal) -> None:
    engine = session.engine(journal)
    begun = session.host.monotonic()
    run = engine.state.started.run
    controller = session.controller

    def standing() -> Standing:
        return read_standing(session.host, controller, session.node)

    try:
        engine.execute(
            "acquire", lambda: PlanMade(part="acquire", plan=build_first_acquire(controller, standing(), run))
        )
        engine.execute("assume", lambda: PlanMade(part="assume", plan=build_first(controller, standing(), run)))
        verify(session, engine)
    except StepFailure as failure:
        if failure.hold:
            raise
        raise taken_back(session, journal, engine, controller, failure) from failure
    save_active(session, run, 1)
    finish(session, journal, f"{session.node} is the active node, epoch 1", begun)
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
