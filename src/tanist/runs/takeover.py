"""Takeover: this node becomes the active one, because the old owner failed or let go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from tanist.capture.manifest import Manifest
from tanist.engine import Engine, StepFailure
from tanist.facts.node import read_node_facts
from tanist.facts.standing import read_standing
from tanist.facts.storage import ClaimSeen, load_claim_here, read_claim_seen, read_marks
from tanist.journal.journal import Journal
from tanist.journal.state import RunState
from tanist.model.claim import Claim
from tanist.model.dataclasses import dataclass, replace
from tanist.model.errors import Failed, NotProved, Refused, TanistError
from tanist.model.evidence import Outcome, Says
from tanist.model.facts import NodeFacts
from tanist.model.peer import Intent
from tanist.model.run import PlanMade
from tanist.model.steps import Plan
from tanist.model.storage import MmpMark
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.plan.acquire import build_acquire, build_claim, build_reboot, describe_wait
from tanist.plan.addresses import service_addresses
from tanist.plan.assume import PROBE_SECONDS, build_assume
from tanist.plan.fence import build_fence, describe_kept
from tanist.plan.render import render_plan
from tanist.proof.decide import possible_owners, strong_proof
from tanist.runs.aftermath import after_becoming_active
from tanist.runs.behind import refuse_older_captures, tell_missing_legs
from tanist.runs.choose import check_fitness, choose_capture, in_capture, names_below
from tanist.runs.contest import contest, declare, has_passed, withdraw
from tanist.runs.fencing import NotStopped, demand_fences, fence_first
from tanist.runs.filing import begin_run, find_open_run, finish, refuse_open_run, verify
from tanist.runs.mirrored import readable
from tanist.runs.observe import Observation, demand_proof, observe
from tanist.runs.pairing import find_not_enabled
from tanist.runs.prechecks import check_node, check_unconfigured, check_wish
from tanist.runs.promise import free_bound
from tanist.runs.replay import tell_replay, was_dirty
from tanist.runs.replica import choose_alone
from tanist.runs.session import (
    Session,
    forget_active,
    new_run,
    owning,
    read_active,
    save_active,
)
from tanist.steps.network import has_address
from tanist.steps.storage import tree_place

Look = Callable[[Session, str], Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverOptions:
    reason: str = ""
    attest: str = ""
    capture: str = ""
    reboot: bool = False
    fence: bool = False  # stop the old owner first, where it is not proved down
    check: bool = False  # all of the file system, before it is used


def takeover(session: Session, options: TakeoverOptions, look: Look = observe) -> None:
    """Until the end state was looked at. `look` gathers the evidence (a switchover knows more than a lone takeover)."""
    with owning(session, "takeover"):
        check_standby(session)
        check_wish(session, look=options.check)
        tell_missing_legs(session)
        run, journal = new_run(session, "takeover")
        session = replace(session, asks_for=run, bound=[])
        intent = declare(session, run)
        try:
            facts = read_node_facts(session.host, session.controller, session.node)  # the others are still being called
            observation = prove(session, options, look, intent)
            while not contest(session, intent, observation.words):
                observation = prove(session, options, look, intent)
            refuse_unused(session, observation.claim)
            choose_alone(session, observation.evidence)
            begin_run(
                session,
                "takeover",
                epoch=observation.claim.epoch + 1,
                reason=options.reason,
                attested=options.attest,
                evidence=observation.evidence,
                verdict=observation.verdict,
                capture=options.capture,
                reboot=options.reboot,
                fence=observation.verdict.outcome is not Outcome.PROVED,
                check=options.check,
                opened=(run, journal),
            )
            drive_takeover(session, journal, options, facts)
        except TanistError:
            if session.bound and find_open_run(session) is None:
                withdraw(session, intent)  # before those that it bound hear that it is over
                free_bound(session, tuple(session.bound), run)
            raise
        finally:
            withdraw(session, intent)


def prove(session: Session, options: TakeoverOptions, look: Look, intent: Intent) -> Observation:
    """What was proved, or is to be proved by a fence. NotProved, or Busy where what was seen is another node's
    takeover; one that gave way is not held against it."""
    while True:
        observation = look(session, options.attest)
        try:
            demand_proof(session, observation)
            return observation
        except NotProved:
            if has_passed(session, intent, observation):
                continue
            if not options.fence:
                raise
            demand_fences(session, observation.evidence, options.attest)
            return observation


def refuse_unused(session: Session, claim: Claim) -> None:
    """Refused before the asset is touched: there is no capture to become the controller from."""
    if claim.unused:
        raise Refused(
            f"{session.name} has not come up from this asset yet: its first run was undone ({claim.run}), and there is "
            "no capture",
            next_step=f"where the server was set up: tanist init {session.name}",
        )


def check_standby(session: Session) -> None:
    """Refused unless this node is a fit, inert standby without an unfinished run."""
    refuse_open_run(session)
    if read_active(session):
        raise Refused(
            f"{session.node} is the active node of {session.name} already",
            next_step=f"tanist status {session.name}; services down? systemctl restart tanist@{session.name}",
        )
    check_node(session)
    check_unconfigured(session)
    if missing := find_not_enabled(session):
        session.note(
            f"warning: not enabled here: {', '.join(missing)}; when this is over: tanist enable {session.name}"
        )


def drive_takeover(
    session: Session, journal: Journal, options: TakeoverOptions, facts: NodeFacts | None = None
) -> None:
    """All parts of a takeover, from wherever its journal stands. A failure that must not stay is undone here.
    `facts`: of this node, where they were read for this run already."""
    engine = session.engine(journal)
    begun = session.host.monotonic()
    ask_for_addresses(session)
    try:
        fence_first(session, journal, engine)
        dirty = was_dirty(engine.state)
        engine.execute("acquire", lambda: plan_acquire(session, engine))
        if dirty:
            tell_replay(session)
        accepted = () if "claim" in engine.state.parts else check_capture(session, options, facts)
        engine.execute("claim", lambda: plan_claim(session, engine, accepted))
        if options.reboot or "reboot" in engine.state.parts:
            standing = read_standing(session.host, session.controller, session.node)
            engine.execute("reboot", lambda: PlanMade(part="reboot", plan=build_reboot(standing)))
        engine.execute("assume", lambda: plan_assume(session, engine, options))
        verify(session, engine)
    except StepFailure as failure:
        if failure.hold:
            raise
        raise undo_failed(session, journal, engine, failure) from failure
    except NotStopped as failure:
        raise undo_failed(session, journal, engine, failure) from failure
    except Refused as refusal:
        undo_failed(session, journal, engine, refusal)
        raise
    state = engine.state
    save_active(session, state.started.run, state.started.epoch)
    finish(session, journal, f"{session.node} is the active node, epoch {state.started.epoch}", begun)
    after_becoming_active(session, state)


def ask_for_addresses(session: Session) -> None:
    """The last look before they are used goes on beside the mount and the files; the step that adds one collects it."""
    for address in service_addresses(session.controller, session.node):
        with contextlib.suppress(OSError):  # then the step asks for itself, and tells what is wrong
            if not has_address(session.host, address):
                session.host.begin_probe([address], PROBE_SECONDS)


def plan_acquire(session: Session, engine: Engine) -> PlanMade:
    controller = session.controller
    stopped = stopped_by(session, engine.state)
    seen = read_claim(session, stopped)
    claim = demand_epoch(seen if isinstance(seen, Unread) else seen.claim, engine)
    alone = choose_alone(session, engine.state.evidence)
    standing = read_standing(session.host, controller, session.node)
    holder = read_holder(session)  # before what follows: it is to be the one that this is about
    mmp = read_mmp(session)
    if not stopped and controller.proof.reservation is None and (wait := describe_wait(mmp)):
        watch_guard(session, mmp)
        session.note(wait)
    started = engine.state.started
    plan = build_acquire(
        controller,
        standing,
        claim,
        epoch=started.epoch,
        run=started.run,
        mmp=mmp,
        stopped=stopped,
        holder=holder,
        alone=alone,
        check=started.check,
    )
    return PlanMade(part="acquire", plan=plan)


def read_claim(session: Session, stopped: str) -> ClaimSeen | Unread:
    """`stopped`: by what strong proof its owner is; a disk that a program attaches may be taken away from it then."""
    if any(layer.kind == "program" for layer in session.controller.asset.layers):
        from tanist.runs.attach import read_claim_here  # few assets need it

        return read_claim_here(session, stopped)
    return read_claim_seen(session.host, session.controller.asset, session.controller.tree)


def read_mmp(session: Session) -> MmpMark | None:
    if session.controller.asset.kind == "nfs":
        return None
    marks = read_marks(session.host, session.controller.asset, watch_seconds=0.0)
    return None if isinstance(marks, Unread) else marks.mmp


def watch_guard(session: Session, mmp: MmpMark | None) -> None:
    """NotProved where the owner moves it. The mount asks the guard too, but what lies below is put together before:
    two kernels would compare one mirror, and one of them take the other's volume group. So it is watched first, for
    as long as a living owner may keep still; the look of the evidence is shorter."""
    asset = session.controller.asset
    if mmp is None or all(layer.whole for layer in asset.layers):
        return
    session.note(f"watching the MMP block of {asset.device} for {mmp.interval + 1} s, before anything is put together")
    marks = read_marks(session.host, asset)
    if not isinstance(marks, Unread) and marks.state == "in-use":
        raise NotProved(
            f"the old owner shows life: storage {asset.device}: {marks.detail}. Nothing was changed on {session.node}",
            next_step=f"release it there, or switch that machine off: tanist status {session.name}, on each node",
        )


def stopped_by(session: Session, state: RunState) -> str:
    """The strong proof that this run went on, in its own time: a person may have switched it on again since. A lease
    that ran out is looked at once more: its watchdog starts the machine again, and this run may have slept."""
    proof = "" if state.resumed else strong_proof(state.evidence, session.node)
    others = tuple(item for item in state.evidence if item.source != "lease")
    if not proof or session.controller.proof.lease is None or strong_proof(others, session.node):
        return proof
    from tanist.proof.lease import read_lease

    leases = [item.about for item in state.evidence if item.source == "lease" and item.says is Says.LAPSED]
    return proof if all(read_lease(session.host, session.controller, node).state == "out" for node in leases) else ""


def read_holder(session: Session) -> str:
    """Who has the lease, by the disk; "" for nobody, and where it cannot be read."""
    lease = session.controller.proof.lease
    if lease is None:
        return ""
    from tanist.facts.lease import read_resource_mark

    mark = read_resource_mark(session.host, lease.device)
    return "" if isinstance(mark, Unread) else mark.holder


def plan_claim(session: Session, engine: Engine, accepted: tuple[str, ...]) -> PlanMade:
    """Before anything is done that the old owner could not live with; after all that could refuse was looked at.
    `accepted`: what did not, because a person had accepted it."""
    started = engine.state.started
    host, controller = session.host, session.controller
    claim = demand_epoch(load_claim_here(host, controller.asset, tree_place(host, controller)), engine)
    standing = read_standing(session.host, session.controller, session.node)
    plan = build_claim(session.controller, standing, claim, started.run, started.epoch)
    return PlanMade(part="claim", plan=plan, accepted=accepted)


def demand_epoch(claim: Claim | Unread, engine: Engine) -> Claim:
    """Refused when it moved on since the evidence was gathered."""
    if isinstance(claim, Unread):
        raise Refused(f"the claim on the asset can't be read: {claim.why}")
    if claim.epoch != engine.state.started.epoch - 1:
        raise Refused(f"the claim moved on while this run began: it is {claim.describe()}")
    return claim


def check_capture(session: Session, options: TakeoverOptions, facts: NodeFacts | None) -> tuple[str, ...]:
    """The capture found on the asset, every byte of it, and this node against it: Refused while all can be let go.
    Answers what was accepted."""
    captures = places.captures(tree_place(session.host, session.controller))
    _, manifest = choose_capture(session, captures, options.capture)
    if not options.capture:
        refuse_older_captures(session, captures)
    return check_fitness(session, manifest, facts)


def plan_assume(session: Session, engine: Engine, options: TakeoverOptions) -> PlanMade:
    """From the capture found on the asset, checked once more: a boot may lie between."""
    store, manifest = choose_capture(session, places.captures(session.controller.tree), options.capture)
    plan = plan_from_capture(session, store, manifest, engine.state.started.run)
    return PlanMade(part="assume", plan=plan, capture=store)


def plan_from_capture(session: Session, store: str, manifest: Manifest, run: str) -> Plan:
    """What this node becomes: the controller's ssh keys are those that the capture brings."""
    keys = names_below(manifest, session.controller.identity.ssh_host_keys)
    controller = in_capture(session, manifest)
    standing = replace(read_standing(session.host, session.controller, session.node), controller_keys=keys)
    return build_assume(controller, standing, store, run)


def undo_failed(session: Session, journal: Journal, engine: Engine, cause: TanistError) -> Failed:
    """Take everything back. Returns what to tell; Failed (raised) when even that did not work."""
    session.note("taking everything back")
    engine.undo()
    forget_active(session, engine.state.started.run)
    finish(session, journal, f"undone: {cause.message}", outcome="undone")
    kept = describe_kept(engine.state.steps)
    return Failed(
        f"{cause.message}. Everything was undone: {session.node} is what it was before{kept}",
        node=session.node,
        next_step=f"mend it, then: tanist takeover {session.name}",
    )


def dry_run(session: Session, options: TakeoverOptions) -> tuple[Observation, str]:
    """What a takeover would do now: evidence, verdict and both plans, the second from the mirrored capture."""
    refuse_open_run(session)
    check_node(session)
    check_wish(session, look=options.check)
    tell_missing_legs(session)
    observation = observe(session, options.attest)
    refuse_unused(session, observation.claim)
    standing = read_standing(session.host, session.controller, session.node)
    epoch = observation.claim.epoch + 1
    text = []
    if options.fence and observation.verdict.outcome is not Outcome.PROVED:
        suspects = possible_owners(observation.evidence, session.node)
        sets = demand_fences(session, observation.evidence, options.attest)
        plans = (
            build_fence(session.controller, f"fence-{n}", names, suspects, node=session.node, epoch=epoch)
            for n, names in enumerate(sets, 1)
        )
        text.append("\nor, if that was not to be had:\n".join(map(render_plan, plans)))
    stopped = strong_proof(observation.evidence, session.node)
    acquire = build_acquire(
        session.controller,
        standing,
        observation.claim,
        epoch=epoch,
        run="dry-run",
        mmp=read_mmp(session),
        stopped=stopped,
        alone=choose_alone(session, observation.evidence),
        check=options.check,
    )
    text += [render_plan(acquire)]
    text.append(render_plan(build_claim(session.controller, standing, observation.claim, "dry-run", epoch)))
    text.append(dry_assume(session, options))
    return observation, "\n\n".join(text)


def dry_assume(session: Session, options: TakeoverOptions) -> str:
    with readable(session, [options.capture] if options.capture else ()) as directory:
        store, manifest = choose_capture(session, directory, options.capture)
        check_fitness(session, manifest)
        plan = plan_from_capture(session, store, manifest, "dry-run")
    return f"from the capture {store.rsplit('/', 1)[1]}:\n{render_plan(plan)}"
