"""The drills of this node: their results kept, one at a time, and nothing of a dead one left behind.

A drill's processes, mounts and network end with it, whatever ends it. What can stay is the copy of the tree in the
scratch directory and the scope's name; `sweep` finds and removes both.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from tanist.model.codec import decode, encode
from tanist.model.drill import Drilled, DrillResult
from tanist.model.errors import Busy, Failed
from tanist.model.run import RunStarted
from tanist.model.times import is_to_come
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs.session import TOOL, Session, name_run

KEEP = 50  # results and journals
ENDINGS = ("json", "jsonl")
IN_CELL = "in the cell: "  # how a result tells the steps of the rehearsal


def scope_of(name: str) -> str:
    return f"tanist-drill-{name}.scope"


def home_of(session: Session) -> str:
    """What goes into the cell and comes out of it; there as long as a drill is at work, or after one was killed."""
    return places.drill_home(session.name)


def scratch_of(session: Session) -> str:
    """For the copy of the tree."""
    wanted = session.controller.drill.scratch
    return f"{wanted.rstrip('/')}/tanist-drill-{session.name}" if wanted else home_of(session)


def leftovers(session: Session) -> tuple[str, ...]:
    """What a drill has in use, or one that was killed has left."""
    return tuple(path for path in {scratch_of(session): 0, home_of(session): 0} if session.host.files.exists(path))


def name_drill(session: Session) -> str:
    """One that no drill had whose journal or result is kept."""
    kept = f"{places.drills(session.name)}/"
    files = session.host.files
    return name_run(session, "drill", lambda name: any(files.exists(f"{kept}{name}.{end}") for end in ENDINGS))


def first_record(session: Session, run: str, *, reason: str, capture: str, epoch: int = 0) -> RunStarted:
    return RunStarted(
        run=run,
        kind="drill",
        controller=session.name,
        node=session.node,
        who=session.who,
        reason=reason,
        attested="",
        evidence=(),
        verdict=None,
        epoch=epoch,
        tool=TOOL,
        capture=capture,
    )


@contextlib.contextmanager
def drilling(session: Session) -> Iterator[None]:
    """One drill of a controller at a time. What a dead one left is gone before, and so is this one's afterwards."""
    session.host.files.make_directory(places.runtime(session.name), 0o700)
    lock = session.host.lock(f"{places.runtime(session.name)}/drill.lock", f"a drill by {session.who}")
    if isinstance(lock, str):
        raise Busy(f"{lock or 'another drill'} is at work on {session.name} on this node", next_step="wait for its end")
    with contextlib.closing(lock):
        sweep(session)
        try:
            yield
        finally:
            sweep(session)


def sweep(session: Session) -> tuple[str, ...]:
    """What was removed. Failed when something can't be. The drill's lock must be held."""
    removed = []
    scope = scope_of(session.name)
    if session.host.run(["systemctl", "is-active", "--quiet", scope], ok=None).status == 0:
        session.host.run(["systemctl", "kill", "--signal=KILL", scope], ok=None)
        session.host.run(["systemctl", "stop", scope], ok=None, timeout=60)
        removed.append(f"processes of {scope}")
    for scratch in leftovers(session):
        try:
            session.host.files.remove_tree(scratch)
        except OSError as error:
            raise Failed(
                f"{scratch}, the copy of a drill, can't be removed: {error.strerror or error}",
                node=session.node,
                next_step=f"see who uses it (fuser -vm {scratch}), then: tanist drill {session.name} --clean",
            ) from error
        removed.append(scratch)
    return tuple(removed)


def save_result(session: Session, result: DrillResult) -> None:
    files, directory = session.host.files, places.drills(session.name)
    files.make_directory(directory, 0o700)
    body = {"format": 1, **encode(result)}
    files.write(f"{directory}/{result.run}.json", json.dumps(body, indent=1).encode() + b"\n")
    others = [run for run in result_names(session) if run != result.run]  # by a wrong clock it may be the oldest
    for run in others[KEEP - 1 :]:
        for ending in ENDINGS:
            files.remove(f"{directory}/{run}.{ending}")


def result_names(session: Session) -> list[str]:
    """Newest first: a run's name begins with its time."""
    directory = places.drills(session.name)
    if not session.host.files.exists(directory):
        return []
    found = (name for name in session.host.files.list(directory) if name.endswith(".json"))
    return sorted((name.removesuffix(".json") for name in found), reverse=True)


def load_result(session: Session, run: str) -> DrillResult | Unread:
    try:
        body = json.loads(session.host.files.read(f"{places.drills(session.name)}/{run}.json"))
        if not isinstance(body, dict) or body.pop("format", None) != 1:
            raise ValueError("unknown format")
        return decode(DrillResult, body, "the result")
    except (OSError, ValueError, RecursionError) as error:
        return Unread(f"the result of {run} can't be read: {error}")


def load_results(session: Session) -> Iterator[DrillResult]:
    """Those that can be read, newest first."""
    for run in result_names(session):
        if isinstance(found := load_result(session, run), DrillResult):
            yield found


def read_drilled(session: Session) -> Drilled:
    """What a wrong clock dated ahead counts only where there is nothing else: a later drill would never be the last."""
    found, now = list(load_results(session)), session.host.now()
    results = [one for one in found if not is_to_come(one.began, now)] or found
    if not results:
        return Drilled()
    good = max((one.began for one in results if one.result == "passed"), default=0.0)
    return Drilled(good=good, last=results[0].began, result=results[0].result, says=results[0].says)
