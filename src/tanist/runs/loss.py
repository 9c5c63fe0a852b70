"""This node lost the controller while it was up: all of it goes down within a set time, or the machine resets itself.

First what can't wait and can't be wrong twice: the file system cut off from its disk (nothing more reaches what another
node owns; what was acknowledged is in its journal), cron parked, addresses gone, services stopped or killed, mounts
taken off. Nothing of this waits for this node's own disk, and one act that fails holds up no other. Then, journalled as
every run, the same plan step by step, with this node's own files, name and ssh keys. Every act may be done twice.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from functools import partial

from tanist.journal.state import RunState, read_run
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed, Lost, TanistError
from tanist.model.run import PlanMade
from tanist.model.steps import (
    AddAddress,
    ArmCron,
    MapTree,
    MountHidden,
    MountTree,
    PlannedStep,
    ServeAlias,
    StartService,
)
from tanist.model.unread import Unread
from tanist.plan.assume import build_stated
from tanist.plan.release import MOUNTS, build_loss
from tanist.proof.hold import Opinion
from tanist.runs.filing import begin_run, find_open_run, finish
from tanist.runs.hold import Held
from tanist.runs.inert import say_inert
from tanist.runs.peers import find_activity
from tanist.runs.seen import save_claim_seen
from tanist.runs.session import Session, clear_active, load_run
from tanist.steps.cron import park_cron
from tanist.steps.registry import handler_for
from tanist.steps.storage import is_stopped, mounted_at

AGAIN = 1.0  # seconds between two tries


def lose(session: Session, held: Held, opinion: Opinion, claim: Claim | Unread) -> None:
    """Everything is down when this returns, and a person is waited for. The caller has the run's lock."""
    session.note(f"LOST: {opinion.why}")
    with resetting(session):
        take_down(session, find_in_force(session, held.run), foreign=opinion.foreign)
    try:
        if not held.unfinished:
            stand_back(session, held, opinion, claim)
    finally:
        say_inert(session, f"lost it while it was up: {opinion.why}")


def give_up(session: Session, lost: Lost) -> Failed:
    """The same, for a run of this node's own that found out before one of its steps (runs/guard.py): the watch can't
    act while the run holds the lock, so the run does, and ends itself. What to tell."""
    from tanist.runs.carry_on import end_lost  # it stands above this module: it ends runs of every kind

    journal = find_open_run(session)
    if journal is None:
        return lost
    state = read_run(journal.records)
    kind, name = state.started.kind, session.name
    session.note(f"LOST: {lost.message}")
    with resetting(session):
        take_down(session, find_steps(session, state), foreign=True)
    session.note(f"everything of {name} is down; ending the {kind}")
    try:
        end_lost(session, journal, lost.message)
        if kind in ("restore", "grow"):
            held = Held(run=state.started.in_force, epoch=state.started.epoch)
            stand_back(session, held, Opinion(says="lost", why=lost.message, foreign=True), lost.claim)
        next_step = f"tanist status {name}"
    except (OSError, TanistError) as error:
        session.note(f"what is {session.node}'s own did not all come back: {error}")
        next_step = f"tanist undo {name}"
    save_claim_seen(session, lost.claim)
    say_inert(session, f"lost it during a {kind}: {lost.message}")
    return Failed(
        f"{lost.message}: this {kind} was made for epoch {state.started.epoch} and is over. "
        f"Everything of {name} was taken down, {session.node} is inert",
        node=session.node,
        step=lost.step,
        next_step=next_step,
    )


def find_in_force(session: Session, run: str) -> tuple[PlannedStep, ...]:
    """What that run put in place. Where its journal can't be read any more: what the definition has it put there."""
    try:
        return find_steps(session, load_run(session, run))
    except (OSError, TanistError) as error:
        session.note(f"{error}: taken down by the definition")
        return build_stated(session.controller, session.node, run)


def find_steps(session: Session, state: RunState) -> tuple[PlannedStep, ...]:
    """What may be in use: a release, a restore or a grow works on what another run put in place."""
    started = state.started
    if started.kind in ("release", "restore", "grow") and started.in_force:
        return find_in_force(session, started.in_force)
    return state.touched


@contextlib.contextmanager
def resetting(session: Session) -> Iterator[None]:
    """The machine resets itself unless the block ends within the definition's time."""
    gate = session.controller.gate
    timer = session.host.arm_reset(gate.stop_within) if gate.reset else None
    yield
    if timer is not None:
        timer.close()


def cut_short(session: Session, held: Held) -> None:
    """The two acts that end all harm, beside a run of this node's own. It finds its tree dead, and gives up."""
    steps = find_in_force(session, held.run)
    acts = [partial(cut_off, session, target) for target in find_mounts(session, steps)]
    adds = [step.spec for step in steps if isinstance(step.spec, AddAddress)]
    acts += [partial(session.host.remove_address, one.address) for one in adds]
    for act in acts:
        try:
            act()
        except OSError as error:
            session.note(f"not cut off: {error}")


def cut_off(session: Session, target: str) -> None:
    """btrfs and an export can't be, and an unmount would write to what is another node's: the machine resets, without a
    sync."""
    try:
        session.host.cut_off(target)
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP) or not session.controller.gate.reset:
            raise
        session.note(f"not cut off: {error}; this machine resets now")
        session.host.arm_reset(0.0)


def take_down(session: Session, steps: tuple[PlannedStep, ...], *, foreign: bool) -> None:
    """Again and again until nothing of the controller is in use: only a reset ends it earlier."""
    tried = 0
    while True:
        for act in build_acts(session, steps, foreign=foreign, hard=tried > 0):
            try:
                act()
            except (OSError, TanistError) as error:
                session.note(f"not taken down: {error}")
        left = find_left(session)
        if not left:
            return
        tried += 1
        session.note(f"still in use: {'; '.join(left)}")
        session.host.sleep(AGAIN)


def find_left(session: Session) -> tuple[str, ...]:
    """What is in use, and services that are not wholly stopped: one that is stopping writes."""
    units = [one.unit for one in session.controller.services if not is_stopped(session.host, one.unit)]
    left = find_activity(session)
    return (*left, *(f"{unit} is not stopped" for unit in units if f"{unit} runs" not in left))


def build_acts(
    session: Session, steps: tuple[PlannedStep, ...], *, foreign: bool, hard: bool
) -> Iterator[Callable[[], None]]:
    """In the order of their urgency. `hard`: what would not stop is killed."""
    backwards = tuple(reversed(steps))
    context = session.context
    mounts = find_mounts(session, steps)
    if foreign:
        yield from (partial(cut_off, session, target) for target in mounts if not hard)
    for step in backwards:
        if isinstance(step.spec, ArmCron):
            yield partial(park_cron, step.spec, context)
    for step in backwards:
        if isinstance(step.spec, AddAddress):
            yield partial(session.host.remove_address, step.spec.address)
    for step in backwards:
        if isinstance(step.spec, StartService):
            yield partial(stop_service, session, step.spec, hard=hard)
    if hard and session.controller.asset.kind == "nfs":
        yield from (partial(session.host.abandon_export, target) for target in mounts)
    if hard:
        yield from (partial(kill_users, session, target) for target in mounts)
    later = [step for step in backwards if isinstance(step.spec, (ServeAlias, *MOUNTS))]
    for step in [*later, *(step for step in backwards if is_tree(step))]:
        yield partial(handler_for(type(step.spec)).undo, step.spec, context)


def find_mounts(session: Session, steps: tuple[PlannedStep, ...]) -> tuple[str, ...]:
    """Where the asset's file system is mounted now."""
    targets = [step.spec.target for step in reversed(steps) if isinstance(step.spec, (MountHidden, MountTree))]
    return tuple(one for one in dict.fromkeys(targets) if mounted_at(session.host, one) is not None)


def is_tree(step: PlannedStep) -> bool:
    return isinstance(step.spec, (MountHidden, MountTree, MapTree))


def stop_service(session: Session, spec: StartService, *, hard: bool) -> None:
    """At most a third of the time: the rest is for killing it, and for the others."""
    patience = min(spec.stop_timeout, session.controller.gate.stop_within / 3)
    if hard and not is_stopped(session.host, spec.unit):
        session.host.run(["systemctl", "kill", "--signal=SIGKILL", "--", spec.unit], ok=None, timeout=patience)
    handler_for(StartService).undo(replace(spec, stop_timeout=patience), session.context)


def kill_users(session: Session, target: str) -> None:
    """Whoever still has files open below a tree that is another node's (fuser(1))."""
    session.host.run(["fuser", "-k", "-KILL", "-M", "-m", target], ok=None, timeout=10)


def stand_back(session: Session, held: Held, opinion: Opinion, claim: Claim | Unread) -> None:
    """A failure here leaves the run open: nothing is in use any more, and a person ends it."""
    in_force = load_run(session, held.run).steps
    reason = f"lost while this node was up: {opinion.why}"
    epoch = held.epoch if isinstance(claim, Unread) else claim.epoch
    if find_open_run(session) is not None:
        return
    _, journal = begin_run(session, "release", epoch=epoch, reason=reason, in_force=held.run)
    session.engine(journal).execute("loss", lambda: PlanMade(part="loss", plan=build_loss(in_force)))
    clear_active(session)
    if not isinstance(claim, Unread):
        save_claim_seen(session, claim)
    finish(session, journal, f"inert: {opinion.why}")
