#!/usr/bin/env python3
"""Load client for the Ops Center's API: one job per number, with a key that makes a repetition harmless."""

import argparse
import contextlib
import http.client
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

if not __package__:  # run as a file: the folder that we are in becomes the package (PEP 366)
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here.parent))
    __package__ = here.name
    importlib.import_module(__package__)

from .ledger import Ledger
from .load import Lost, NotConnected, add_verbs, do_run, do_verify, print_first

_PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    host: str
    port: int
    user: str
    password: str
    connect_timeout: float
    timeout: float


class Unanswered(Exception):
    """No whole HTTP answer."""


class Api:
    """One connection and one log-in; the log-in outlives the connection, as a browser's does."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._token = ""
        self._http = http.client.HTTPConnection(target.host, target.port, timeout=target.connect_timeout)

    def open(self) -> None:
        self.close()
        try:
            self._http.connect()
        except OSError as error:
            raise Unanswered(str(error)) from error
        self._http.sock.settimeout(self._target.timeout)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._http.close()

    def log_in(self) -> None:
        status, reply = self.ask("POST", "/api/login", {"user": self._target.user, "password": self._target.password})
        if status != HTTPStatus.OK:
            raise Unanswered(f"log-in: {status}")
        self._token = str(reply["token"])

    @property
    def logged_in(self) -> bool:
        return bool(self._token)

    def ask(self, method: str, path: str, value: object = None) -> tuple[int, dict[str, Any]]:
        body = None if value is None else json.dumps(value).encode()
        try:
            self._http.request(method, path, body, {"Authorization": f"Bearer {self._token}"})
            reply = self._http.getresponse()
            found = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unanswered(f"{type(error).__name__}: {error}") from error
        return reply.status, found if isinstance(found, dict) else {}


class EcSession:
    def __init__(self, target: Target, run: str, on_session_lost: Callable[[], None]) -> None:
        self._api, self._run, self._on_session_lost = Api(target), run, on_session_lost

    def connect(self) -> None:
        try:
            self._api.open()
            if not self._api.logged_in:
                self._api.log_in()
        except Unanswered as error:
            self._api.close()
            raise NotConnected(str(error)) from error

    def write(self, number: int) -> None:
        job = {"key": f"{self._run}-{number}", "kind": "inventory", "asset": "web-01"}
        try:
            status, _ = self._api.ask("POST", "/api/jobs", job)
            if status == HTTPStatus.UNAUTHORIZED:
                self._on_session_lost()
                self._api.log_in()
                status, _ = self._api.ask("POST", "/api/jobs", job)
        except Unanswered as error:
            raise Lost(str(error)) from error
        if status not in (HTTPStatus.CREATED, HTTPStatus.OK):
            raise Lost(f"status {status}")

    def close(self) -> None:
        self._api.close()


def read_rows(target: Target, run: str) -> Iterator[int]:
    """The numbers of this run among the server's jobs."""
    api = Api(target)
    try:
        api.open()
        api.log_in()
        after = 0
        while True:
            status, reply = api.ask("GET", f"/api/jobs?{urlencode({'after': after, 'limit': _PAGE})}")
            if status != HTTPStatus.OK:
                raise NotConnected(f"jobs: {status}")
            jobs = reply["jobs"]
            if not jobs:
                return
            after = jobs[-1]["id"]
            for job in jobs:
                name, _, number = str(job["key"]).rpartition("-")
                if name == run and number.isdigit():
                    yield int(number)
    except Unanswered as error:
        raise NotConnected(str(error)) from error
    finally:
        api.close()


def wait_first(target: Target, interval: float, seconds: float) -> int:
    began, attempts = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        attempts += 1
        api = Api(target)
        try:
            api.open()
            if api.ask("GET", "/api/health")[0] == HTTPStatus.OK:
                return print_first(began, time.monotonic(), attempts)
        except Unanswered:
            time.sleep(interval)
        finally:
            api.close()
    return print_first(began, None, attempts)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for verb in add_verbs(parser, first="first-answer"):
        verb.add_argument("--port", type=int, default=8080)
        verb.add_argument("--user", default="admin")
        verb.add_argument("--password", default="opscenter")
    options = parser.parse_args(argv)
    target = Target(
        host=options.host,
        port=options.port,
        user=options.user,
        password=options.password,
        connect_timeout=options.connect_timeout,
        timeout=options.timeout,
    )

    def make_session(ledger: Ledger) -> EcSession:
        return EcSession(target, options.run, lambda: ledger.event("session-lost"))

    match options.verb:
        case "run":
            return do_run(options, make_session)
        case "verify":
            return do_verify(options, lambda: read_rows(target, options.run))
        case _:
            return wait_first(target, options.interval, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
