"""What a boot does: the controller comes up again if and only if this node still holds the claim."""

from __future__ import annotations

from tanist.facts.standing import read_standing
from tanist.host.clock import timestamp
from tanist.journal.journal import Journal
from tanist.journal.state import RunState
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Busy, NotProved, Refused, TanistError
from tanist.model.evidence import Outcome, Says
from tanist.model.run import PlanMade
from tanist.model.steps import ArmCron, Reboot
from tanist.plan import places
from tanist.plan.acquire import build_acquire, build_claim
from tanist.plan.assume import build_start
from tanist.plan.release import build_give_back
from tanist.runs.aftermath import after_becoming_active
from tanist.runs.appear import wait_for_disks
from tanist.runs.contest import heed_intents
from tanist.runs.filing import begin_run, find_open_run, finish, read_runs, verify
from tanist.runs.inert import say_inert
from tanist.runs.observe import Observation, demand_proof, observe
from tanist.runs.replica import demand_link, wait_for_link
from tanist.runs.seen import save_claim_seen
from tanist.runs.session import (
    Session,
    clear_active,
    load_run,
    owning,
    read_active,
)
from tanist.steps.cron import park_cron
from tanist.steps.services import is_running
from tanist.steps.storage import mounted_at

TRIES, PAUSE = 3, 5.0  # looks, and seconds between two
PATIENCE = 120.0  # seconds, where a node is up and has said nothing yet: it may end its own boot, and then tells


def gate(session: Session) -> None:
    """Early in the boot, before cron and the NFS server: nothing of the controller may start by itself. Local only,
    and no run is filed away: on a full disk, or beside a damaged journal, this must hold too."""
    files = session.host.files
    files.remove(f"/etc/exports.d/tanist-{session.name}.exports")
    for state in read_runs(session):
        if state.ended is None:
            park(session, state)
    if active := read_active(session):
        try:
            park(session, load_run(session, active))
        except (OSError, TanistError):  # then by the definition, to where a start looks for it
            parked = places.parked_cron(session.name, active)
            park_cron(ArmCron(paths=session.controller.cron, store="", own="", parked=parked), session.context)
            raise


def park(session: Session, state: RunState) -> None:
    for step in state.steps:
        if isinstance(step.spec, ArmCron) and state.status[step.id] != "planned":
            park_cron(step.spec, session.context, armed=state.status[step.id] == "done")


def boot(session: Session, attest: str = "") -> str:
    """ "active", or "inert" with the reason noted. Failed and Refused mean: inert, and a person must act. `attest`: a
    person's word, where one typed this."""
    try:
        return _boot(replace(session, may_fence=False), attest)
    except Busy:
        raise
    except (OSError, TanistError) as error:
        say_inert(session, error.message if isinstance(error, TanistError) else f"{error}")
        raise


def _boot(session: Session, attest: str) -> str:
    with owning(session, "boot"):
        journal = end_grow(session, find_open_run(session))
        if journal is not None:
            return _go_on(session, journal)
        active = read_active(session)
        if not active:
            session.note(f"{session.node} is a standby of {session.name}")
            return "inert"
        wait_for_disks(session)
        wait_for_link(session)
        observation = observe_patiently(session, attest)
        if not observation.claim.is_held_by(session.node):
            stand_down(session, active, observation.claim)
            return "inert"
        if is_up(session):
            session.note(f"{session.name} is up on {session.node} already")
            return "active"
        if (newer := find_newer_owner(session, observation)) is not None:
            stand_down(session, active, newer)
            return "inert"
        demand_link(session)
        demand_peers(session, observation)
        start(session, active, observation, attest)
        return "active"


def observe_patiently(session: Session, attest: str) -> Observation:
    """A computer that is busy with its boot, or another one with its own, may not answer in time: looked anew then."""
    tries, begun = 0, session.host.monotonic()
    while True:
        found, tries = observe(session, attest), tries + 1
        if found.verdict.outcome is Outcome.PROVED or not found.claim.is_held_by(session.node):
            return found
        wordless = found.verdict.outcome is Outcome.ALIVE and not found.words
        if tries >= TRIES and not (wordless and session.host.monotonic() - begun < PATIENCE):
            return found
        session.host.sleep(PAUSE)


def find_newer_owner(session: Session, observation: Observation) -> Claim | None:
    """Where another node has the disk, this one has no claim to read but the last that it saw. Who says now that it is
    active, under a higher epoch, is believed: nothing is started by that. It does not say since when."""
    if not any(layer.kind == "program" for layer in session.controller.asset.layers):
        return None
    from tanist.runs.attach import describe_held

    words = (one for one in observation.words if one.state == "active" and one.epoch_seen > observation.claim.epoch)
    word = next(words, None)
    if word is None or not describe_held(session):
        return None
    heard = timestamp(session.host)
    return replace(observation.claim, node=word.node, epoch=word.epoch_seen, state="held", since=heard, run="")


def demand_peers(session: Session, observation: Observation) -> None:
    """A shared disk shows another owner's claim. A plain directory is each node's own: its claim may be years old, so
    that every other node must say that it is inactive. NotProved else."""
    if session.controller.asset.kind != "directory":
        return
    words = {one.about: one.says for one in observation.evidence if one.source == "peer"}
    silent = [node.name for node in session.controller.peers(session.node) if words.get(node.name) is not Says.INACTIVE]
    if silent:
        names, name = ", ".join(silent), session.name
        raise NotProved(
            f"the claim in {session.controller.tree} says that {session.node} is the owner, but a directory is not "
            f"shared, and {names} gives no word: it may have taken over meanwhile",
            next_step=f"once {names} answers: systemctl restart tanist@{name}\n"
            f"or, if you know that it is down: tanist release {name}, then tanist takeover {name} --attest TEXT",
        )


def is_up(session: Session) -> bool:
    """Services that run without the tree are none of the controller's: something else started them."""
    services, tree = session.controller.services, session.controller.tree
    if session.controller.asset.mounted and mounted_at(session.host, tree) is None:
        return False
    return bool(services) and all(is_running(session.host, one.unit) for one in services)


def _go_on(session: Session, journal: Journal) -> str:
    """A takeover that asked for this boot goes on; any other unfinished run waits for a person."""
    state = session.engine(journal).state
    waits = [step for step in state.steps if isinstance(step.spec, Reboot) and state.status[step.id] != "done"]
    if state.started.kind != "takeover" or not waits or state.undoing:
        raise Refused(
            f"a {state.started.kind} of {session.name} was cut off ({state.started.run}): {session.node} stays inert",
            next_step=f"tanist resume {session.name}   or   tanist undo {session.name}",
        )
    from tanist.runs.carry_on import continue_run  # it stands above this module: it continues runs of every kind

    continue_run(session, journal)
    return "active"


def end_grow(session: Session, journal: Journal | None) -> Journal | None:
    """A grow that was cut off is no reason to stay down: what it left is whole, and the next one goes on from there."""
    if journal is None or session.engine(journal).state.started.kind != "grow":
        return journal
    from tanist.runs.grow import end_short

    end_short(session, journal, f"a boot ended it; it goes on with: tanist storage grow {session.name}")
    return None


def stand_down(session: Session, active: str, claim: Claim) -> None:
    """This node lost the controller while it was down: its own files return, and it says who has it."""
    plan = build_give_back(load_run(session, active).steps)
    reason = f"lost to {claim.node} while this node was down"
    _, journal = begin_run(session, "release", epoch=claim.epoch, reason=reason, in_force=active)
    session.engine(journal).execute("release", lambda: PlanMade(part="release", plan=plan))
    clear_active(session)
    save_claim_seen(session, claim)
    finish(session, journal, f"inert: {session.name} is {claim.describe()}")
    say_inert(session, f"{session.name} is {claim.describe()}")


def start(session: Session, active: str, observation: Observation, attest: str = "") -> None:
    heed_intents(session, observation)
    demand_proof(session, observation)
    load_run(session, active)  # without it neither a resume nor an undo would lead out of what begins here
    _, journal = begin_run(
        session,
        "start",
        epoch=observation.claim.epoch,
        reason="this node holds the claim",
        attested=attest,
        evidence=observation.evidence,
        verdict=observation.verdict,
        in_force=active,
    )
    drive_start(session, journal, attest)


def drive_start(session: Session, journal: Journal, attest: str = "") -> None:
    """A failure leaves the run open: the claim is this node's, and a person decides."""
    engine = session.engine(journal)
    begun = session.host.monotonic()
    started = engine.state.started
    in_force = load_run(session, started.in_force).steps

    def acquire() -> PlanMade:
        standing = read_standing(session.host, session.controller, session.node)
        found = observe_own_claim(session, attest or started.attested)
        plan = build_acquire(session.controller, standing, found, epoch=found.epoch, run=started.run)
        return PlanMade(part="acquire", plan=plan)

    def claim() -> PlanMade:
        found = observe_own_claim(session, attest or started.attested)
        standing = read_standing(session.host, session.controller, session.node)
        plan = build_claim(session.controller, standing, found, started.run, found.epoch)
        return PlanMade(part="claim", plan=plan)

    engine.execute("acquire", acquire)
    engine.execute("claim", claim)
    engine.execute("assume", lambda: PlanMade(part="assume", plan=build_start(in_force)))
    verify(session, engine)
    finish(session, journal, f"{session.node} is the active node again, epoch {started.epoch}", begun)
    after_becoming_active(session, engine.state)


def observe_own_claim(session: Session, attest: str) -> Claim:
    observation = observe_patiently(session, attest)
    if not any(one.source == "claim" and one.says is Says.MINE for one in observation.evidence):
        raise Refused(f"{session.node} does not hold the claim any more: it is {observation.claim.describe()}")
    if observation.verdict.outcome is not Outcome.PROVED:
        raise NotProved("; ".join(observation.verdict.reasons))
    return observation.claim
