"""The return gate of a running node: an active node that lost the controller finds out, and takes it down.

A round is a look (runs/hold.py) and what follows from it. The loss is looked at once more under the run's own lock,
and only then acted upon (runs/loss.py). A run of this node's own that is at work looks itself before each step, and
takes everything down; until it gets there (a step may take long), the watch only cuts it off from disk and wire. What
can't be told is given the definition's time. On a standby a round does nothing but bring the histories together, and
on both nodes it files away a run that was killed behind its last record.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tanist.journal.state import RunState
from tanist.model.errors import Busy, TanistError
from tanist.model.run import RunStarted
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.plan.addresses import service_addresses
from tanist.proof.hold import KEPT, Opinion
from tanist.proof.looks import Looks
from tanist.runs.exchange import exchange_with_peers
from tanist.runs.filer_lock import LockKeeper
from tanist.runs.filing import find_open_run, read_runs
from tanist.runs.guard import is_lost, read_claim_now
from tanist.runs.hold import NO_ANSWER, Extra, Eyes, Held, Sight
from tanist.runs.loss import cut_short, lose
from tanist.runs.peers import find_activity
from tanist.runs.serving import Carer
from tanist.runs.session import Session, exclusive, load_mark
from tanist.steps.network import has_address

if TYPE_CHECKING:
    from tanist.host.host import Lock

WIRE_EVERY = 5.0  # seconds between two questions who else has the addresses
WRITE_EVERY = 10.0  # seconds between two tries to write
DEFEND_EVERY = 10.0  # seconds between two announcements of an address that another machine uses (RFC 5227, 2.4)
EXCHANGE_AGAIN = 60.0  # seconds after an exchange of the history that failed
Chore = Callable[[Session], None]  # done in every round, active or not; must not wait
AT_LEAST = 3  # rounds that could not tell: a clock that jumped makes no time out of one look


def watch(
    session: Session,
    *,
    until: Callable[[], bool],
    extra: Sequence[Extra] = (),
    chores: Sequence[Chore] = (),
    carer: Carer | None = None,
    keeper: LockKeeper | None = None,
) -> None:
    """Rounds, until `until` says so: the definition changed, for example."""
    watcher = Watcher(session, extra, chores, carer, keeper)
    session.host.files.remove(places.worry(session.name))  # of a watch before this one
    while not until():
        watcher.round()
        session.host.sleep(session.controller.gate.every)


class Watcher:
    def __init__(
        self,
        session: Session,
        extra: Sequence[Extra] = (),
        chores: Sequence[Chore] = (),
        carer: Carer | None = None,
        keeper: LockKeeper | None = None,
    ) -> None:
        """`carer`: tells, while this node holds the controller, what of it does not do its work. `keeper`: holds the
        lock of a tree that lies on a filer."""
        self._session = session
        self._chores = tuple(chores)
        self._carer = carer
        self._keeper = keeper
        self._eyes = Eyes(session, extra)
        self._untold: tuple[float, int] | None = None  # since when, and how many rounds
        self._last: dict[str, float] = {}  # by what, when it was done last
        self._exchanging: Looks | None = None
        self._exchanged: object = None
        self._ended: tuple[str, ...] = ()  # runs that are over and were not filed away, a round ago
        self._worries: dict[str, str] = {}  # by what they are about
        self._reset: Lock | None = None  # armed while a run that has lost the controller is still at work

    def round(self) -> Opinion | None:
        """What was seen, None where there is nothing to watch. OSError and TanistError are told, and end nothing."""
        try:
            self._exchange()
            for chore in self._chores:
                chore(self._session)
            runs = tuple(read_runs(self._session))
            self._file_ended(runs)
            held = read_held(self._session, runs)
            if self._keeper is not None:
                self._keeper.keep(self._session, held)
            if held is None:
                self._untold = None
                self._worry(hold="", others="", look="")
            opinion = self._consider(held) if held is not None else None
            self._care(held)
            self._disarm()
            return opinion
        except Busy:
            return None  # a run of this node's own is at work; what was armed stays so
        except (OSError, TanistError, ValueError) as error:
            self._worry(look=f"the watch can't look: {error}")
            return None

    def _care(self, held: Held | None) -> None:
        if self._carer is None:
            return
        if held is None or held.unfinished:
            self._carer.forget()  # a run starts and stops them
            self._worry(serving="")
        else:
            self._worry(serving=self._carer(self._session))

    def _consider(self, held: Held) -> Opinion:
        sight = self._eyes.look(
            held,
            wire=not held.unfinished and self._is_due("wire", WIRE_EVERY),
            write=self._is_due("write", WRITE_EVERY),
        )
        opinion = self._patiently(sight)
        if opinion.says == "lost" and held.unfinished and not find_activity(self._session):
            return KEPT  # what is left of the run is in nobody's way
        if opinion.says == "lost":
            self._lose(held, sight, opinion)
        else:
            self._defend(sight)
        return opinion

    def _patiently(self, sight: Sight) -> Opinion:
        opinion = sight.opinion
        if opinion.says != "untold":
            self._untold = None
            self._worry(hold="", look="")
            return opinion
        now, gate = self._session.host.monotonic(), self._session.controller.gate
        since, rounds = self._untold or (now, 0)
        self._untold = (since, rounds + 1)
        if now - since < gate.cannot_tell or rounds + 1 < AT_LEAST:
            self._worry(hold=f"{opinion.why}; if that lasts {gate.cannot_tell:g} s, this node gives up")
            return opinion
        foreign = isinstance(sight.claim, Unread)
        return Opinion(says="lost", why=f"for {now - since:.0f} s: {opinion.why}", foreign=foreign)

    def _lose(self, held: Held, sight: Sight, opinion: Opinion) -> None:
        """Once more under the lock: a run of this node's own may have begun meanwhile, and ended by now."""
        session = self._session
        with self._cutting_short(held, opinion), exclusive(session, "watch"):
            if read_held(session) != held:
                return
            again = self._eyes.look(held, wire=bool(sight.others), write=not opinion.foreign)
            if again.opinion.says == "kept":
                return
            self._worry(hold=opinion.why)
            if self._keeper is not None:
                self._keeper.let_go(session)
            lose(session, held, opinion, again.claim)
        self._untold = None

    @contextlib.contextmanager
    def _cutting_short(self, held: Held, opinion: Opinion) -> Iterator[None]:
        """Where a run is at work and the disk names another owner: what would harm that one ends now, and the machine
        resets itself unless the run has taken the rest down in time."""
        session = self._session
        try:
            yield
        except Busy:
            again = read_claim_now(session)
            if opinion.foreign and read_held(session) == held and is_lost(again, session.node, held.epoch):
                self._worry(hold=f"{opinion.why}, and a run of this node's own is at work still")
                cut_short(session, held)
                if self._reset is None and session.controller.gate.reset:
                    self._reset = session.host.arm_reset(session.controller.gate.stop_within)
            raise

    def _disarm(self) -> None:
        if self._reset is not None:
            self._reset.close()
            self._reset = None

    def _defend(self, sight: Sight) -> None:
        session = self._session
        if sight.others is not None:
            who = ", ".join(sorted({f"{one.mac} answers for {one.address} too" for one in sight.others}))
            self._worry(others=f"{who}: this node holds the claim and says so on the wire" if who else "")
        if sight.others and self._is_due("defend", DEFEND_EVERY):
            mine = [
                one for one in service_addresses(session.controller, session.node) if has_address(session.host, one)
            ]
            session.host.announce_addresses(mine)

    def _is_due(self, what: str, every: float) -> bool:
        now = self._session.host.monotonic()
        if now - self._last.get(what, -every) < every:
            return False
        self._last[what] = now
        return True

    def _worry(self, **about: str) -> None:
        """Once, in the log and for `tanist status`."""
        before = dict(self._worries)
        self._worries = {key: text for key, text in {**before, **about}.items() if text}
        if self._worries == before:
            return
        text = "; ".join(self._worries.values())
        session, path = self._session, places.worry(self._session.name)
        session.note(text or "all is well again")
        if text:
            session.host.files.make_directory(places.runtime(session.name), 0o700)
            body = {"says": text, "node": session.node, "hangs": NO_ANSWER in text}
            session.host.files.write(path, json.dumps(body).encode())
        else:
            session.host.files.remove(path)

    def _file_ended(self, runs: Sequence[RunState]) -> None:
        """Seen twice: a run that is just ending does it itself."""
        ended = tuple(state.started.run for state in runs if state.ended is not None)
        if ended and ended == self._ended:
            with exclusive(self._session, "watch"):
                find_open_run(self._session)
        self._ended = ended

    def _exchange(self) -> None:
        """In the background, when this node's copy of the history grew: a release does not wait for it."""
        session = self._session
        if self._exchanging is not None:
            if not self._exchanging.is_done("exchange"):
                return
            if self._exchanging.result("exchange", bool) is not True:
                self._exchanged = None
            self._exchanging = None
        info = session.host.files.stat(places.history(session.name))
        size = info.st_size if info else 0
        if size == self._exchanged or not self._is_due("exchange", EXCHANGE_AGAIN if self._exchanged is None else 0.0):
            return
        self._exchanged = size
        self._exchanging = Looks(session.host)
        self._exchanging.begin("exchange", lambda: exchange_with_peers(session))


def read_held(session: Session, runs: Iterable[RunState] | None = None) -> Held | None:
    """What this node has of the controller by its own account: out of a run that has not ended, or as the active one.
    Reads only, and takes no lock: nobody is to wait for the watch, or to take it for a run. `runs`: as read_runs()
    found them this moment."""
    started = find_unfinished(read_runs(session) if runs is None else runs)
    if started is not None:
        return Held(run=started.run, epoch=started.epoch, unfinished=True)
    active, epoch = load_mark(session)
    return Held(run=active, epoch=epoch) if active else None


def find_unfinished(runs: Iterable[RunState]) -> RunStarted | None:
    """The first record of a run that has not ended, at work or cut off."""
    return next((state.started for state in runs if state.ended is None), None)
