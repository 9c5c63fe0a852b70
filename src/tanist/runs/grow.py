"""storage grow: the asset as large as its disks have become, while the server is at work. Forward only.

What a boot or a failure cuts off is ended as it is: whatever is half way is whole by itself, and the next grow goes on
from there. Only a run that was killed is resumed.
"""

from __future__ import annotations

from tanist.engine import StepFailure
from tanist.facts.lvm import find_physical
from tanist.facts.sizes import read_rooms
from tanist.journal.journal import Journal
from tanist.journal.state import read_run
from tanist.model.errors import Failed, Refused
from tanist.model.growing import GrowFileSystem, NodeSizes, Room
from tanist.model.layers import LvmLayer
from tanist.model.steps import Plan
from tanist.model.unread import Unread
from tanist.plan.grow import build_grow, find_small, find_strangers, render_rooms, smallest
from tanist.plan.render import render_plan
from tanist.runs.filing import begin_run, demand_plan, finish, refuse_open_run, verify
from tanist.runs.session import Session, load_run, owning, read_active
from tanist.runs.sizes import read_all_sizes
from tanist.steps.storage import mounted_at

PART = "grow"


class Outlook:
    """What every node sees, what is in the way, and what would be done. `leave`: bytes that a group keeps free."""

    def __init__(self, session: Session, leave: int) -> None:
        check_active(session)
        asset, tree = session.controller.asset, session.controller.tree
        self.nodes: dict[str, NodeSizes | Unread] = read_all_sizes(session)
        sizes = smallest(self.nodes)
        strange = tuple(find_strangers(self.nodes))
        self.rooms = () if strange else tuple(read_rooms(session.host, asset, tree, sizes, leave))
        self.obstacles = (*strange, *find_small(self.rooms))
        self.plan: Plan | None = None
        if not self.obstacles:
            whole = [one for one in self.rooms if isinstance(one, Room)]
            self.plan = build_grow(asset, tree, whole, find_disk(session))

    @property
    def steps(self) -> int:
        return len(self.plan.steps) if self.plan is not None else 0

    def render(self, session: Session) -> str:
        asset = session.controller.asset
        lines = [f"{session.name}: {asset.fstype} on {asset.device}; each disk was asked anew how large it is"]
        lines.append(render_rooms(self.nodes, self.rooms))
        if self.plan is not None and self.steps:
            lines.append(render_plan(self.plan))
        return "\n".join(line for line in lines if line)


def find_disk(session: Session) -> str:
    layer = next((one for one in session.controller.asset.layers if isinstance(one, LvmLayer)), None)
    found = find_physical(session.host, layer) if layer else ""
    if isinstance(found, Unread):
        raise Refused(found.why)
    return found


def check_active(session: Session) -> None:
    controller = session.controller
    if controller.asset.kind != "filesystem":
        what = "on a filer, which alone makes it larger" if controller.asset.mounted else "a plain directory"
        raise Refused(f"the asset is {what}: it is as large as the file system that it lies in")
    if not read_active(session):
        raise Refused(
            f"{session.node} is not the active node of {session.name}", next_step="type it on the node that is"
        )
    if mounted_at(session.host, controller.tree) is None:
        raise Refused(f"{controller.tree} is not mounted: it grows while its server is at work")


def demand_clear(session: Session, outlook: Outlook) -> Plan:
    if outlook.obstacles:
        step = f"mend these, then: tanist storage grow {session.name} --dry-run"
        raise Refused("\n".join(outlook.obstacles), next_step=step)
    if outlook.plan is None or not outlook.steps:
        raise Refused("there is nothing to grow: all is as large as what it lies on")
    return outlook.plan


def grow(session: Session, outlook: Outlook, reason: str = "") -> None:
    """`outlook`: what the person has seen and confirmed."""
    with owning(session, "storage grow"):
        refuse_open_run(session)
        check_active(session)
        plan = demand_clear(session, outlook)
        active = read_active(session)
        epoch = load_run(session, active).started.epoch
        _, journal = begin_run(session, "grow", epoch=epoch, reason=reason, in_force=active)
        drive_grow(session, journal, plan)


def drive_grow(session: Session, journal: Journal, plan: Plan | None = None) -> None:
    """`plan`: None for the one in the journal."""
    engine = session.engine(journal)
    begun = session.host.monotonic()

    try:
        engine.execute(PART, lambda: demand_plan(session, PART, plan))
        verify(session, engine)
    except StepFailure as failure:
        end_short(session, journal, failure.message)
        raise Failed(
            f"{failure.message}. What has grown stays so, and the server goes on",
            node=session.node,
            step=failure.step,
            next_step=f"once it is mended: tanist storage grow {session.name}",
        ) from failure
    summary = describe_end(engine.state.parts[PART].plan)
    finish(session, journal, summary, begun)
    session.note(summary)


def resume_grow(session: Session, journal: Journal) -> None:
    """What every node sees is looked at once more: a disk may have been put back."""
    check_active(session)
    if obstacles := tuple(find_strangers(read_all_sizes(session))):
        raise Refused("\n".join(obstacles), next_step=f"mend these, or: tanist undo {session.name}")
    drive_grow(session, journal)


def end_short(session: Session, journal: Journal, why: str) -> None:
    """Nothing is taken back, and nothing has to be."""
    state = read_run(journal.records)
    done = [step.says for step in state.steps if state.status[step.id] == "done"]
    stays = f"; stays: {'; '.join(done)}" if done else "; no step had ended"
    finish(session, journal, f"{why}{stays}", outcome="failed")


def describe_end(plan: Plan) -> str:
    file_systems = [step for step in plan.steps if isinstance(step.spec, GrowFileSystem)]
    told = [step.says.removeprefix("grow ") for step in file_systems or plan.steps]
    return f"grown, with the server at work: {'; '.join(told)}"


def parse_size(text: str) -> int:
    """ "20G", "512M": binary units, in bytes. Refused else."""
    units = {"M": 20, "G": 30, "T": 40}
    number, unit = text[:-1], text[-1:].upper()
    if not number.isdigit() or unit not in units:
        raise Refused(f"{text!r} is no size: 512M, 20G, 1T")
    return int(number) << units[unit]
