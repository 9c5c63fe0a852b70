"""Before each step that depends on the claim it is read once more, as the disk has it: a stale node always loses.

A run may have been asleep for as long as it likes between two instructions, with its clock stopped or not (a paused
guest, SIGSTOP, a stalled disk), while another node took over. So no clock is asked, but the claim: in place past the
page cache where the tree is mounted, else from the raw device. One read of 8 KiB, nothing written. What is left is the
moment between the look and the act; only a reservation or a mount guard closes that one.
"""

from __future__ import annotations

from typing import Literal

from tanist.facts.storage import load_claim_here, read_claim_seen
from tanist.journal.state import RunState
from tanist.model.claim import Claim
from tanist.model.errors import Failed, Lost
from tanist.model.steps import CreateGroup, CreateUser, HoldClaim, PlannedStep
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.plan.release import letting_go
from tanist.runs.session import Session

Phase = Literal["before", "raising", "held", "leaving", "returning"]
OWN = (CreateGroup, CreateUser)  # of the node alone
GIVING = ("give-back", "loss")  # parts that return what is the node's own, whoever has the controller


class Guard:
    """For one engine. Lost where the claim is another owner's; Failed where it is not what the run was made for."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, state: RunState, step: PlannedStep) -> None:
        if depends(self._session, state, step):
            demand_claim(self._session, state, step.id)


def demand_claim(session: Session, state: RunState, step: str = "") -> None:
    """Also asked at a run's end: what was verified is not to be another node's."""
    found = read_claim_now(session)
    epoch, me = state.started.epoch, session.node
    if is_lost(found, me, epoch) and isinstance(found, Claim):
        raise Lost(f"the claim is {found.describe()}", found, node=me, step=step)
    if isinstance(found, Unread) and step.startswith("fence-") and is_with_the_other(session):
        return
    if problem := find_problem(found, epoch, phase_of(state)):
        raise Failed(problem, node=me, step=step)


def is_with_the_other(session: Session) -> bool:
    """A volume that is attached to one node at a time, and of two to the other one: nobody else can have taken over
    meanwhile. Its claim is read, and judged, once that node is stopped."""
    controller = session.controller
    if not controller.asset.exclusive or len(controller.nodes) != 2:
        return False
    from tanist.runs.attach import describe_held  # few assets need it

    return bool(describe_held(session))


def depends(session: Session, state: RunState, step: PlannedStep) -> bool:
    """What is taken away without the tree mounted here is the node's own; a release has it until it let go."""
    if isinstance(step.spec, OWN) or step.id.rpartition(".")[0] in GIVING:
        return False
    if state.started.kind in ("migrate", "migrate-back", "prepare"):
        return False  # there is no claim before `init`
    if state.undoing:
        return bool(find_tree(session))
    if state.started.kind == "init" and state.started.epoch == 1 and phase_of(state) != "held":
        return False  # there is no claim yet; the step that makes the first one looks for itself
    if state.started.kind == "release":
        last = [found for part in state.parts.values() if (found := letting_go(part.plan))]
        return bool(find_tree(session)) and (not last or state.status[last[-1].id] != "done")
    return True


def phase_of(state: RunState) -> Phase:
    """What the claim must be, going by the records: this run's epoch is not raised yet, being raised, or held."""
    kind = state.started.kind
    if state.undoing and kind == "release":
        return "returning"
    holds = [state.status[step.id] for step in state.steps if isinstance(step.spec, HoldClaim)]
    if state.undoing or (kind == "release" and holds and holds[-1] != "planned"):
        return "leaving"
    if kind in ("start", "restore", "release", "grow"):
        return "held"
    status = holds[-1] if holds else "planned"
    return "before" if status == "planned" else "held" if status == "done" else "raising"


def is_lost(found: Claim | Unread, me: str, epoch: int) -> bool:
    """Higher than the epoch that the run works for, or that one in another's hands (docs/formats.md)."""
    return isinstance(found, Claim) and (found.epoch > epoch or (found.epoch == epoch and found.node != me))


def find_problem(found: Claim | Unread, epoch: int, phase: Phase) -> str:
    """ "" where the run may go on. What is taken away may be so without a word of the disk; nothing is put in place,
    nor put back by a release that is taken back."""
    if phase == "leaving":
        return ""
    if isinstance(found, Unread):
        return f"the claim can't be read: {found.why}"
    lowest = epoch if phase in ("held", "returning") else epoch - 1
    if found.epoch < lowest:
        return f"the disk shows an old claim ({found.describe()}), not epoch {lowest}"
    if phase == "held" and found.state != "held":
        return f"the claim is {found.describe()}, and no run of this node did that"
    return ""


def find_tree(session: Session) -> str:
    """Where the tree is in this node's reach: mounted, or a plain directory. "" where it is not."""
    controller = session.controller
    if not controller.asset.mounted:
        return controller.tree
    mounted = {mount.target for mount in session.host.mounts()}  # read once: this is asked before each step
    return next((one for one in (places.hidden(controller.name), controller.tree) if one in mounted), "")


def read_claim_now(session: Session) -> Claim | Unread:
    """As the disk has it: in place, or from the raw device, which can be read when its file system was cut off."""
    host, controller, tree = session.host, session.controller, find_tree(session)
    found = load_claim_here(host, controller.asset, tree) if tree else Unread("not mounted")
    if isinstance(found, Claim) or controller.asset.kind == "directory":
        return found
    seen = read_claim_seen(host, controller.asset, controller.tree)  # an old one too: the verdict has weighed that
    return seen if isinstance(seen, Unread) else seen.claim
