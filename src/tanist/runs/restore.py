"""harestore on the node that is active already: a capture's files once more. Elsewhere it is a takeover."""

from __future__ import annotations

from tanist.capture.restore import compare_path
from tanist.capture.store import load_manifest
from tanist.engine import Engine, StepFailure
from tanist.journal.journal import Journal
from tanist.model.errors import Failed
from tanist.model.run import PlanMade
from tanist.plan import places
from tanist.plan.assume import build_restore
from tanist.runs.choose import check_fitness, choose_capture, in_capture
from tanist.runs.filing import begin_run, finish, refuse_open_run, verify
from tanist.runs.session import Session, load_run, owning, read_active
from tanist.runs.takeover import TakeoverOptions, takeover


def harestore(session: Session, options: TakeoverOptions) -> None:
    """A48-A55. What it replaces is saved first; a second time changes nothing."""
    if not read_active(session):
        takeover(session, options)
        return
    with owning(session, "restore"):
        refuse_open_run(session)
        active = read_active(session)
        store, manifest = choose_capture(session, places.captures(session.controller.tree), options.capture)
        accepted = check_fitness(session, manifest)
        epoch = load_run(session, active).started.epoch
        generation = store.rsplit("/", 1)[1]
        _, journal = begin_run(
            session,
            "restore",
            epoch=epoch,
            reason=options.reason,
            in_force=active,
            capture=generation,
            accepted=accepted,
        )
        drive_restore(session, journal)


def drive_restore(session: Session, journal: Journal) -> None:
    engine = session.engine(journal)
    begun = session.host.monotonic()
    try:
        engine.execute("restore", lambda: plan_restore(session, engine))
        verify(session, engine)
    except StepFailure as failure:
        engine.undo()
        finish(session, journal, f"undone: {failure.message}", outcome="undone")
        raise Failed(f"{failure.message}. Everything was undone", node=session.node) from failure
    finish(session, journal, f"{session.node} has the files of {engine.state.started.capture}", begun)


def plan_restore(session: Session, engine: Engine) -> PlanMade:
    """From the generation that the run was begun with."""
    started = engine.state.started
    store = f"{places.captures(session.controller.tree)}/{started.capture}"
    controller = in_capture(session, load_manifest(session.host, store)) if session.controller.commands else None
    plan = build_restore(controller or session.controller, store, started.run)
    for one in session.controller.commands:
        if one.when == "stopped" and one.restore:
            session.note(f"warning: the services run, so that {one.restore[0]} is not given the output of {one.name}")
    return PlanMade(part="restore", plan=plan, capture=store)


def dry_restore(session: Session, options: TakeoverOptions) -> str:
    """What a restore on the active node would change, path by path."""
    store, manifest = choose_capture(session, places.captures(session.controller.tree), options.capture)
    lines = [f"from the capture {store.rsplit('/', 1)[1]}:"]
    controller = in_capture(session, manifest)
    for path in controller.captured_paths:
        differences = compare_path(session.host, store, path)
        lines += [f"  {one}" for one in differences] or [f"  {path}: nothing would change"]
    given = (one for one in controller.commands if one.restore and one.when != "stopped")
    lines += [f"  {one.restore[0]} would be given the output of {one.name}" for one in given]
    return "\n".join(lines)
