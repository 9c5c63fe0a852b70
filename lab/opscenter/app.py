"""What the Enterprise Controller answers: Request -> Response, over the store and the sessions in memory."""

import re
import secrets
import sqlite3
import time
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path

from . import pages
from .store import Job, KeyReused, Store
from .users import Users
from .wire import Request, Response, as_json, redirect

_JOB_PATH = re.compile(r"/(?:api/)?jobs/(\d{1,18})")
_COOKIE = "session={}; Path=/; HttpOnly; SameSite=Strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the server says of itself."""

    name: str
    hostname: str
    machine: str
    version: str
    epoch: int
    starts: int
    certificate: str

    @property
    def where(self) -> str:
        return f"{self.name} on {self.hostname} · {self.version} · epoch {self.epoch}"


@dataclass(slots=True, kw_only=True)
class Application:
    store: Store
    users: Users
    facts: Facts
    jobs_dir: Path
    proxy_secret: str
    sessions: dict[str, str] = field(default_factory=dict)  # token -> user; they end with the process
    proxies: dict[str, float] = field(default_factory=dict)  # id -> last heartbeat, monotonic seconds

    def answer(self, request: Request) -> Response:
        try:
            return self._api(request) if request.path.startswith("/api/") else self._web(request)
        except KeyReused:
            return _error(HTTPStatus.CONFLICT, "this key belongs to another job")
        except ValueError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        except KeyError as error:
            return _error(HTTPStatus.BAD_REQUEST, f"missing: {error.args[0]}")
        except (sqlite3.Error, OSError) as error:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    def _login(self, fields: dict[str, str]) -> str | None:
        user = fields.get("user", "")
        if not self.users.check(user, fields.get("password", "")):
            return None
        token = secrets.token_urlsafe(24)
        self.sessions[token] = user
        return token

    # the API

    def _api(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/api/health":
                return self._health()
            case "POST", "/api/login":
                token = self._login(request.fields())
                if token is None:
                    return _error(HTTPStatus.UNAUTHORIZED, "user or password is wrong")
                return as_json({"token": token}, Set_Cookie=_COOKIE.format(token))
            case "POST", "/api/proxies/heartbeat":
                return self._heartbeat(request)
        user = self.sessions.get(request.token)
        if user is None:
            return _error(HTTPStatus.UNAUTHORIZED, "log in first: sessions end when the server stops")
        return self._api_of_user(request, user)

    def _api_of_user(self, request: Request, user: str) -> Response:
        match request.method, request.path:
            case "GET", "/api/assets":
                return as_json({"assets": [asdict(asset) for asset in self.store.assets()]})
            case "POST", "/api/assets":
                wanted = request.fields()
                asset = self.store.add_asset(wanted["name"], wanted.get("kind", "server"), wanted.get("address", ""))
                return as_json(asdict(asset), HTTPStatus.CREATED)
            case "GET", "/api/jobs":
                after, limit = int(request.query.get("after", 0)), min(int(request.query.get("limit", 1000)), 10_000)
                return as_json({"jobs": [job.as_json() for job in self.store.jobs_after(after, limit)]})
            case "POST", "/api/jobs":
                job, new = self._submit(request.fields(), user)
                return as_json(job.as_json(), HTTPStatus.CREATED if new else HTTPStatus.OK)
        found = self._job(request)
        if found is None:
            return _error(HTTPStatus.NOT_FOUND, "no such thing")
        return as_json({**found.as_json(), "output": self._output(found)})

    def _health(self) -> Response:
        self.store.check()
        seen = max(self.proxies.values(), default=None)
        age = None if seen is None else round(time.monotonic() - seen, 3)
        return as_json({"status": "ok", **asdict(self.facts), "proxy": {"seen_seconds_ago": age}})

    def _heartbeat(self, request: Request) -> Response:
        if not secrets.compare_digest(request.token.encode(), self.proxy_secret.encode()):
            return _error(HTTPStatus.FORBIDDEN, "not a proxy of this Enterprise Controller")
        fields = request.fields()
        if fields["id"] not in self.proxies:
            self.store.add_proxy(fields["id"], fields["name"])
        self.proxies[fields["id"]] = time.monotonic()
        return as_json({"epoch": self.facts.epoch})

    def _submit(self, fields: dict[str, str], user: str) -> tuple[Job, bool]:
        if not fields["key"]:
            raise ValueError("the key must not be empty")
        return self.store.submit(key=fields["key"], kind=fields["kind"], asset=fields["asset"], user=user)

    def _job(self, request: Request) -> Job | None:
        match = _JOB_PATH.fullmatch(request.path)
        return self.store.job(int(match[1])) if match and request.method == "GET" else None

    def _output(self, job: Job) -> str:
        try:
            return (self.jobs_dir / str(job.id) / "output").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    # the pages

    def _web(self, request: Request) -> Response:
        where = self.facts.where
        match request.method, request.path:
            case "GET", "/login":
                return Response(body=pages.render_login(where))
            case "POST", "/login":
                token = self._login(request.form())
                if token is None:
                    return Response(status=HTTPStatus.UNAUTHORIZED, body=pages.render_login(where, failed=True))
                return redirect("/assets", Set_Cookie=_COOKIE.format(token))
        user = self.sessions.get(request.token)
        if user is None:
            return redirect("/login")
        match request.method, request.path:
            case "GET", "/":
                return redirect("/assets")
            case "GET", "/assets":
                return Response(body=pages.render_assets(where, self.store.assets()))
            case "GET", "/jobs":
                return Response(body=pages.render_jobs(where, self.store.latest_jobs(100)))
            case "POST", "/jobs":
                job, _ = self._submit(request.form(), user)
                return redirect(f"/jobs/{job.id}")
            case "GET", "/logout":
                self.sessions.pop(request.token, None)
                return redirect("/login")
        found = self._job(request)
        if found is None:
            return Response(status=HTTPStatus.NOT_FOUND, body="no such page\n")
        return Response(body=pages.render_job(where, found, self._output(found)))


def _error(status: HTTPStatus, why: str) -> Response:
    return as_json({"error": why}, status)
