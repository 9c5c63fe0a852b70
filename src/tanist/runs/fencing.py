"""A fence before a takeover: see to it that the old owner cannot act, look at everything anew, and judge again.

Only where a person said --fence, and only what the definition names. Each step is journalled as ever; the new verdict
is written before anything else is done, and only PROVED goes on.
"""

from __future__ import annotations

from tanist.engine import Engine, StepFailure
from tanist.journal.journal import Journal
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed, Refused
from tanist.model.evidence import Evidence, Outcome, Says
from tanist.model.run import Judged, PlanMade
from tanist.model.steps import PlannedStep, PowerOff, Reserve
from tanist.model.unread import Unread
from tanist.plan.fence import Names, build_fence, describe, fences
from tanist.proof.decide import SIGNS_OF_LIFE, possible_owners
from tanist.runs.observe import judge, observe, tell
from tanist.runs.session import Session

FILER_LEASE = 150.0  # seconds that a filer may keep a dead client's lock: Linux' 90, and one more try of each side


class NotStopped(Failed):
    """The fence did not make it PROVED: the run is taken back."""


def demand_fences(session: Session, evidence: tuple[Evidence, ...], attested: str) -> tuple[Names, ...]:
    """The sets that can be acted on, best first. Refused where there is none."""
    suspects = possible_owners(evidence, session.node)
    found = fences(session.controller, suspects, attested=bool(attested.strip()))
    if not found:
        raise Refused(
            f"nothing is defined that could stop {', '.join(suspects) or 'the old owner'}",
            next_step=f"tanist proofs {session.name} tells what this pair has and lacks",
        )
    return found


def fence_first(session: Session, journal: Journal, engine: Engine) -> None:
    """Until a verdict of after the fence says PROVED. Failed where it does not; done before: nothing to do."""
    started = engine.state.started
    judged = engine.state.judged
    if not started.fence or "acquire" in engine.state.parts or (judged and judged.verdict.outcome is Outcome.PROVED):
        return
    suspects = possible_owners(started.evidence, session.node)
    why = ""
    for number, names in enumerate(demand_fences(session, started.evidence, started.attested), start=1):
        try:
            execute(session, engine, f"fence-{number}", names, suspects)
        except StepFailure as failure:
            why = failure.message
            session.note(f"{describe(names)} was not to be had")
            continue
        if session.controller.asset.kind == "nfs":
            wait_for_lock(session)
        verdict = judge_again(session, journal, engine).verdict
        if verdict.outcome is Outcome.PROVED:
            return
        why = "; ".join(verdict.reasons)
    raise NotStopped(f"the old owner was not stopped for certain: {why}", node=session.node)


def wait_for_lock(session: Session) -> None:
    """A filer keeps the lock of a client that was stopped until its lease ran out, and a lock that is held vetoes,
    whatever was said to be off: it may be another machine's plug. So it is waited for, and judged afterwards."""
    from tanist.facts.exports import look  # most assets are not

    host = session.host
    deadline, told = host.monotonic() + FILER_LEASE, False
    while not isinstance(seen := look(host, session.controller.asset), Unread) and seen.locked:
        if host.monotonic() >= deadline:
            return
        if not told:
            session.note(f"waiting until the filer lets go of the owner's lock, for {FILER_LEASE:g} s at most")
            told = True
        host.sleep(1.0)


def execute(session: Session, engine: Engine, part: str, names: Names, suspects: tuple[str, ...]) -> None:
    epoch = engine.state.started.epoch
    plan = build_fence(session.controller, part, names, suspects, node=session.node, epoch=epoch)
    engine.execute(part, lambda: PlanMade(part=part, plan=plan))


def was_seen_to(item: Evidence, done: tuple[PlannedStep, ...]) -> bool:
    """This run made it so, and it was not just found."""
    cut = {one.spec.node for one in done if isinstance(one.spec, PowerOff)}
    reserved = {device for one in done if isinstance(one.spec, Reserve) for device in one.spec.devices}
    if item.source == "power":
        return item.about in cut and item.says is Says.OFF
    return item.source == "reservation" and item.about in reserved and item.says is Says.FENCED


def judge_again(session: Session, journal: Journal, engine: Engine) -> Judged:
    """The signs of life that were seen before, and everything that is seen now."""
    since = session.host.monotonic()
    state = engine.state
    same_boot = journal.records[0].boot == session.host.boot_id()
    before = tuple(item for item in state.started.evidence if item.says in SIGNS_OF_LIFE) if same_boot else ()
    done = tuple(one for one in state.steps if state.status[one.id] == "done")
    observation = observe(session, state.started.attested)
    now = tuple(replace(item, at=since) if was_seen_to(item, done) else item for item in observation.evidence)
    evidence = (*before, *now)
    verdict = judge(session, evidence)
    judged = Judged(evidence=evidence, verdict=verdict)
    journal.append(judged)
    tell(session, evidence, verdict)
    return judged
