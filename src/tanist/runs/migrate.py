"""storage migrate: an installed and running server's tree moves onto the asset, before it has a claim; and back."""

from __future__ import annotations

from typing import Literal

from tanist.engine import Engine, StepFailure, still_stands
from tanist.facts.storage import read_claim_offline, read_marks
from tanist.journal.journal import Journal
from tanist.model.errors import Failed, Refused
from tanist.model.host import Mount
from tanist.model.run import PlanMade
from tanist.model.steps import MountTree, StartService
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.plan.migrate import Way, back, build_copy, build_move, build_move_back, forth
from tanist.plan.render import render_plan
from tanist.runs.filing import begin_run, demand_shown, finish, refuse_open_run
from tanist.runs.pairing import find_not_enabled
from tanist.runs.prechecks import check_node
from tanist.runs.session import Session, exclusive, read_active
from tanist.steps.storage import mounted_at

MoveKind = Literal["migrate", "migrate-back"]


def migrate(session: Session, reason: str = "") -> None:
    with exclusive(session, "storage migrate"):
        check_migrate(session)
        _, journal = begin_run(session, "migrate", epoch=0, reason=reason)
        drive_migrate(session, journal)


def migrate_back(session: Session, reason: str = "") -> None:
    """What was written on the asset meanwhile comes back with it."""
    with exclusive(session, "storage migrate"):
        check_migrate_back(session)
        _, journal = begin_run(session, "migrate-back", epoch=0, reason=reason)
        drive_migrate(session, journal)


def describe_migrate(session: Session, kind: MoveKind) -> str:
    """What it would do; nothing is changed. Refused where it would be."""
    (check_migrate if kind == "migrate" else check_migrate_back)(session)
    controller = session.controller
    way = forth(controller) if kind == "migrate" else back(controller)
    move = _plan_move(session, kind, "RUN")
    return f"{render_plan(_plan_copy(session, way).plan)}\n{render_plan(move.plan)}"


def drive_migrate(session: Session, journal: Journal) -> None:
    """A failure while the server is still at work leaves it so; one that comes later waits for a person's word."""
    engine = session.engine(journal)
    started = engine.state.started
    begun = session.host.monotonic()
    kind: MoveKind = "migrate-back" if started.kind == "migrate-back" else "migrate"
    way = forth(session.controller) if kind == "migrate" else back(session.controller)
    if "move" not in engine.state.parts:
        try:
            engine.execute("copy", lambda: _plan_copy(session, way))
        except StepFailure as failure:
            engine.undo()
            finish(session, journal, f"undone: {failure.message}", outcome="undone")
            raise Failed(f"{failure.message}. The server was not touched", node=session.node) from failure
    still = session.host.monotonic()
    engine.execute("move", lambda: _plan_move(session, kind, started.run))
    _verify(session, engine)
    outage = session.host.monotonic() - still
    session.host.files.remove(places.same(session.name))
    where = session.controller.asset.device if kind == "migrate" else "its old place again"
    finish(session, journal, f"the tree is on {where}; the server stood still for at most {outage:.1f} s", begun)
    session.note(_next_step(session, kind, outage))


def _plan_copy(session: Session, way: Way) -> PlanMade:
    marks = read_marks(session.host, session.controller.asset)
    if isinstance(marks, Unread):
        raise Refused(f"the asset can't be read: {marks.why}")
    return PlanMade(part="copy", plan=build_copy(session.controller, way, marks.uuid))


def _plan_move(session: Session, kind: MoveKind, run: str) -> PlanMade:
    controller = session.controller
    plan = build_move_back(controller, run)
    if kind == "migrate":
        plan = build_move(controller, run, mounted_at(session.host, controller.tree))
    return PlanMade(part="move", plan=plan)


def check_migrate(session: Session) -> None:
    check_common(session)
    host, controller = session.host, session.controller
    tree, aside = controller.tree, places.aside(controller.tree)
    if host.files.stat(tree, follow=False) is None or not host.files.list(tree):
        raise Refused(f"{tree} is not there or empty: is the server installed on {session.node}?")
    here = mounted_at(host, tree)
    if here is not None and here.source == controller.asset.device:
        raise Refused(f"{tree} lies on {here.source} already", next_step=f"tanist init {session.name}")
    if host.files.exists(aside):
        raise Refused(f"{aside} is there, from an earlier move", next_step="look at what it is, and move it away")
    if host.files.exists(f"{tree}/.tanist"):
        raise Refused(f"{tree} has a claim in it: it belongs to a pair already")
    _check_inside(host.mounts(), tree)
    _check_asset(session)


def check_migrate_back(session: Session) -> None:
    check_common(session)
    tree, aside = session.controller.tree, places.aside(session.controller.tree)
    if not session.host.files.exists(aside):
        raise Refused(f"{aside} is not there: no old tree was set aside on {session.node}")
    if session.host.files.exists(f"{tree}/.tanist"):
        raise Refused(
            f"the asset has a claim: {session.name} is a pair's by now, and its tree stays where both can reach it",
            next_step=f"tanist status {session.name}",
        )
    if mounted_at(session.host, tree) is None:
        raise Refused(f"nothing is mounted at {tree}: the tree is not on the asset")


def check_common(session: Session) -> None:
    refuse_open_run(session)
    if session.controller.asset.kind != "filesystem":
        if session.controller.asset.mounted:
            what = f"a tree is not moved onto a filer by tanist: copy it to {session.controller.asset.device} by hand"
            raise Refused(what, next_step="with the server stopped: rsync -aHAXS --numeric-ids; then tanist init")
        raise Refused('there is nothing to move: the asset is a plain directory; see kind = "filesystem"')
    if read_active(session):
        raise Refused(f"{session.node} is the active node of {session.name}: its tree is on the asset")
    check_node(session)
    if session.host.run(["rsync", "--version"], ok=None).status != 0:
        raise Refused(f"rsync is not installed on {session.node}", next_step="apt install rsync")
    if find_not_enabled(session):
        raise Refused(
            f"a boot of {session.node} would start the server without its tree",
            next_step=f"on every node: tanist enable {session.name}",
        )


def _check_inside(mounts: tuple[Mount, ...], tree: str) -> None:
    inside = [mount.target for mount in mounts if mount.target.startswith(f"{tree}/")]
    if inside:
        raise Refused(
            f"other file systems are mounted inside {tree}: {', '.join(inside)}",
            next_step="move what they hold into the tree, or out of it, first",
        )


def _check_asset(session: Session) -> None:
    """A file system that this tanist can read, that nobody uses, with room; one with a claim is somebody's."""
    host, asset = session.host, session.controller.asset
    marks = read_marks(host, asset)
    if isinstance(marks, Unread):
        raise Refused(
            f"the asset can't be read: {marks.why}",
            next_step=f"see what is on it: blkid {asset.device}   (it needs a file system first: mkfs.{asset.fstype})",
        )
    if marks.state != "clean":
        by_hand = "see that no machine has it mounted, and move the tree by hand (manual, 2.2)"
        next_step = by_hand if asset.fstype == "btrfs" and marks.state == "unknown" else ""
        raise Refused(f"{asset.device} is {marks.state}: {marks.detail}", next_step=next_step)
    claim = read_claim_offline(host, asset)
    if not isinstance(claim, Unread):
        raise Refused(f"{asset.device} belongs to a pair already: {claim.controller} is {claim.describe()}")
    ran = host.run(["du", "-sx", "--block-size=1", "--", session.controller.tree], timeout=3600, ok=(0, 1))
    used = int(ran.text.split()[0])
    if marks.size and used > marks.size * 0.95:
        raise Refused(
            f"{session.controller.tree} holds {used / 1e9:.1f} GB, {asset.device} has {marks.size / 1e9:.1f} GB"
        )


def _verify(session: Session, engine: Engine) -> None:
    """The tree where it is to be, and the services at work: looked at afresh."""
    ends = [
        step
        for step in engine.state.parts["move"].plan.steps
        if isinstance(step.spec, MountTree) or (isinstance(step.spec, StartService) and step.direction == "apply")
    ]
    demand_shown(session, [step.says for step in ends if not still_stands(step, session.context)])


def _next_step(session: Session, kind: MoveKind, outage: float) -> str:
    name, tree = session.name, session.controller.tree
    if kind == "migrate-back":
        return f"\nthe server works on its old tree at {tree} again, with all that was written meanwhile"
    aside = places.aside(tree)
    old = f"the old tree is at {aside}" if session.host.files.exists(aside) else "the old file system is unmounted"
    return (
        f"\nthe server works on {session.controller.asset.device} now; {old}\n"
        f"  it stood still for at most {outage:.1f} s\n"
        f"  to go on:   tanist init {name}\n"
        f"  to go back: tanist storage migrate {name} --back   (before init)"
    )
