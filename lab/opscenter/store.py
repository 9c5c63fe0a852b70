"""The product's data in db/: assets, jobs, proxies and what must be remembered between starts.

A call that changes something returns only after it reached the disk: a write-ahead log with synchronous=FULL is fsynced
at each commit (https://sqlite.org/pragma.html#pragma_synchronous). Several processes may have it open.
"""

import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE assets (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, address TEXT NOT NULL);
CREATE TABLE proxies (id TEXT PRIMARY KEY, name TEXT NOT NULL, registered REAL NOT NULL);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, asset TEXT NOT NULL,
    user TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'queued', created REAL NOT NULL, started REAL, finished REAL
);
CREATE INDEX jobs_queued ON jobs (id) WHERE state = 'queued';
CREATE INDEX jobs_running ON jobs (id) WHERE state = 'running';
"""


@dataclass(frozen=True, slots=True)
class Asset:
    id: int
    name: str
    kind: str
    address: str


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    key: str
    kind: str
    asset: str
    user: str
    state: str  # queued, running, done, interrupted
    created: float
    started: float | None
    finished: float | None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Start:
    epoch: int  # grows by one each time the product is started on another machine than the last time
    starts: int


class KeyReused(Exception):
    """The client's key belongs to a job of another kind or asset."""


class Store:
    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._lock = threading.Lock()
        mode = "rwc" if create else "rw"
        self._db = sqlite3.connect(
            f"file:{path}?mode={mode}", uri=True, timeout=5, isolation_level=None, check_same_thread=False
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        if create:
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _run(self, sql: str, *values: object) -> int:
        """Rows changed. One statement is one transaction: it is on disk when this returns."""
        with self._lock:
            return self._db.execute(sql, values).rowcount

    def _ask(self, sql: str, *values: object) -> Sequence[tuple[object, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def record_start(self, machine: str) -> Start:
        before = {str(key): str(value) for key, value in self._ask("SELECT key, value FROM meta")}
        moved = before.get("machine") != machine
        start = Start(int(before.get("epoch", 0)) + moved, int(before.get("starts", 0)) + 1)
        self._run(
            "REPLACE INTO meta VALUES ('machine', ?), ('epoch', ?), ('starts', ?)",
            machine,
            str(start.epoch),
            str(start.starts),
        )
        return start

    def check(self) -> None:
        """Raises sqlite3.Error when the data cannot be read."""
        self._ask("SELECT count(*) FROM meta")

    def add_asset(self, name: str, kind: str, address: str) -> Asset:
        self._run(
            "INSERT INTO assets (name, kind, address) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, address = excluded.address",
            name,
            kind,
            address,
        )
        return next(asset for asset in self.assets() if asset.name == name)

    def assets(self) -> list[Asset]:
        return [Asset(*row) for row in self._ask("SELECT id, name, kind, address FROM assets ORDER BY name")]  # type: ignore[arg-type]

    def add_proxy(self, proxy_id: str, name: str) -> None:
        self._run("INSERT INTO proxies VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING", proxy_id, name, time.time())

    def submit(self, *, key: str, kind: str, asset: str, user: str) -> tuple[Job, bool]:
        """The job of that key, and whether it is new: a client that never saw our answer may ask again."""
        new = self._run(
            "INSERT INTO jobs (key, kind, asset, user, created) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
            key,
            kind,
            asset,
            user,
            time.time(),
        )
        (job,) = self._jobs("WHERE key = ?", key)
        if (job.kind, job.asset) != (kind, asset):
            raise KeyReused(key)
        return job, new == 1

    def job(self, job_id: int) -> Job | None:
        return next(iter(self._jobs("WHERE id = ?", job_id)), None)

    def jobs_after(self, job_id: int, limit: int) -> list[Job]:
        return self._jobs("WHERE id > ? ORDER BY id LIMIT ?", job_id, limit)

    def latest_jobs(self, limit: int) -> list[Job]:
        return self._jobs("ORDER BY id DESC LIMIT ?", limit)

    def _jobs(self, where: str, *values: object) -> list[Job]:
        rows = self._ask(
            f"SELECT id, key, kind, asset, user, state, created, started, finished FROM jobs {where}", *values
        )
        return [Job(*row) for row in rows]  # type: ignore[arg-type]

    def take(self) -> Job | None:
        """The oldest queued job, now running. There is one runner: its lock sees to that."""
        queued = self._jobs("WHERE state = 'queued' ORDER BY id LIMIT 1")
        if not queued:
            return None
        self._run("UPDATE jobs SET state = 'running', started = ? WHERE id = ?", time.time(), queued[0].id)
        return self.job(queued[0].id)

    def finish(self, job_id: int, state: str) -> None:
        self._run("UPDATE jobs SET state = ?, finished = ? WHERE id = ?", state, time.time(), job_id)

    def interrupt_running(self) -> int:
        """What ran when the machine died is never run again by itself: twice may be worse than not at all."""
        return self._run("UPDATE jobs SET state = 'interrupted', finished = ? WHERE state = 'running'", time.time())
