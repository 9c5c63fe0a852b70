"""storage plan, storage prepare: from bare disks that all nodes see to the asset that the definition states."""

from __future__ import annotations

import os
import uuid
from itertools import pairwise

from tanist.engine import Engine, StepFailure
from tanist.facts.storage import read_claim_offline
from tanist.journal.journal import Journal
from tanist.journal.state import RunState
from tanist.model.asset_steps import EraseDisk, MakeArray, MakeFileSystem, MakeVolume, ProveShared
from tanist.model.dataclasses import replace
from tanist.model.disks import DiskSurvey, SeenDisk
from tanist.model.errors import Failed, Refused
from tanist.model.steps import Plan, PlannedStep
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread
from tanist.plan.disks import (
    Chosen,
    Wanted,
    choose,
    describe,
    find_advice,
    find_obstacles,
    find_unmade,
    render_seen,
    says,
)
from tanist.plan.filesystems import describe_features
from tanist.plan.last_look import find_intruders
from tanist.plan.prepare import Fresh, build_prepare
from tanist.plan.proposal import build_proposal, find_candidates, pick
from tanist.plan.render import render_plan
from tanist.runs.disks import Look, survey_all
from tanist.runs.filing import begin_run, demand_plan, finish, refuse_open_run
from tanist.runs.peers import known_controllers
from tanist.runs.session import Session, exclusive, read_active
from tanist.steps.prepare import Untouched

WRITING = (EraseDisk, ProveShared, MakeArray, MakeVolume, MakeFileSystem)
PART = "prepare"


# -- the plan, read only
class Outlook:
    """What was seen, what is in the way, and what would be done."""

    def __init__(self, session: Session, wanted: Wanted, run: str) -> None:
        self.surveys = survey_all(session, Look(programs=True, exclusive=True))
        others = {one.name: one.asset.disks for one in known_controllers(session) if one.name != session.name}
        self.obstacles = find_obstacles(session.controller, self.surveys, wanted, others)
        claim = read_claim_offline(session.host, session.controller.asset)
        if not isinstance(claim, Unread):
            self.obstacles += (f"the asset has a claim: {claim.controller} is {claim.describe()}",)
        read = [one for one in self.surveys.values() if isinstance(one, DiskSurvey)]
        self.chosen = choose(session.controller.asset, read) if len(read) == len(self.surveys) else ()
        self.programs = [one.programs for one in read if one.programs is not None]
        self.plan: Plan | None = None
        if (
            self.chosen
            and len(self.chosen) == len(session.controller.asset.disks)
            and not [*find_unmade(session.controller.asset)]
        ):
            self.plan = build_prepare(session.controller, self.chosen, self.programs, make_fresh(), run, wanted)

    def render(self, session: Session, wanted: Wanted) -> str:
        asset = session.controller.asset
        lines = [f"{session.name}: {asset.fstype} on {asset.device}, seen from {' and '.join(self.surveys)}"]
        lines.append(render_seen(self.chosen))
        if self.plan is not None:
            lines.append(render_plan(self.plan))
            lines.append(f"features {describe_features(asset.fstype, self.programs, quota=wanted.quota)}")
        lines += [f"note: {one}" for one in find_advice(session.controller, self.chosen, self.programs)]
        return "\n".join(line for line in lines if line)


def make_fresh() -> Fresh:
    return Fresh(filesystem=str(uuid.UUID(bytes=os.urandom(16), version=4)), volume=make_volume_uuid())


def make_volume_uuid() -> str:
    """As LVM writes them: 32 letters and digits in groups of 6, 4, 4, 4, 4, 4, 6."""
    letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = "".join(letters[one % len(letters)] for one in os.urandom(32))
    ends = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(text[start:end] for start, end in pairwise(ends))


def describe_prepare(session: Session, wanted: Wanted) -> tuple[str, tuple[str, ...]]:
    """The plan as text, and what is in its way. Changes nothing."""
    outlook = Outlook(session, wanted, "RUN")
    return outlook.render(session, wanted), outlook.obstacles


def propose(session: Session, *, disks: tuple[str, ...], fstype: str, lvm: bool) -> str:
    """The [asset] table for the bare disks that all nodes see, to be pasted. Changes nothing."""
    surveys = survey_all(session, Look(every=True))
    deaf = [f"{node} can't be asked: {one.why}" for node, one in surveys.items() if isinstance(one, Unread)]
    if deaf:
        raise Refused("; ".join(deaf), next_step=f"tanist pair {session.name}")
    read = [one for one in surveys.values() if isinstance(one, DiskSurvey)]
    candidates = find_candidates(read)
    lines = [f"disks that {' and '.join(surveys)} see by one name, and nobody uses:"]
    lines += [f"  {one.path}  {describe(one.here)}; {says(one.here)}" for one in candidates]
    chosen = find_named(candidates, disks) if disks else pick(candidates) if candidates else ()
    if not chosen:
        raise Refused("\n".join([*lines, "  none"]), next_step="show both machines the same disk (SAN zoning, iSCSI)")
    text = build_proposal(
        session.name, chosen, fstype=fstype, lvm=lvm, array_uuid=str(uuid.UUID(bytes=os.urandom(16), version=4))
    )
    lines += [
        "",
        f"for /etc/tanist/controllers/{session.name}.toml on every node, instead of its [asset]:",
        "",
        text,
        "",
    ]
    if len(chosen) == 1:
        lines.append("one disk: not redundant, unless what is behind it is ([storage] redundant_by)")
    else:
        lines.append("whether the two hang on one shelf, power strip or cable is not seen from here: look, or --disk")
    lines.append(f"then: tanist storage plan {session.name}")
    return "\n".join(lines)


def find_named(candidates: tuple[Chosen, ...], disks: tuple[str, ...]) -> tuple[Chosen, ...]:
    found = []
    for word in disks:
        fits = [one for one in candidates if word in named(one.here, one.path)]
        if not fits:
            raise Refused(f"--disk {word}: no disk that every node sees, and nobody uses, is called that")
        found.append(fits[0])
    return tuple(found)


def named(disk: SeenDisk, path: str) -> tuple[str, ...]:
    return path, *disk.names, disk.serial, disk.wwn


# -- the run
def prepare(session: Session, wanted: Wanted, outlook: Outlook, reason: str) -> None:
    """`outlook`: what the person has seen and confirmed. Everything is looked at again before the first write."""
    with exclusive(session, "storage prepare"):
        refuse_open_run(session)
        demand_clear(outlook.obstacles)
        if read_active(session):
            raise Refused(f"{session.node} is the active node of {session.name}")
        plan = outlook.plan
        if plan is None:
            raise Refused("there is no plan to follow")
        said = f"may be erased: {', '.join(wanted.erase)}" if wanted.erase else ""
        run, journal = begin_run(session, "prepare", epoch=0, reason=reason, attested=said)
        drive_prepare(session, journal, with_run(plan, run))


def demand_clear(obstacles: tuple[str, ...]) -> None:
    if obstacles:
        raise Refused("\n".join(obstacles), next_step="mend these, then try again; nothing was written")


def with_run(plan: Plan, run: str) -> Plan:
    """The plan that was shown, with the name of its run."""

    def named_step(step: PlannedStep) -> PlannedStep:
        if isinstance(step.spec, (EraseDisk, ProveShared)):
            return replace(step, spec=replace(step.spec, run=run))
        return step

    return replace(plan, steps=tuple(map(named_step, plan.steps)))


def drive_prepare(session: Session, journal: Journal, plan: Plan | None = None) -> None:
    """A failure before anything was written ends the run; a later one waits for a person's word."""
    engine = prepare_engine(session, journal)
    begun = session.host.monotonic()

    try:
        engine.execute(PART, lambda: demand_plan(session, PART, plan))
    except StepFailure as failure:
        state = engine.state
        if isinstance(failure.__cause__, Untouched) and len(state.touched) == 1 and not state.resumed:
            engine.undo()
            finish(session, journal, f"undone: {failure.message}", outcome="undone")
            raise Refused(f"{failure.message}. Nothing was written") from failure
        raise
    verify_prepared(session, engine)
    asset = session.controller.asset
    finish(session, journal, f"{asset.device} is made and let go, {asset.fstype}", begun)


def prepare_engine(session: Session, journal: Journal) -> Engine:
    context = replace(session.context, read_tokens=lambda: read_tokens(session))
    return Engine(context, journal, session.report, LastLook(session))


class LastLook:
    """Before each act that writes all nodes are looked at once more: whoever uses a disk by now stops it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, state: RunState, step: PlannedStep) -> None:
        if not isinstance(step.spec, WRITING) or (state.undoing and isinstance(step.spec, EraseDisk)):
            return
        session = self._session
        surveys = survey_all(session, Look(exclusive=True))
        begun = frozenset(one.id for one in state.touched)
        if found := find_intruders(state.parts[PART].plan, begun, surveys, session.node):
            raise Untouched("; ".join(found), node=session.node)


def read_tokens(session: Session) -> tuple[tuple[str, str, str], ...]:
    """As the other nodes read them now, from their own way to the disk."""
    found = []
    for node, survey in survey_all(session, Look()).items():
        if node == session.node:
            continue
        for path in session.controller.asset.disks:
            disk = survey.find(path) if isinstance(survey, DiskSurvey) else None
            why = survey.why if isinstance(survey, Unread) else "no such disk"
            found.append((node, path, disk.token if disk else why))
    return tuple(found)


def verify_prepared(session: Session, engine: Engine) -> None:
    """Every node sees the new file system clean and unclaimed, and nothing of it is assembled anywhere."""
    wanted = next(one.spec.uuid for one in engine.state.steps if isinstance(one.spec, MakeFileSystem))
    problems = []
    for node, survey in survey_all(session, Look(exclusive=True, state=True)).items():
        if isinstance(survey, Unread):
            problems.append(f"{node} can't be asked: {survey.why}")
            continue
        if not isinstance(survey.state, StorageMarks):
            problems.append(f"{node}: {survey.state.why if survey.state else 'it did not look'}")
        elif (survey.state.state, survey.state.uuid) != ("clean", wanted):
            problems.append(f"{node} sees {survey.state.fstype} {survey.state.uuid}, {survey.state.detail}")
        for path in session.controller.asset.disks:
            disk = survey.find(path)
            problems += [f"{node}: {path}: {one}" for one in ((*disk.uses, *disk.holders) if disk else ("is gone",))]
    if problems:
        raise Failed(
            "it was made, but not all is as it should be: " + "; ".join(problems),
            node=session.node,
            next_step=f"tanist resume {session.name}   or   tanist undo {session.name}",
        )
    session.note(f"every node sees {session.controller.asset.device}: clean, nobody has it")
