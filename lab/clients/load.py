"""The loop of a load client: number, write, wait for the answer, note it; after a failure the same number again.

Also the verbs that the clients share (run, verify) and their exit status: 0 good, 1 an acknowledged write is lost,
2 a wrong call, 3 nothing can be said (no answer from the server, or a ledger with no acknowledged write).
"""

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from .ledger import Ledger, LedgerTorn, compare, load_book

_RETRY_SECONDS = 0.02
_STOP = (signal.SIGTERM, signal.SIGINT)


class NotConnected(Exception):
    """The server cannot be reached; nothing was sent."""


class Lost(Exception):
    """No answer, or none that acknowledges: whether the write happened is unknown."""


class Session(Protocol):
    """One thread's way to the server. No call may take much longer than the client's time limits."""

    def connect(self) -> None:
        """Raises NotConnected."""

    def write(self, number: int) -> None:
        """Returns when the server has acknowledged; writing the same number again is harmless. Raises Lost."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    threads: int = 1
    rate: float = 0.0  # writes a second, all threads together; 0 is as fast as the server answers
    seconds: float | None = None
    until_file: Path | None = None
    status: bool = False


def write_until_stopped(session: Session, ledger: Ledger, stop: threading.Event, pause: float) -> None:
    connected = False
    number = ledger.next_number()
    due = ledger.clock()
    while not stop.is_set():
        try:
            if not connected:
                session.connect()
                connected = True
            sent = ledger.clock()
            try:
                session.write(number)
            except Lost as error:
                ledger.not_known(number, sent, error)
                session.close()
                connected = False
                stop.wait(_RETRY_SECONDS)
                continue
        except NotConnected:
            ledger.not_connected()
            stop.wait(_RETRY_SECONDS)
            continue
        ledger.acknowledged(number, sent)
        number = ledger.next_number()
        due = max(due + pause, ledger.clock() - 1.0)  # no burst after an outage
        stop.wait(max(0.0, due - ledger.clock()))
    if connected:
        session.close()


def run_load(make_session: Callable[[], Session], ledger: Ledger, limits: Limits) -> None:
    """Until SIGTERM, the time limit or the file. Call it from the main thread, before other threads.

    Raises RuntimeError when a writer ended by itself, which none should.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    stop = threading.Event()
    pause = limits.threads / limits.rate if limits.rate else 0.0
    writers = [
        threading.Thread(target=write_until_stopped, args=(make_session(), ledger, stop, pause))
        for _ in range(limits.threads)
    ]
    for writer in writers:
        writer.start()
    begin = time.monotonic()
    shown = begin
    while not _over(limits, begin) and all(writer.is_alive() for writer in writers):
        if signal.sigtimedwait(_STOP, 0.05) is not None:
            break
        if limits.status and time.monotonic() >= shown + 1:
            shown += 1
            print(_status_line(ledger, shown - begin), flush=True)
    died = not all(writer.is_alive() for writer in writers)
    stop.set()
    for writer in writers:
        writer.join()
    ledger.close()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if died:
        raise RuntimeError("a writer died")


def _over(limits: Limits, begin: float) -> bool:
    late = limits.seconds is not None and time.monotonic() - begin >= limits.seconds
    return late or (limits.until_file is not None and limits.until_file.exists())


def _status_line(ledger: Ledger, seconds: float) -> str:
    return (
        f"{seconds:.0f} s: {ledger.acked} acknowledged, {ledger.unknown} unknown,"
        f" {ledger.outages} outages ({ledger.down:.3f} s)"
    )


def add_verbs(parser: argparse.ArgumentParser, *, first: str) -> tuple[argparse.ArgumentParser, ...]:
    """run, verify and the verb that waits for the first answer; a client adds the options of its server to each."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="write and keep the ledger")
    run.add_argument("--threads", type=int, default=1)
    run.add_argument("--rate", type=float, default=0.0, help="writes a second in all; 0: as fast as possible")
    run.add_argument("--seconds", type=float, help="stop after so long")
    run.add_argument("--until-file", type=Path, help="stop when this file exists")
    run.add_argument("--status", action="store_true", help="a line a second on stdout")
    verify = verbs.add_parser("verify", help="hold the server against the ledger")
    wait = verbs.add_parser(first, help="try until the server answers; print when it did")
    wait.add_argument("--interval", type=float, default=0.02, help="seconds between attempts")
    wait.add_argument("--seconds", type=float, default=120.0, help="give up after so long: exit 3")
    for verb in (run, verify):
        verb.add_argument("--ledger", type=Path, required=True)
        verb.add_argument("--run", default="run", help="name of this ledger's rows on the server")
    for verb in (run, verify, wait):
        verb.add_argument("host", help="service address or name")
        verb.add_argument("--connect-timeout", type=float, default=0.5)
        verb.add_argument("--timeout", type=float, default=1.0, help="longest wait for an answer")
    return run, verify, wait


def do_run(options: argparse.Namespace, make_session: Callable[[Ledger], Session]) -> int:
    ledger = Ledger(options.ledger)
    limits = Limits(
        threads=options.threads,
        rate=options.rate,
        seconds=options.seconds,
        until_file=options.until_file,
        status=options.status,
    )
    run_load(lambda: make_session(ledger), ledger, limits)
    book = load_book(options.ledger)
    print(json.dumps({"acked": len(book.acked), "unknown": len(book.unknown), "events": dict(book.events)}))
    return 0


def do_verify(options: argparse.Namespace, read_rows: Callable[[], Iterable[int]]) -> int:
    try:
        book = load_book(options.ledger)
        report = compare(book, read_rows())
    except (NotConnected, LedgerTorn, OSError) as error:
        print(f"cannot tell: {error}", file=sys.stderr)
        return 3
    print(json.dumps(asdict(report)))
    if report.lost:
        return 1
    return 0 if report.acked else 3


def print_first(began: float, answered: float | None, attempts: int) -> int:
    """Times are CLOCK_MONOTONIC seconds: the same clock for all containers of one kernel."""
    waited = None if answered is None else round(answered - began, 6)
    print(json.dumps({"began": began, "first": answered, "waited": waited, "attempts": attempts}))
    return 3 if answered is None else 0
