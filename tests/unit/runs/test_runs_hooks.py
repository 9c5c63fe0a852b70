"""Hooks and webhooks: what they are told, and that nothing they do reaches a run."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tanist.host.apart import launch
from tanist.host.fake import Crash
from tanist.host.local import LocalHost
from tanist.journal.journal import runs_directory
from tanist.report.events import NAMES
from tanist.runs.carry_on import resume, undo
from tanist.runs.courier import build_test_event, carry_readiness, deliver, follow
from tanist.runs.hooks import Hooks, parse_webhook, read_hooks
from tanist.runs.notify import DIRECTORY
from tanist.runs.readiness import save_readiness
from tanist.runs.release import release
from tanist.runs.report import build_report, find_journals
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.test_runs_report import assessment
from tests.unit.runs.test_runs_takeover import ATTEST
from tests.unit.runs.world import World

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


Event = dict[str, Any]


def set_up(world: World, name: str = "ec-b") -> None:
    world.nodes[name].files.make_directory(DIRECTORY)
    world.nodes[name].files.write(f"{DIRECTORY}/10-note", b"#!/bin/sh\n", 0o755)


def told(world: World, number: int = -1) -> list[Event]:
    """What the courier that was started would tell."""
    name, run, after = world.b.launched[number][-3:]
    assert name == "oc"
    return list(follow(world.session("ec-b"), run, int(after)))


def test_a_courier_ends_with_a_journal_that_nobody_works_at_and_that_became_shorter(world: World) -> None:
    """Damaged, or cut to its readable lines by a person, while the courier followed it."""
    set_up(world)
    release(world.session("ec-a"))
    world.b.then.append(("add_address", lambda: world.b.die("here")))
    with pytest.raises(Crash):
        takeover(world.session("ec-b"), TakeoverOptions())
    world.b.revive()
    run = world.b.launched[-1][-2]
    path, looks = f"{runs_directory('oc')}/{run}.jsonl", 0
    events = follow(world.session("ec-b"), run, 0)
    assert next(events)["event"] == "run-began"
    world.b.files.write(path, b"".join(world.b.files.read(path).splitlines(keepends=True)[:2]))
    sleep = world.b.sleep

    def counted(seconds: float) -> None:
        nonlocal looks
        looks += 1
        assert looks < 1000
        sleep(seconds)

    world.b.sleep = counted  # type: ignore[method-assign]
    assert list(events)[-1]["event"] == "run-cut-off"


def names(events: list[Event]) -> list[str]:
    return [one["event"] + (f" {one['stage']}" if "stage" in one else "") for one in events]


# -- what a run tells
def test_a_run_starts_one_courier_and_nothing_where_no_hook_is_set_up(orphan: World) -> None:
    takeover(orphan.session("ec-b"), ATTEST)
    assert orphan.b.launched == []
    set_up(orphan)
    release(orphan.session("ec-b"))
    (argv,) = orphan.b.launched
    assert argv[0] == "systemd-run" and "--no-block" in argv and "TasksMax=64" in argv and argv[-4] == "courier"


def test_hooks_add_no_sync_and_no_command_to_a_run(orphan: World) -> None:
    takeover(orphan.session("ec-b"), ATTEST)
    release(orphan.session("ec-b"))
    orphan.b.ran.clear()
    takeover(orphan.session("ec-b"), ATTEST)
    without = list(orphan.b.ran)
    release(orphan.session("ec-b"))
    set_up(orphan)
    orphan.b.ran.clear()
    takeover(orphan.session("ec-b"), ATTEST)
    assert {one[0] for one in orphan.b.ran} <= {one[0] for one in without} and len(orphan.b.launched) == 1
    before, after = (build_report(orphan.session("ec-b"), run) for run in runs_of(orphan, "takeover"))
    assert len(before.moments) == len(after.moments)


def runs_of(world: World, kind: str) -> list[str]:
    """The last two."""
    return sorted(run for run in find_journals(world.session("ec-b")) if kind in run)[-2:]


def test_each_stage_is_told_with_its_time_and_the_end_with_its_outcome(orphan: World) -> None:
    set_up(orphan)
    takeover(orphan.session("ec-b"), ATTEST)
    events = told(orphan)
    began = [one["stage"] for one in events if one["event"] == "stage-began"]
    assert began == [one["stage"] for one in events if one["event"] == "stage-done"] and "assume" in began
    assert names(events)[0] == "run-began" and names(events)[-1] == "run-ended"
    assert events[0]["verdict"] == "PROVED" and events[0]["attested"] == ATTEST.attest
    assert events[-1]["outcome"] == "done" and len({one["id"] for one in events}) == len(events)
    for one in events:
        assert one["format"] == 1 and one["event"] in NAMES and one["controller"] == "oc" and json.dumps(one)


def test_a_run_that_was_cut_off_is_told_and_so_is_what_became_of_it(orphan: World) -> None:
    set_up(orphan)
    orphan.b.crash_after(25)
    with pytest.raises(Crash):
        takeover(orphan.session("ec-b"), ATTEST)
    orphan.b.revive()
    events = told(orphan)
    assert events[-1]["event"] == "run-cut-off" and "tanist resume oc" in events[-1]["says"]
    resume(orphan.session("ec-b"))
    again = told(orphan)
    assert names(again)[0] == "run-continued" and names(again)[-1] == "run-ended"
    assert not {one["id"] for one in events} & {one["id"] for one in again}, "nothing is told twice"


def test_taking_a_run_back_is_told_once(orphan: World) -> None:
    set_up(orphan)
    orphan.b.crash_after(25)
    with pytest.raises(Crash):
        takeover(orphan.session("ec-b"), ATTEST)
    orphan.b.revive()
    undo(orphan.session("ec-b"))
    events = told(orphan)
    assert names(events).count("undo-began") == 1 and events[-1]["outcome"] == "undone"


def test_a_change_of_readiness_is_told_once_and_the_same_again_is_not(world: World) -> None:
    set_up(world)
    session = world.session("ec-b")
    save_readiness(session, [assessment("one")])
    assert world.b.launched[-1][-2:] == ("readiness", "0")
    (event,) = carry_readiness(session)
    assert event["verdict"] == "ec-b READY WITH LOSS" and event["findings"][0]["name"] == "mirror one"
    count = len(world.b.launched)
    save_readiness(session, [assessment("another")])
    assert len(world.b.launched) == count and list(carry_readiness(session)) == []
    save_readiness(session, [assessment()])
    (event,) = carry_readiness(session)
    assert (event["before"], event["verdict"]) == ("ec-b READY WITH LOSS", "ec-b READY")


# -- programs
class Stand:
    """Hooks on this machine, and what the courier complains of."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "hooks.d").mkdir()
        self.said: list[str] = []

    def add(self, name: str, script: str, mode: int = 0o755) -> None:
        path = self.place / "hooks.d" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(mode)

    def webhook(self, text: str, mode: int = 0o600) -> None:
        (self.place / "webhooks.toml").write_text(text)
        (self.place / "webhooks.toml").chmod(mode)

    def read(self) -> Hooks:
        return read_hooks(LocalHost(), str(self.place / "hooks.d"), str(self.place / "webhooks.toml"))

    def tell(self, *events: Event, limit: float = 30.0) -> bool:
        return deliver(LocalHost(), self.read(), iter(events), lambda text, _, __: self.said.append(text), limit)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def event(number: int = 1) -> Event:
    return {"format": 1, "event": "stage-began", "id": f"r/{number}", "controller": "oc", "says": "x" * 50}


def test_a_program_gets_the_event_on_its_stdin_in_order(stand: Stand, tmp_path: Path) -> None:
    stand.add("10-note", f'cat >> {tmp_path}/out; echo "$1 $2" >> {tmp_path}/words')
    assert stand.tell(*(event(number) for number in range(5)))
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [one["id"] for one in found] == [f"r/{number}" for number in range(5)]
    assert (tmp_path / "words").read_text().splitlines()[0] == "stage-began oc" and stand.said == []


def test_a_hook_that_hangs_forks_fails_or_floods_delays_no_other(stand: Stand, tmp_path: Path) -> None:
    stand.add("10-hang", f"echo $$ >> {tmp_path}/pids; sleep 1000")
    stand.add("20-fork", f"sleep 1000 & echo $! >> {tmp_path}/pids; setsid sleep 60 & exit 0")
    stand.add("30-fail", "echo no room >&2; exit 3")
    stand.add("40-flood", "yes | head -c 50000000; yes | head -c 50000000 >&2")
    stand.add("50-deaf", "exec 0<&-; exit 0")
    stand.add("60-good", f"cat >> {tmp_path}/out")
    assert not stand.tell(event(1), event(2), limit=5.0)
    assert len((tmp_path / "out").read_text().splitlines()) == 2
    said = "\n".join(stand.said)
    assert "10-hang (stage-began): no end within its time: killed" in said and said.count("10-hang") == 1
    assert said.count("30-fail (stage-began): no room (exit status 3)") == 2 and "60-good" not in said
    for pid in (tmp_path / "pids").read_text().split():
        if Path(f"/proc/{pid}/cmdline").exists() and b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(int(pid), 9)  # what systemd does at the end of the courier's unit


def test_what_others_may_change_or_nobody_may_start_is_not_started(stand: Stand, tmp_path: Path) -> None:
    stand.add("10-anybody", f"touch {tmp_path}/started", 0o777)
    stand.add("20-plain", f"touch {tmp_path}/started", 0o644)
    stand.add("30-old~", f"touch {tmp_path}/started")
    (tmp_path / "hooks.d" / "40-directory").mkdir()
    assert not stand.tell(event()) and not (tmp_path / "started").exists()
    assert len(stand.said) == 4 and any("chmod go-w" in one for one in stand.said)


def test_what_is_launched_has_no_pipe_and_a_session_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = "ps -o sid= -p $$; echo $$; readlink /proc/$$/fd/2"
    launch(["sh", "-c", f"({words}) > {out}.part; mv {out}.part {out}"])
    until = time.monotonic() + 30
    while not out.exists() and time.monotonic() < until:
        time.sleep(0.02)
    session, own, stdout = out.read_text().split()
    assert (session == own and stdout == "/dev/null") or stdout.endswith(".part")
    launch(["/nowhere/at/all"])  # no hook set up rightly is no error of the run


# -- webhooks
class Server:
    def __init__(self, status: int = 200) -> None:
        self.took: list[tuple[Mapping[str, str], bytes]] = []
        outer, self.status, self.failures = self, status, 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.took.append((dict(self.headers), body))
                status = 503 if len(outer.took) <= outer.failures else outer.status
                self.send_response(status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/token-that-nobody-may-see"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_webhook_is_posted_signed_and_only_what_it_asked_for(stand: Stand, server: Server, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hush\n")
    key.chmod(0o600)
    stand.webhook(f'[[webhook]]\nurl = "{server.url}"\nsecret = "{key}"\nevents = ["stage-began"]\n')
    assert stand.tell({**event(), "event": "stage-done"}, event())
    ((headers, body),) = server.took
    assert json.loads(body) == event() and headers["X-Tanist-Event"] == "stage-began"
    assert headers["X-Tanist-Signature"] == "sha256=" + hmac.new(b"hush", body, hashlib.sha256).hexdigest()


def test_a_server_that_is_busy_is_asked_again_and_one_that_redirects_is_not_followed(
    stand: Stand, server: Server
) -> None:
    stand.webhook(f'[[webhook]]\nurl = "{server.url}"\n')
    server.failures = 1
    assert stand.tell(event()) and len(server.took) == 2
    server.status, server.failures = 302, 0
    assert not stand.tell(event())
    (said,) = stand.said
    assert "it answers 302" in said and "token-that-nobody-may-see" not in said


def test_secrets_that_others_may_read_are_not_used(stand: Stand, server: Server, tmp_path: Path) -> None:
    stand.webhook(f'[[webhook]]\nurl = "{server.url}"\n', 0o644)
    assert not stand.tell(event()) and "chmod 600" in stand.said[0]
    (tmp_path / "key").write_text("hush")
    stand.webhook(f'[[webhook]]\nurl = "{server.url}"\nsecret = "{tmp_path}/key"\n')
    assert not stand.tell(event()) and server.took == []


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "url begins with"),
        ({"url": "file:///etc/passwd"}, "url begins with"),
        ({"url": "https://a", "events": ["nonsense"]}, "events is a list"),
        ({"url": "https://a", "colour": 1}, "unknown key colour"),
        ({"url": "https://a", "timeout": 1e9}, "timeout is"),
        ({"url": "https://a", "secret": "here"}, "absolute"),
    ],
)
def test_a_webhook_that_is_none_is_told(table: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_webhook(table)


def test_a_webhook_is_named_without_what_may_be_secret() -> None:
    assert parse_webhook({"url": "https://user:pass@chat.example/T0/secret?x=1"}).name == "https://chat.example"


def test_a_test_event_says_that_nothing_has_happened(world: World) -> None:
    found = build_test_event(world.session("ec-b"))
    assert found["event"] == "test" and "nothing has happened" in found["says"]
