#!/usr/bin/env python3
"""Load client for PostgreSQL: one row per number, each its own committed transaction.

psycopg2 is driven in its asynchronous mode, where each wait has a limit of ours: libpq's own connect_timeout counts
whole seconds from two up, and a query to a dead server would wait for TCP. Each statement commits by itself there.
"""

import argparse
import importlib
import select
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: the folder that we are in becomes the package (PEP 366)
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here.parent))
    __package__ = here.name
    importlib.import_module(__package__)

import psycopg2
import psycopg2.errors
from psycopg2.extensions import POLL_OK, POLL_READ

from .load import Lost, NotConnected, add_verbs, do_run, do_verify, print_first

_CREATE = """CREATE TABLE IF NOT EXISTS tanist_ledger
    (run text, n bigint, written timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (run, n))"""
_INSERT = "INSERT INTO tanist_ledger (run, n) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_SELECT = "SELECT n FROM tanist_ledger WHERE run = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    host: str
    port: int
    dbname: str
    user: str
    extra: str
    connect_timeout: float
    timeout: float


def begin_connection(target: Target) -> Any:
    """Raises psycopg2.Error. Not yet connected: wait_for() first."""
    return psycopg2.connect(
        target.extra,
        host=target.host,
        port=target.port,
        dbname=target.dbname,
        user=target.user,
        gssencmode="disable",
        tcp_user_timeout=max(1, int(target.timeout * 1000)),
        keepalives_idle=1,
        keepalives_interval=1,
        keepalives_count=2,
        async_=True,
    )


def wait_for(connection: Any, seconds: float) -> None:
    """Until what was begun is done. Raises psycopg2.Error, or TimeoutError."""
    deadline = time.monotonic() + seconds
    while (state := connection.poll()) != POLL_OK:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no answer in {seconds} s")
        waits = [connection]
        select.select(*((waits, []) if state == POLL_READ else ([], waits)), [], left)


class PgSession:
    def __init__(self, target: Target, run: str) -> None:
        self._target, self._run = target, run
        self._connection: Any = None

    def connect(self) -> None:
        try:
            self._connection = begin_connection(self._target)
            wait_for(self._connection, self._target.connect_timeout)
        except (psycopg2.Error, OSError) as error:
            self.close()
            raise NotConnected(str(error)) from error

    def write(self, number: int) -> None:
        try:
            self.execute(_INSERT, self._run, number)
        except (psycopg2.Error, OSError) as error:
            raise Lost(str(error)) from error

    def execute(self, sql: str, *values: object, seconds: float | None = None) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(sql, values)
        wait_for(self._connection, seconds or self._target.timeout)
        return cursor

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def create_table(target: Target) -> None:
    session = PgSession(target, "")
    session.connect()
    session.execute(_CREATE, seconds=30)
    session.close()


def read_rows(target: Target, run: str) -> list[int]:
    session = PgSession(target, run)
    session.connect()
    try:
        return [row[0] for row in session.execute(_SELECT, run, seconds=120)]
    except psycopg2.errors.UndefinedTable:
        return []  # a table that is gone has lost all its rows
    except (psycopg2.Error, TimeoutError) as error:
        raise NotConnected(str(error)) from error
    finally:
        session.close()


class Attempt:
    """One try to connect and SELECT 1, never waited for: several are under way at the same time."""

    def __init__(self, target: Target) -> None:
        self.began = time.monotonic()
        self.state = POLL_READ
        self._connection = begin_connection(target)
        self._cursor: Any = None  # psycopg2 drops the answer when nobody holds the cursor

    def fileno(self) -> int:
        return int(self._connection.fileno())

    def step(self) -> bool:
        """True when the answer is there. Raises psycopg2.Error."""
        self.state = self._connection.poll()
        if self.state == POLL_OK and self._cursor is None:
            self._cursor = self._connection.cursor()
            self._cursor.execute("SELECT 1")
            self.state = self._connection.poll()
        return bool(self.state == POLL_OK)

    def close(self) -> None:
        self._connection.close()


def wait_first(target: Target, interval: float, seconds: float) -> int:
    """A new attempt each interval, whatever became of the others: a lost SYN must not hide the moment."""
    began = time.monotonic()
    due, attempts = began, 0
    pending: list[Attempt] = []
    answered = None
    while answered is None and (now := time.monotonic()) - began < seconds:
        if now >= due:
            attempts, due = attempts + 1, max(due + interval, now)
            pending += _begin(target)
        answered = _step_all(pending, target.connect_timeout)
        if answered is None:
            _sleep(pending, max(0.0, due - time.monotonic()))
    for attempt in pending:
        attempt.close()
    return print_first(began, answered, attempts)


def _begin(target: Target) -> list[Attempt]:
    try:
        return [Attempt(target)]
    except psycopg2.Error:
        return []


def _step_all(pending: list[Attempt], limit: float) -> float | None:
    """The moment of an answer. Attempts that failed, or are older than the limit, are dropped."""
    for attempt in list(pending):
        try:
            if attempt.step():
                return time.monotonic()
            failed = time.monotonic() - attempt.began > limit
        except psycopg2.Error:
            failed = True
        if failed:
            attempt.close()
            pending.remove(attempt)
    return None


def _sleep(pending: list[Attempt], seconds: float) -> None:
    readers = [attempt for attempt in pending if attempt.state == POLL_READ]
    writers = [attempt for attempt in pending if attempt.state != POLL_READ]
    select.select(readers, writers, [], seconds)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = add_verbs(parser, first="first-select")
    for verb in verbs:
        verb.add_argument("--port", type=int, default=5432)
        verb.add_argument("--dbname", default="postgres")
        verb.add_argument("--user", default="postgres", help="the password comes from PGPASSWORD or ~/.pgpass")
        verb.add_argument("--extra", default="sslmode=disable", help="more libpq settings")
    verbs[0].add_argument("--create", action="store_true", help="make the table first")
    options = parser.parse_args(argv)
    target = Target(
        host=options.host,
        port=options.port,
        dbname=options.dbname,
        user=options.user,
        extra=options.extra,
        connect_timeout=options.connect_timeout,
        timeout=options.timeout,
    )
    match options.verb:
        case "run":
            if options.create:
                try:
                    create_table(target)
                except (NotConnected, psycopg2.Error, TimeoutError) as error:
                    print(f"no table: {error}", file=sys.stderr)
                    return 3
            return do_run(options, lambda _: PgSession(target, options.run))
        case "verify":
            return do_verify(options, lambda: read_rows(target, options.run))
        case _:
            return wait_first(target, options.interval, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
