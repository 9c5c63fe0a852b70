"""One controller on this node, somebody at the keyboard, and a place to report to.

A node that only gives its word needs no engine and no journal: they are imported where they are used.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tanist import __version__
from tanist.host.clock import timestamp
from tanist.host.host import Host, Lock
from tanist.host.ssh import open_peer
from tanist.model.dataclasses import dataclass, field
from tanist.model.definition import Controller
from tanist.model.errors import Busy, Failed, Lost, Refused
from tanist.model.event import Event, Report
from tanist.plan import places
from tanist.steps.context import Context

if TYPE_CHECKING:
    from tanist.engine import Engine
    from tanist.host.conversation import Conversation
    from tanist.journal.journal import Journal
    from tanist.journal.state import RunState

LOCK_PATIENCE = 0.3  # seconds: a peer that asks for this node's word holds the lock for an instant
WORD_PATIENCE = 5.0  # seconds: one whose word is noted holds it for as long as that takes on this node's disk
WORD = "word"  # what the lock's note says then
TOOL = f"tanist {__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    host: Host
    controller: Controller
    node: str  # this node's name in the definition
    who: str  # for the record: who asked
    report: Report
    open_peer: Callable[..., Conversation] = open_peer  # as host/ssh.py has it; tests put another machine there
    called: dict[str, Conversation] = field(default_factory=dict)  # nodes on the line, for one question each (ahead.py)
    asks_for: str = ""  # the takeover for which the other nodes are to keep their word (promise.py); "": they need not
    bound: list[str] = field(default_factory=list)  # those that noted it
    may_fence: bool = True  # is this a command that takes --fence?

    @property
    def name(self) -> str:
        return self.controller.name

    @property
    def context(self) -> Context:
        return Context(host=self.host, controller=self.controller, node=self.node, note=self.note)

    def engine(self, journal: Journal, context: Context | None = None, *, guarded: bool = True) -> Engine:
        """Not `guarded`: everything of the controller is down already, whoever owns it; or it is a drill's copy."""
        from tanist.engine import Engine, unguarded
        from tanist.runs.guard import Guard

        return Engine(context or self.context, journal, self.report, Guard(self) if guarded else unguarded)

    def note(self, text: str) -> None:
        self.report(Event(kind="note", says=text))


def take_run_lock(session: Session, note: str, patience: float) -> Lock | str:
    """The lock of this node's runs, or the note of who has it: after `patience` seconds, or longer behind a word."""
    path = f"{places.runtime(session.name)}/lock"
    begun = session.host.monotonic()
    while isinstance(lock := session.host.lock(path, note), str):
        longest = WORD_PATIENCE if is_word(lock) else patience
        if session.host.monotonic() >= begun + longest:
            return lock
        session.host.sleep(0.02)
    return lock


def is_word(note: str) -> bool:
    try:
        return bool(json.loads(note)["what"] == WORD)
    except (ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def exclusive(session: Session, what: str) -> Iterator[None]:
    """One run at a time on this node. Busy names who is at work and since when."""
    note = json.dumps({"what": what, "who": session.who, "since": timestamp(session.host), "node": session.node})
    lock = take_run_lock(session, note, LOCK_PATIENCE)
    if isinstance(lock, str):
        raise Busy(f"{describe_lock(lock)} is at work on {session.name} on this node; nothing was changed here")
    try:
        session.host.files.remove(f"{places.runtime(session.name)}/intent.json")  # of a run that was killed
        yield
    finally:
        lock.close()


@contextlib.contextmanager
def owning(session: Session, what: str) -> Iterator[None]:
    """The same for what depends on the claim: a run that finds it to be another node's takes everything down before
    others may work here. Failed then."""
    with exclusive(session, what):
        try:
            yield
        except Lost as lost:
            from tanist.runs.loss import give_up

            raise give_up(session, lost) from lost


def describe_lock(note: str) -> str:
    try:
        fields = json.loads(note)
        return f"a {fields['what']} by {fields['who']}, begun {fields['since']},"
    except (ValueError, KeyError, TypeError):
        return "another tanist"


def new_run(session: Session, kind: str) -> tuple[str, Journal]:
    """A name that no run here ever had, and an empty journal under it."""
    from tanist.journal.journal import Journal, find_journal

    run = name_run(session, kind, lambda name: bool(find_journal(session.host, session.name, name)))
    return run, Journal.create(session.host, session.name, run)


def name_run(session: Session, kind: str, is_taken: Callable[[str], bool]) -> str:
    """It sorts by time."""
    stamp = timestamp(session.host).translate({ord(c): None for c in "-:+"}).split(".")
    first = run = f"{stamp[0]}{stamp[1][:3]}-{kind}-{session.node}"
    number = 1
    while is_taken(run):
        number += 1  # the clock was set back, or it starts at the same moment at each boot
        run = f"{first}-{number}"
    return run


def load_run(session: Session, run: str) -> RunState:
    """A run by its name, open or filed away. Refused when there is no such journal, or nothing in it."""
    from tanist.journal.journal import Journal, find_journal
    from tanist.journal.state import read_run

    path = find_journal(session.host, session.name, run)
    if path and (records := Journal.load(session.host, path).records):
        return read_run(records)
    raise Refused(
        f"the journal of {run}, which made this node active, is not there",
        next_step="see the manual, 'By hand, without tanist'",
    )


def read_active(session: Session) -> str:
    """The run that made this node the active one, "" when it is not. Failed where that can't be told."""
    return load_mark(session)[0]


def load_mark(session: Session) -> tuple[str, int]:
    """The same, and the epoch that it works for."""
    path = places.active_file(session.name)
    try:
        fields = json.loads(session.host.files.read(path))
        run, epoch = fields["run"], int(fields["epoch"])
        if not isinstance(run, str) or not run:
            raise ValueError(f"{run!r} is no run")
    except FileNotFoundError:
        return "", 0
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(
            f"which run made {session.node} the active node is not known: {path} can't be read: {error}",
            node=session.node,
            next_step=f"tanist history {session.name}   names the newest takeover or init on {session.node}, and its "
            "epoch: write them there again (docs/formats.md, the node's notes)",
        ) from error
    return run, epoch


def save_active(session: Session, run: str, epoch: int) -> None:
    body = {"format": 1, "run": run, "epoch": epoch, "node": session.node, "since": timestamp(session.host)}
    path = places.active_file(session.name)
    try:
        session.host.files.write(path, json.dumps(body, indent=1).encode() + b"\n")
    except OSError as error:
        says = f"{session.node} is up, but {path}, which says so at a boot, can't be written: {error.strerror or error}"
        step = f"make room on its disk, then: tanist resume {session.name}"
        raise Failed(says, node=session.node, next_step=step) from error
    for path in (places.inert(session.name), places.motd(session.name), places.promised(session.name)):
        session.host.files.remove(path)  # runs/inert.py, runs/promise.py: the claim is past whatever was promised


def clear_active(session: Session) -> None:
    session.host.files.remove(places.active_file(session.name))


def forget_active(session: Session, run: str) -> None:
    """After `run` was undone: it may have been cut off between saying that this node is active and its end."""
    if read_active(session) == run:
        clear_active(session)
