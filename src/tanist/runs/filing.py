"""A run's journal: begun with who and why, ended into the history and filed away; one that has not ended is open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from tanist.engine import Engine
from tanist.journal.journal import STATE, Journal, done_directory, runs_directory
from tanist.journal.records import parse_journal
from tanist.journal.state import RunState, read_run
from tanist.model.errors import Busy, Failed, Refused
from tanist.model.evidence import Evidence, Verdict
from tanist.model.run import Outcome, PlanMade, RunEnded, RunKind, RunStarted
from tanist.model.steps import Plan
from tanist.runs.guard import demand_claim
from tanist.runs.notify import start_courier
from tanist.runs.session import TOOL, Session, new_run


def begin_run(
    session: Session,
    kind: RunKind,
    *,
    epoch: int,
    reason: str = "",
    attested: str = "",
    evidence: tuple[Evidence, ...] = (),
    verdict: Verdict | None = None,
    in_force: str = "",
    capture: str = "",
    reboot: bool = False,
    fence: bool = False,
    check: bool = False,
    accepted: tuple[str, ...] = (),
    opened: tuple[str, Journal] | None = None,
) -> tuple[str, Journal]:
    """A run with its first record: who, why and on what evidence. `opened`: from `new_run`, where a name was needed
    before."""
    run, journal = opened or new_run(session, kind)
    journal.append(
        RunStarted(
            run=run,
            kind=kind,
            controller=session.name,
            node=session.node,
            who=session.who,
            reason=reason,
            attested=attested,
            evidence=evidence,
            verdict=verdict,
            epoch=epoch,
            tool=TOOL,
            in_force=in_force,
            capture=capture,
            reboot=reboot,
            fence=fence,
            check=check,
            accepted=accepted,
        )
    )
    start_courier(session, run)
    return run, journal


def demand_plan(session: Session, part: str, plan: Plan | None) -> PlanMade:
    """For a run whose plan a person has confirmed before it began. None: it must be in the journal."""
    if plan is None:
        raise Refused("the run was cut off before it had a plan", next_step=f"tanist undo {session.name}")
    return PlanMade(part=part, plan=plan)


def verify(session: Session, engine: Engine) -> None:
    """Success is what was verified: the host is looked at afresh, and the claim where the run ends as its owner."""
    state = engine.state
    if state.started.kind != "release":
        demand_claim(session, state)
    demand_shown(session, engine.not_in_effect())


def demand_shown(session: Session, lacking: Sequence[str]) -> None:
    if lacking:
        raise Failed(
            "every step was done, but the host does not show: " + "; ".join(lacking),
            node=session.node,
            next_step=f"tanist resume {session.name}   or   tanist undo {session.name}",
        )


def finish(
    session: Session, journal: Journal, summary: str, begun: float | None = None, outcome: Outcome = "done"
) -> None:
    """The last record, the history, the file: killed between them, without room for the rest, or beside another process
    that has the history, the next look at the open runs does it."""
    seconds = 0.0 if begun is None else round(session.host.monotonic() - begun, 3)
    journal.append(RunEnded(outcome=outcome, summary=summary, seconds=seconds))
    try:
        file_away(session, journal)
    except OSError as error:
        says = f"this run is over, and not in the history yet: {error.strerror or error}"
        session.note(f"warning: {says}; make room (df {STATE}), the next run on this node enters it")
    except Busy as busy:
        session.note(f"warning: this run is over, and not in the history yet: {busy.message}; the watch enters it")


def read_runs(session: Session) -> Iterator[RunState]:
    """Those that are not filed away, as they are: nothing is mended or filed. A damaged journal is a person's."""
    files, directory = session.host.files, runs_directory(session.name)
    names = files.list(directory) if files.exists(directory) else ()
    for name in (one for one in names if one.endswith(".jsonl")):
        with contextlib.suppress(Failed, FileNotFoundError):  # filed away meanwhile
            records, _ = parse_journal(files.read(f"{directory}/{name}", 64 << 20), name)
            if records:
                yield read_run(records)


def find_open_run(session: Session) -> Journal | None:
    """The run that was cut off, if there is one. Ended ones that were not filed away yet are filed."""
    files = session.host.files
    directory = runs_directory(session.name)
    if not files.exists(directory):
        return None
    for name in sorted(files.list(directory), reverse=True):
        if not name.endswith(".jsonl"):
            continue
        journal = Journal.load(session.host, f"{directory}/{name}")
        if not journal.records:
            files.remove(journal.path)  # killed before its first record: nothing was done
        elif read_run(journal.records).ended is not None:
            file_late(session, journal)
        else:
            return journal
    return None


def file_away(session: Session, journal: Journal) -> None:
    from tanist.runs.history import save_history  # a release imports it while the services stop

    files = session.host.files
    save_history(session, journal)
    done = done_directory(session.name)
    files.make_directory(done, 0o700)
    files.move(journal.path, f"{done}/{journal.path.rsplit('/', 1)[1]}")


def file_late(session: Session, journal: Journal) -> None:
    """Refused where there is still no room for it."""
    try:
        file_away(session, journal)
    except OSError as error:
        raise Refused(
            f"{journal.path} is over and can't be entered into the history: {error.strerror or error}",
            next_step=f"make room on the disk of {STATE}: df {STATE}",
        ) from error


def refuse_open_run(session: Session) -> None:
    journal = find_open_run(session)
    if journal is not None:
        state = read_run(journal.records)
        raise Refused(
            f"a {state.started.kind} of {session.name} was cut off on this node ({state.started.run}); "
            "it must be ended first",
            next_step=f"tanist resume {session.name}   or   tanist undo {session.name}",
        )
