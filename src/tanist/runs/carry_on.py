"""resume and undo: a run that was cut off ends cleanly, one way or the other."""

from __future__ import annotations

from tanist.engine import Engine, handler_of, still_stands
from tanist.facts.storage import read_claim_offline
from tanist.journal.journal import Journal
from tanist.journal.state import RunState, read_run
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import NotProved, Refused
from tanist.model.evidence import Outcome, Says
from tanist.model.layer_steps import LAYER_STEPS
from tanist.model.run import Continued, PlanMade
from tanist.model.steps import HoldClaim, MapTree, MountHidden, MountTree, PlannedStep, Reserve, TakeLease
from tanist.model.unread import Unread
from tanist.plan.release import LAYERS, build_give_back, build_loss
from tanist.proof.hold import Opinion
from tanist.runs.boot import drive_start, stand_down, start
from tanist.runs.contest import heed_intents
from tanist.runs.filing import find_open_run, finish
from tanist.runs.first import demand_still_new, drive_first
from tanist.runs.guard import demand_claim, find_tree, read_claim_now
from tanist.runs.hold import Held
from tanist.runs.inert import say_inert
from tanist.runs.loss import stand_back
from tanist.runs.migrate import drive_migrate
from tanist.runs.notify import start_courier
from tanist.runs.observe import Observation, demand_proof, observe
from tanist.runs.promise import free_bound
from tanist.runs.release import Hold, describe_lost, drive_release, read_hold
from tanist.runs.restore import drive_restore
from tanist.runs.session import Session, clear_active, forget_active, load_run, owning, read_active
from tanist.runs.takeover import TakeoverOptions, drive_takeover

WITH_CLAIM = ("takeover", "init", "start", "release", "restore")  # runs that do nothing without the asset's claim


def resume(session: Session, attest: str = "") -> None:
    """Refused when there is nothing to resume, or when what was proved then is no longer so. `attest`: a person's word
    for the verdict of today."""
    session = replace(session, may_fence=False)
    with owning(session, "resume"):
        journal = demand_open_run(session)
        continue_run(session, journal, attest)


def continue_run(session: Session, journal: Journal, attest: str = "") -> None:
    state = session.engine(journal).state
    session = replace(session, asks_for=state.started.run if state.started.kind == "takeover" else "", bound=[])
    if state.undoing:
        raise Refused(f"the {state.started.kind} was already being taken back", next_step=f"tanist undo {session.name}")
    observation = look_again(session, journal, state, attest)
    if state.started.kind == "init" and not tree_is_here(session, state):
        demand_still_new(session, state.started)
    taken_up = Continued(
        direction="resume",
        who=session.who,
        reason="",
        evidence=observation.evidence if observation else (),
        verdict=observation.verdict if observation else None,
    )
    take_up(session, journal, taken_up)
    match state.started.kind:
        case "takeover":
            begun = state.started
            asked = TakeoverOptions(
                attest=begun.attested, capture=begun.capture, reboot=begun.reboot, check=begun.check
            )
            drive_takeover(session, journal, asked)
        case "init":
            drive_first(session, journal)
        case "start":
            drive_start(session, journal, attest)
        case "release":
            resume_release(session, journal)
        case "restore":
            resume_restore(session, journal, observation, attest)
        case "migrate" | "migrate-back":
            drive_migrate(session, journal)
        case "prepare":
            from tanist.runs.prepare import drive_prepare  # what no other run needs

            drive_prepare(session, journal)
        case "grow":
            from tanist.runs.grow import resume_grow

            resume_grow(session, journal)


def demand_open_run(session: Session) -> Journal:
    journal = find_open_run(session)
    if journal is None:
        raise Refused(
            f"no run of {session.name} is open on {session.node}: there is nothing to resume or undo",
            next_step=f"tanist status {session.name}",
        )
    return journal


def look_again(session: Session, journal: Journal, state: RunState, attest: str) -> Observation | None:
    """A run that still has to take the asset (or to take it again, after a boot) needs a verdict of today."""
    if state.started.kind == "release":
        if read_hold(session, journal) != "away":
            return None
    elif state.started.kind == "restore":
        if not was_booted_since(session, journal):
            return None
    elif state.started.kind not in ("takeover", "start") or tree_is_here(session, state):
        return None
    if state.started.fence and not (state.judged and state.judged.verdict.outcome is Outcome.PROVED):
        return None  # the fence is still to come, and judges
    observation = observe(session, attest or state.started.attested)
    heed_intents(session, observation)
    demand_proof(session, observation)
    return observation


def was_booted_since(session: Session, journal: Journal) -> bool:
    """A boot takes down what the run found in use, and an open run keeps it down."""
    return journal.records[0].boot != session.host.boot_id()


def tree_is_here(session: Session, state: RunState) -> bool:
    """Has this run taken the asset, and does it have it still?"""
    taken = [step for step in state.steps if isinstance(step.spec, (MountHidden, MountTree, MapTree, HoldClaim))]
    return bool(taken) and all(
        state.status[step.id] == "done" and still_stands(step, session.context) for step in taken
    )


def take_up(session: Session, journal: Journal, continued: Continued) -> None:
    """The record, and a courier for what follows: the one of the run's beginning ended when it was cut off."""
    told = len(journal.records)
    journal.append(continued)
    start_courier(session, read_run(journal.records).started.run, told)


def undo(session: Session, reason: str = "", attest: str = "", lost: str = "") -> None:
    """Back to where the run began. A release that has let the asset go can only be finished, and is. `attest`: as in
    `resume`, where the asset has to be taken for it. `lost`: a person's word that there is no asset any more."""
    session = replace(session, may_fence=False)
    with owning(session, "undo"):
        journal = demand_open_run(session)
        if lost:
            end_without_asset(session, journal, lost)
            return
        reason = f"{reason}; attested: {attest}".removeprefix("; ") if attest else reason
        engine = open_engine(session, journal)
        state = engine.state
        if state.started.kind == "release" and (hold := read_hold(session, journal)) != "here":
            undo_release(session, journal, hold, reason, attest)
            return
        today = look_after_boot(session, journal, attest) if state.started.kind == "restore" else None
        take_up(session, journal, Continued(direction="undo", who=session.who, reason=reason))
        begun = session.host.monotonic()
        if state.started.kind in ("takeover", "start", "init"):
            bring_tree_back(session, engine, state, attest)
        if state.started.kind in ("migrate", "migrate-back"):
            engine.repeat(LAYERS)
        engine.undo()
        take_back_rest(session, engine)
        summary = f"{session.node} is what it was before the {state.started.kind}"
        if state.started.kind == "grow":
            summary = "what has grown stays so: there is no way back"
            session.note(summary)
        if state.started.kind == "prepare" and state.touched:
            summary = "what was made is gone again; what was on the disks before stays erased"
            session.note(summary)
        finish(session, journal, summary, begun, "undone")
        free_those_asked(session, state)
        if today is not None:
            come_up_or_stand_down(session, today, attest)


def free_those_asked(session: Session, state: RunState) -> None:
    """A takeover that was taken back: those that gave their word for it need not keep it any more."""
    if state.started.kind != "takeover" or session.controller.proof.free_suffices:
        return
    gave = tuple(item.about for item in state.evidence if item.source == "peer" and item.says is Says.INACTIVE)
    free_bound(session, gave, state.started.run)


def look_after_boot(session: Session, journal: Journal, attest: str) -> Observation | None:
    """For a restore that a boot cut off: whose the asset is today, and what shows that this node, if it is, may start
    again. None where it has not stopped. Refused or NotProved: nothing was changed."""
    if not was_booted_since(session, journal):
        return None
    observation = observe(session, attest)
    if is_own(session, observation):
        heed_intents(session, observation)
        demand_proof(session, observation)
    return observation


def is_own(session: Session, observation: Observation) -> bool:
    return observation.claim.is_held_by(session.node)


def come_up_or_stand_down(session: Session, today: Observation, attest: str) -> None:
    active = read_active(session)
    if is_own(session, today):
        start(session, active, today, attest)
    elif active:
        stand_down(session, active, today.claim)


def open_engine(session: Session, journal: Journal) -> Engine:
    """The one that the run was begun with."""
    if read_run(journal.records).started.kind == "prepare":
        from tanist.runs.prepare import prepare_engine

        return prepare_engine(session, journal)
    return session.engine(journal)


def take_back_rest(session: Session, engine: Engine) -> None:
    """What a run leaves beside its steps."""
    started = engine.state.started
    if started.kind == "start":
        give_back(session, engine, load_run(session, started.in_force).steps)
    forget_active(session, started.run)


def end_lost(session: Session, journal: Journal, why: str, without: tuple[type, ...] = ()) -> None:
    """A run whose claim is another node's, with everything down: what is this node's own comes back. No claim is
    looked at, and none is written. `without`: kinds of steps that can't be taken back."""
    engine = session.engine(journal, guarded=False)
    started = engine.state.started
    begun = session.host.monotonic()
    if started.kind == "release":
        journal.append(Continued(direction="resume", who=session.who, reason=why))
        give_back_lost(session, journal, why)
        return
    journal.append(Continued(direction="undo", who=session.who, reason=why))
    engine.undo(without=without)
    take_back_rest(session, engine)
    finish(session, journal, f"undone: {why}", begun, "undone")


def end_without_asset(session: Session, journal: Journal, word: str) -> None:
    """Where a boot took the asset down and it can't be read since: what is this node's own comes back, and it is a
    standby. Should the asset ever answer again, its claim is another's or of a node that says it runs nothing."""
    name, state = session.name, read_run(journal.records)
    started = state.started
    if started.kind not in WITH_CLAIM:
        raise Refused(f"a {started.kind} is taken back without a claim", next_step=f"tanist undo {name}")
    found, tree = read_claim_now(session), find_tree(session)
    if isinstance(found, Claim):
        raise Refused(f"the asset is not lost: {name} is {found.describe()}", next_step=f"tanist undo {name}")
    if tree and session.controller.asset.mounted:
        raise Refused(
            f"{tree} is mounted still",
            next_step=f"tanist undo {name}\nor, where that fails: restart this machine, then the same again",
        )
    why = f"the asset is lost, by the word of {session.who}: {word} ({found.why})"
    end_lost(session, journal, why, (HoldClaim, *LAYERS, TakeLease))
    if active := read_active(session):
        held = Held(run=active, epoch=started.epoch)
        stand_back(session, held, Opinion(says="lost", why=why, foreign=True), found)
    free_those_asked(session, state)
    say_inert(session, why)


def give_back_lost(session: Session, journal: Journal, why: str) -> None:
    """A release of what another node has taken: all of it down, and this node's own back, as often as it takes."""
    engine, begun = session.engine(journal, guarded=False), session.host.monotonic()
    in_force = load_run(session, engine.state.started.in_force).steps
    engine.execute("loss", lambda: PlanMade(part="loss", plan=build_loss(in_force)))
    clear_active(session)
    finish(session, journal, f"{why}; {session.node} is itself again", begun)


def mount_again(session: Session, state: RunState, why: str) -> None:
    """What the run that is in force had below the tree, and the tree."""
    for step in load_run(session, state.started.in_force).steps:
        if isinstance(step.spec, (TakeLease, Reserve, *LAYER_STEPS, MountTree, MapTree)):
            demand_claim(session, state, step.id)
            handler_of(step).apply(step.spec, session.context)
            session.note(f"{why}: {step.says}")


def resume_restore(session: Session, journal: Journal, observation: Observation | None, attest: str) -> None:
    """After a boot (`observation`: whose asset it is today) the capture lies in a tree that is not mounted, and the
    services are down: they come up whether the restore succeeds or is undone."""
    if observation is None:
        drive_restore(session, journal)
        return
    mount_again(session, read_run(journal.records), "to be restored from")
    try:
        drive_restore(session, journal)
    finally:
        if find_open_run(session) is None:
            start(session, read_active(session), observation, attest)


def resume_release(session: Session, journal: Journal) -> None:
    """After a boot the tree is mounted once more, for a last capture and for the claim. Where another node has taken
    it since, all that is left is this node's own, which comes back."""
    hold, state = read_hold(session, journal), read_run(journal.records)
    if hold == "away":
        mount_again(session, state, "to be released")
    if hold != "lost":
        drive_release(session, journal)
        return
    give_back_lost(session, journal, f"{session.name} was taken over by another node")


def undo_release(session: Session, journal: Journal, hold: Hold, reason: str, attest: str) -> None:
    """Nothing that is still running could be kept: begun again from the claim, or finished."""
    if hold != "away":
        session.note("the asset is not this node's any more: the release is finished instead")
        take_up(session, journal, Continued(direction="resume", who=session.who, reason=reason))
        resume_release(session, journal)
        return
    observation = observe(session, attest)
    heed_intents(session, observation)
    demand_proof(session, observation)
    take_up(session, journal, Continued(direction="undo", who=session.who, reason=reason))
    finish(session, journal, f"a boot ended it; {session.node} still holds the claim and starts again", None, "undone")
    start(session, read_active(session), observation, attest)


def bring_tree_back(session: Session, engine: Engine, state: RunState, attest: str) -> None:
    """After a boot the tree is not mounted any more; where the claim is this run's, it must be, to be released."""
    mounts = [step for step in state.touched if isinstance(step.spec, (MountHidden, MountTree, MapTree))]
    claims = [step for step in state.touched if isinstance(step.spec, HoldClaim)]
    if not mounts or not claims or still_stands(mounts[0], session.context):
        return
    claim = read_claim_offline(session.host, session.controller.asset, session.controller.tree)
    if isinstance(claim, Unread):
        raise Refused(f"the claim on the asset can't be read: {claim.why}", next_step=describe_lost(session))
    if not claim.is_held_by(session.node) or claim.epoch != state.started.epoch:
        return
    observation = observe(session, attest or state.started.attested)
    heed_intents(session, observation)
    if observation.verdict.outcome is not Outcome.PROVED:
        raise NotProved(f"the tree can't be taken to release its claim: {'; '.join(observation.verdict.reasons)}")
    engine.repeat((TakeLease, *LAYERS))
    engine.again(mounts[0])


def give_back(session: Session, engine: Engine, in_force: tuple[PlannedStep, ...]) -> None:
    """This node's own files, as they were before it became active."""
    plan = build_give_back(in_force)
    if plan.steps:
        engine.execute("give-back", lambda: PlanMade(part="give-back", plan=plan))
    clear_active(session)
