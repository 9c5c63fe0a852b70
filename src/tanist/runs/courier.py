"""The courier of one run, or of one change of readiness: in a process of its own, see notify.py.

Each hook has a thread of its own, so that one that hangs delays no other. A program that does not end within its time
is killed with its process group and left out for the rest; whatever it started besides ends with the courier's unit.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from tanist.host.post import post_json
from tanist.host.supervisor import log
from tanist.journal.journal import done_directory, runs_directory
from tanist.journal.records import parse_journal
from tanist.model.errors import TanistError
from tanist.model.run import Record
from tanist.model.times import render_moment
from tanist.report.events import FORMAT, Event, EventMaker, readiness_event, render_verdicts
from tanist.runs.hooks import Hooks, Webhook, note_told, read_hooks, told_verdicts
from tanist.runs.peers import read_lock
from tanist.runs.readiness import load_readiness

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.runs.session import Session

GLANCE = 0.2  # seconds between two looks at the journal
QUIET = 3.0  # seconds without a record until it is asked whether anybody is at work at all
PROGRAM = 10.0  # seconds for one program and one event
AFTER = 120.0  # seconds for all that is still to be told after the last event
TRIES = (0.0, 1.0, 5.0)  # seconds before each try of a webhook
Log = Callable[[str, Mapping[str, str], int], None]


def carry(session: Session, what: str, after: int) -> None:
    events = carry_readiness(session) if what == "readiness" else follow(session, what, after)
    deliver(session.host, read_hooks(session.host), events, say)


def say(text: str, fields: Mapping[str, str], priority: int) -> None:
    log(text, {**fields, "SYSLOG_IDENTIFIER": "tanist-courier"}, priority=priority)


# -- what is told
def follow(session: Session, run: str, after: int) -> Iterator[Event]:
    """Events of a run until its end. A run that nobody works at any more was cut off."""
    maker, seen = EventMaker(), 0
    host = session.host
    changed = host.monotonic()
    while True:
        records = read_records(session, run)
        for record in records[seen:]:
            fresh = list(maker.take([record]))
            seen, changed = record.n, host.monotonic()
            if record.n > after:
                yield from fresh
                if any(one["event"] == "run-ended" for one in fresh):
                    return
        if host.monotonic() - changed > QUIET:
            if not read_lock(session) and len(read_records(session, run)) <= seen:  # fewer: damaged since
                if seen > after:
                    yield maker.cut_off(host.now())
                return
            changed = host.monotonic()
        host.sleep(GLANCE)


def read_records(session: Session, run: str) -> tuple[Record, ...]:
    for directory in (runs_directory(session.name), done_directory(session.name)):
        path = f"{directory}/{run}.jsonl"
        try:
            return parse_journal(session.host.files.read(path, 64 << 20), path)[0]
        except FileNotFoundError:
            continue
        except TanistError:
            break  # damaged: the run itself says so
    return ()


def carry_readiness(session: Session) -> Iterator[Event]:
    """The change since it was told last; none when it is the same again."""
    kept = load_readiness(session)
    before = told_verdicts(session)
    if kept and render_verdicts(kept[-1].found) != before:
        note_told(session, render_verdicts(kept[-1].found))
        yield readiness_event(session.name, session.node, before, kept[-1].found, kept[-1].at)


def build_test_event(session: Session) -> Event:
    at = render_moment(session.host.now())
    about = {"controller": session.name, "node": session.node, "says": "a test: nothing has happened"}
    return {"format": FORMAT, "event": "test", "id": f"test/{session.node}/{at}", "at": at, **about}


# -- to whom
def deliver(host: Host, hooks: Hooks, events: Iterator[Event], say: Log, limit: float = PROGRAM) -> bool:
    """Whether everybody took everything. `limit`: seconds for one program and one event."""
    for why in hooks.wrong:
        say(why, {}, 4)
    lines = [*(Line(Program(host, path, limit), say) for path in hooks.programs)]
    lines += [Line(Sender(host, one), say) for one in hooks.webhooks]
    for event in events:
        for line in lines:
            line.give(event)
    until = host.monotonic() + AFTER
    for line in lines:
        line.end(max(until - host.monotonic(), 0.0))
    return all(line.well for line in lines) and not hooks.wrong


class Program:
    def __init__(self, host: Host, path: str, limit: float) -> None:
        self._host, self.name, self.events, self._limit = host, path, (), limit

    def tell(self, event: Event) -> str:
        """ "" or why it was not taken. TimeoutError when it hung."""
        argv = [self.name, str(event["event"]), str(event["controller"])]
        try:
            ran = self._host.run(argv, stdin=json.dumps(event).encode() + b"\n", timeout=self._limit, ok=None)
        except TimeoutError:
            raise
        except OSError as error:
            return error.strerror or str(error)
        return "" if ran.status == 0 else f"{ran.complaint} (exit status {ran.status})"


class Sender:
    def __init__(self, host: Host, webhook: Webhook) -> None:
        self._host, self._webhook = host, webhook
        self.name, self.events = webhook.name, webhook.events

    def tell(self, event: Event) -> str:
        body, hook, why = json.dumps(event).encode(), self._webhook, ""
        try:
            headers = {"X-Tanist-Event": str(event["event"]), **self._sign(body)}
        except OSError as error:
            return str(error)
        for pause in TRIES:
            self._host.sleep(pause)
            try:
                status = post_json(hook.url, body, headers, timeout=hook.timeout, ca=hook.ca)
            except OSError as error:
                why = f"no answer: {error.strerror or type(error).__name__}"
                continue
            if 200 <= status < 300:
                return ""
            why = f"it answers {status}"
            if status < 500:
                break
        return why

    def _sign(self, body: bytes) -> dict[str, str]:
        from tanist.proof.secrets import check_place

        if not self._webhook.secret:
            return {}
        if why := check_place(self._host, self._webhook.secret):
            raise OSError(why)
        key = self._host.files.read(self._webhook.secret, 1 << 16).strip()
        return {"X-Tanist-Signature": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()}


class Line:
    """One hook and what it is still to be told, in the order in which it happened."""

    def __init__(self, hook: Program | Sender, say: Log) -> None:
        self._hook, self._say = hook, say
        self._waiting: list[Event | None] = []
        self._news = threading.Condition()
        self.well = True
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def give(self, event: Event | None) -> None:
        if event is None or not self._hook.events or event["event"] in self._hook.events:
            with self._news:
                self._waiting.append(event)
                self._news.notify()

    def end(self, seconds: float) -> None:
        self.give(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._fail(None, "it was not told everything in time")

    def _work(self) -> None:
        while True:
            with self._news:
                while not self._waiting:
                    self._news.wait()
                event = self._waiting.pop(0)
            if event is None:
                return
            try:
                why = self._hook.tell(event)
            except OSError:  # its time limit
                self._fail(event, "no end within its time: killed, and left out for the rest of this run")
                return
            if why:
                self._fail(event, why)

    def _fail(self, event: Event | None, why: str) -> None:
        self.well = False
        told = {"TANIST_CONTROLLER": str(event["controller"]), "TANIST_EVENT": str(event["event"])} if event else {}
        what = f" ({event['event']})" if event else ""
        self._say(f"{self._hook.name}{what}: {why}", {**told, "TANIST_HOOK": self._hook.name}, 4)
