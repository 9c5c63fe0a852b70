"""tanist drill: a takeover by this standby, rehearsed for real while production works on, and everything taken down.

docs/design/drill.md says what a drill proves and what it does not. A drill never opens the asset, never holds the
run lock, and gives way at once when a run begins here.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator

from tanist.capture.manifest import Entry, Manifest
from tanist.facts.idmaps import read_no_idmap
from tanist.facts.sshkeys import read_ssh_unit
from tanist.host.environment import ENVIRONMENT
from tanist.journal.journal import Journal
from tanist.journal.state import RunState, read_run
from tanist.model.codec import decode, encode
from tanist.model.dataclasses import dataclass, field
from tanist.model.drill import CellJob, CellPlan, CellWord, DrillResult, DrillStep, Stage
from tanist.model.errors import Busy, Failed, Refused, TanistError
from tanist.model.event import Event
from tanist.model.run import RunEnded
from tanist.plan import cell, places
from tanist.plan.addresses import service_addresses
from tanist.plan.forecast import build_forecast
from tanist.runs.choose import check_fitness, choose_capture
from tanist.runs.drill_copy import ask_measure, check_room, copy_tree
from tanist.runs.drills import IN_CELL, drilling, first_record, home_of, name_drill, save_result, scope_of, scratch_of
from tanist.runs.history import load_history, save_history
from tanist.runs.mirrored import readable
from tanist.runs.peers import known_controllers
from tanist.runs.session import Session, read_active
from tanist.runs.setup import COMMANDS
from tanist.runs.switchover import find_owner
from tanist.runs.takeover import read_mmp
from tanist.runs.verification import giving_way

PROGRAM = f"/usr/local/bin/{COMMANDS[0]}"
NEEDED = {"systemd-nspawn": "systemd-container", "unshare": "util-linux", "setpriv": "util-linux", "tar": "tar"}


@dataclass(slots=True, kw_only=True)
class Record:
    """What is known of a drill so far."""

    session: Session
    run: str
    reason: str
    began: float
    begun: float  # monotonic
    capture: str = ""
    data: str = "none: it did not get that far"
    steps: list[DrillStep] = field(default_factory=list)
    word: CellWord | None = None
    state: RunState | None = None

    @contextlib.contextmanager
    def step(self, says: str) -> Iterator[None]:
        """Timed, told and kept, also when it fails."""
        begun = self.session.host.monotonic()
        ok = False
        try:
            yield
            ok = True
        finally:
            seconds = round(self.session.host.monotonic() - begun, 3)
            self.steps.append(DrillStep(says=says, seconds=seconds, ok=ok))
            self.session.report(Event(kind="done" if ok else "failed", says=says, seconds=seconds))


def drill(session: Session, reason: str = "") -> DrillResult:
    """Refused or Busy: there was no drill. Anything that goes wrong later is a drill that failed, and is kept."""
    refuse_unfit(session)
    with drilling(session), giving_way(session):
        owner = find_source(session)
        record = Record(
            session=session,
            run=name_drill(session),
            reason=reason,
            began=session.host.now(),
            begun=session.host.monotonic(),
        )
        failure = ""
        try:
            rehearse_all(record, owner)
        except Busy:
            raise
        except (TanistError, OSError) as error:
            failure = error.message if isinstance(error, TanistError) else str(error)
        return keep(record, failure)


def find_source(session: Session) -> str:
    """The node that the tree is copied from."""
    try:
        return find_owner(session)
    except Refused as refused:
        raise Refused(
            f"a drill works on a copy of the tree, and no living owner gives one: {refused.message}",
            next_step=refused.next_step,
        ) from refused


def refuse_unfit(session: Session) -> None:
    if read_active(session):
        raise Refused(
            f"{session.node} is the active node of {session.name}: a drill is for a standby",
            next_step=f"on the other node: tanist drill {session.name}",
        )
    missing = sorted(
        {package for program, package in NEEDED.items() if not shutil.which(program, path=ENVIRONMENT["PATH"])}
    )
    if missing:
        raise Refused(
            f"a drill needs {', '.join(missing)} on {session.node}",
            next_step=f"apt install {' '.join(missing)}   (or dnf, zypper)",
        )


def rehearse_all(record: Record, owner: str) -> None:
    session = record.session
    scratch = scratch_of(session)
    peer = session.controller.node(owner)
    home = home_of(session)
    for directory in (home, scratch):
        session.host.files.make_directory(directory, 0o700)
    with readable(session) as captures:
        with record.step("the newest mirrored capture is whole, and this node fits it"):
            store, manifest = choose_capture(session, captures)
            record.capture = store.rsplit("/", 1)[1]
            check_fitness(session, manifest)
        with record.step(f"copy the tree from {owner}"):
            measured = ask_measure(session, peer)
            check_room(session, scratch, measured)
            record.data = copy_tree(session, peer, measured, f"{scratch}/tree")
        shared = find_shared_users(session, manifest)
        users = f"without a user namespace: {shared}" if shared else "in a user namespace of its own"
        with record.step(f"the rehearsal in its cell, {users}"):
            enter_cell(record, home, session.host.files.real(captures), own_users=not shared)
    if record.word is not None and record.word.failure:
        raise Failed(record.word.failure, node=session.node)


def find_shared_users(session: Session, manifest: Manifest) -> str:
    """Why the cell's root has to be this machine's own, "" where it has a user namespace."""
    version = session.host.run(["systemd-nspawn", "--version"]).text
    try:
        most = session.host.files.read("/proc/sys/user/max_user_namespaces", 64).decode()
    except OSError:
        most = ""
    return cell.why_not_own_users(session.controller, find_marked(manifest.entries), version, most)


def find_marked(entries: Iterable[Entry]) -> str:
    """A path with attributes that the kernel lets only the machine's own root set, "" where there is none."""
    for one in entries:
        if one.attributes.flags or any(name.startswith("trusted.") for name, _ in one.attributes.xattrs):
            return one.path
    return ""


def enter_cell(record: Record, home: str, captures: str, *, own_users: bool) -> None:
    """The word of the cell and its journal are kept in the record. Failed when it ended without."""
    session, exchange = record.session, f"{home}/exchange"
    files = session.host.files
    for directory in (exchange, f"{home}/cell"):
        files.make_directory(directory, 0o700)
    wanted = [one.interface for one in service_addresses(session.controller, session.node)]
    job = CellJob(
        run=record.run,
        who=session.who,
        reason=record.reason,
        store=f"{cell.CAPTURES}/{record.capture}",
        interfaces=cell.choose_interfaces(session.host.interfaces(), wanted),
    )
    plan = CellPlan(
        directory=f"{home}/cell",
        clones=cell.choose_clones(session.host.mounts(), not_cloned(session)),
        machine=f"tanist-drill-{session.name}"[:64],
        hostname=session.host.hostname(),
        ssh_unit=read_ssh_unit(session.host),
        program=PROGRAM,
        exchange=exchange,
        captures=captures,
        tree=(f"{scratch_of(session)}/tree", session.controller.tree),
        seconds=session.controller.drill.timeout,
        own_users=own_users,
    )
    files.write(f"{exchange}/{cell.JOB}", json.dumps(encode(job)).encode())
    files.write(f"{home}/cell.json", json.dumps(encode(plan)).encode())
    argv = cell.build_enter(scope_of(session.name), [PROGRAM, "cell", session.name, f"{home}/cell.json"])
    ran = session.host.run(argv, timeout=plan.seconds + 60, ok=None)
    hear(record, exchange, ran.complaint)


def not_cloned(session: Session) -> tuple[str, ...]:
    """Trees and what is bound out of them: of no controller may anything be seen in the cell but the one copy."""
    found = [home_of(session), scratch_of(session)]
    for one in known_controllers(session):
        found += [one.tree, places.hidden(one.name), *(bind.target for bind in one.binds)]
    return tuple(found)


def hear(record: Record, exchange: str, complaint: str) -> None:
    session = record.session
    files = session.host.files
    if files.exists(f"{exchange}/journal.jsonl"):
        journal = Journal.load(session.host, f"{exchange}/journal.jsonl")
        if journal.records:
            record.state = read_run(journal.records)
            directory = places.drills(session.name)
            files.make_directory(directory, 0o700)
            files.write(f"{directory}/{record.run}.jsonl", files.read(journal.path, 64 << 20), 0o600)
    if not files.exists(f"{exchange}/{cell.WORD}"):
        said = [read_tail(session, f"{exchange}/{name}") for name in ("said", "console")]
        raise Failed(
            "the cell ended without a word: " + ("; ".join(filter(None, said)) or complaint), node=session.node
        )
    record.word = decode(CellWord, json.loads(files.read(f"{exchange}/{cell.WORD}")), "the cell's word")


def read_tail(session: Session, path: str) -> str:
    if not session.host.files.exists(path):
        return ""
    lines = session.host.files.read(path, 64 << 20).decode("utf-8", "replace").strip().splitlines()
    return " / ".join(lines[-5:])


def keep(record: Record, failure: str) -> DrillResult:
    """The result, its journal and the history have it."""
    session = record.session
    journal = end_journal(record, failure)
    result = DrillResult(
        run=record.run,
        kind="isolated",
        node=session.node,
        who=session.who,
        reason=record.reason,
        began=round(record.began, 3),
        seconds=round(session.host.monotonic() - record.begun, 3),
        result="failed" if failure else "passed",
        says=failure or f"{session.node} became {session.name} in its cell, and every check passed",
        words=record.word.words if record.word else "",
        capture=record.capture,
        data=record.data,
        steps=(*record.steps, *inner_steps(record)),
        checked=record.word.checked if record.word else (),
        forecast=foretell(record),
    )
    save_result(session, result)
    save_history(session, journal)
    return result


def inner_steps(record: Record) -> Iterator[DrillStep]:
    state = record.state
    for step in state.steps if state else ():
        status = state.status[step.id] if state else ""
        if status != "planned":
            seconds = state.seconds.get(step.id, 0.0) if state else 0.0
            yield DrillStep(says=f"{IN_CELL}{step.says}", seconds=seconds, ok=status == "done")


def foretell(record: Record) -> tuple[Stage, ...]:
    if record.state is None:
        return ()
    session, state = record.session, record.state
    return build_forecast(
        session.controller,
        session.node,
        steps=[(step, state.seconds.get(step.id, 0.0)) for step in state.steps],
        mmp=read_mmp(session) if session.controller.asset.mounted else None,
        no_idmap=read_no_idmap(session.host, session.controller),
        history=load_history(session),
    )


def end_journal(record: Record, failure: str) -> Journal:
    """That of the cell, or one of two records where there was none; ended in any case."""
    session = record.session
    path = f"{places.drills(session.name)}/{record.run}.jsonl"
    session.host.files.make_directory(places.drills(session.name), 0o700)
    if record.state is not None:
        journal = Journal.load(session.host, path)
    else:
        journal = Journal(session.host, path)
        journal.append(first_record(session, record.run, reason=record.reason, capture=record.capture))
    if read_run(journal.records).ended is None:
        seconds = round(session.host.monotonic() - record.begun, 3)
        journal.append(RunEnded(outcome="failed", summary=f"drill failed: {failure}", seconds=seconds))
    return journal
