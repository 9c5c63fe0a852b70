"""The agent on a machine in a directory: what it starts, what it says, what it does with bad news."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tanist.agent.loop import TANIST, Agent, group_metrics
from tanist.agent.serve import serve
from tanist.host.fake import FakeHost
from tanist.model.errors import Refused
from tanist.model.host import Ran

PROFILE = (Path(__file__).parents[3] / "profiles/postgresql.toml").read_bytes()
ACTIVE = "/var/lib/tanist/postgresql/active.json"
METRICS = '# HELP a b\n# TYPE a gauge\na{controller="x"} 1\n'


class Stand:
    """An agent, what it ran, and what it said."""

    def __init__(self, tmp_path: Path) -> None:
        self.host = FakeHost(str(tmp_path / "root"))
        self.host.files.make_directory("/etc/tanist/controllers")
        self.host.files.write("/etc/tanist/controllers/postgresql.toml", PROFILE)
        self.host.files.make_directory("/var/lib/tanist/postgresql")
        self.host.files.write(ACTIVE, b"{}")
        self.host.files.make_directory("/run/tanist/postgresql")
        self.host.files.write("/run/tanist/postgresql/metrics.prom", METRICS.encode())
        self.said: list[tuple[str, Mapping[str, str], int]] = []
        self.states: list[str] = []
        self.verdict, self.status, self.capture_status = "READY", 0, 0
        self.host.answer_with([TANIST], self.run)
        self.agent = Agent(self.host, lambda *words: self.said.append(words), self.states.append)

    def run(self, argv: Any, _: bytes) -> Ran:
        if "capture" in argv:
            return Ran(argv=tuple(argv), status=self.capture_status, stdout=b"", stderr=b"refused: no room\n")
        finding = {"name": "port", "says": "taken", "grade": "blocks", "accepted": ""}
        text = json.dumps([{"verdict": self.verdict, "findings": [finding]}])
        return Ran(argv=tuple(argv), status=self.status, stdout=text.encode(), stderr=b"")

    def jobs(self) -> list[str]:
        found = [one[1] for one in self.host.ran if one[0] == TANIST]
        self.host.ran.clear()
        return found

    def pass_time(self, seconds: float) -> None:
        """The loop's own steps, with the worker's part done at once."""
        self.host.clock.advance(seconds)
        self.agent.step(0.0)
        for jobs in (self.agent._captures, self.agent._looks):
            while not jobs.empty():
                post, job = jobs.get()
                self.agent._done.put((post, job, self.agent.do(post, job)))
        self.agent.step(0.0)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    made.agent.step(0.0)
    yield made
    for post in made.agent.posts.values():
        post.close()


def test_it_catches_up_checks_and_then_rests(stand: Stand) -> None:
    stand.pass_time(1.0)
    assert stand.jobs() == ["capture"]
    stand.pass_time(2.0)
    assert stand.jobs() == ["check"]
    stand.pass_time(10.0)
    assert stand.jobs() == []
    assert stand.states[-1] == "WATCHDOG=1" and "STATUS=postgresql READY" in stand.states
    assert stand.agent.metrics() == METRICS


def test_a_change_of_the_verdict_is_told_once_with_fields(stand: Stand) -> None:
    stand.pass_time(1.0)
    stand.pass_time(2.0)
    stand.verdict, stand.status = "NOT READY", 20
    for _ in range(2):
        stand.pass_time(200.0)
    told = [one for one in stand.said if "TANIST_VERDICT" in one[1]]
    assert [(one[0], one[2]) for one in told] == [
        ("postgresql: READY (port: taken)", 6),
        ("postgresql: NOT READY (port: taken)", 3),
    ]


def test_a_capture_that_fails_is_told_and_tried_again(stand: Stand) -> None:
    stand.capture_status = 3
    stand.pass_time(1.0)
    assert stand.said[0][:1] == ("postgresql: refused: no room",)
    stand.jobs()
    stand.pass_time(30.0)
    assert "capture" not in stand.jobs()
    stand.pass_time(60.0)
    assert "capture" in stand.jobs()


def test_a_standby_captures_nothing_and_becoming_active_is_a_reason_to_capture_and_to_check(stand: Stand) -> None:
    stand.host.files.remove(ACTIVE)
    stand.pass_time(1.0)
    stand.pass_time(2.0)
    stand.pass_time(10.0)
    stand.jobs()
    (post,) = stand.agent.posts.values()
    assert post.watch is None
    stand.host.files.write(ACTIVE, b"{}")
    stand.pass_time(2.0)
    stand.pass_time(1.0)
    stand.pass_time(2.0)
    assert sorted(stand.jobs()) == ["capture", "check"] and post.watch is not None


def test_a_standby_that_starts_captures_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.host.files.remove(ACTIVE)
    stand.agent.step(0.0)
    for _ in range(3):
        stand.pass_time(5.0)
    assert "capture" not in stand.jobs()


def test_definitions_come_go_and_break_while_it_runs(stand: Stand) -> None:
    path = "/etc/tanist/controllers/postgresql.toml"
    stand.host.files.write(path, PROFILE + b"\nnonsense = 1\n")
    stand.pass_time(11.0)
    assert list(stand.agent.posts) == ["postgresql"], "what was good is kept"
    assert any("nonsense" in one[0] for one in stand.said)
    stand.host.files.remove(path)
    stand.pass_time(11.0)
    assert stand.agent.posts == {}


def test_a_check_that_says_nonsense_is_told_and_changes_nothing(stand: Stand) -> None:
    stand.status = 1
    stand.pass_time(1.0)
    stand.pass_time(2.0)
    assert any("readiness can't be told" in one[0] for one in stand.said)
    assert stand.agent.metrics() == ""


def test_figures_that_are_not_there_end_no_worker(stand: Stand) -> None:
    stand.host.files.remove("/run/tanist/postgresql/metrics.prom")
    for _ in range(4):
        stand.pass_time(1.0)
    assert any("readiness can't be told" in one[0] and "metrics.prom" in one[0] for one in stand.said)


def test_a_worker_that_hangs_is_no_longer_alive_to_systemd(stand: Stand) -> None:
    stand.agent._begun["check"] = stand.host.monotonic()
    stand.host.clock.advance(1900.0)
    stand.states.clear()
    stand.agent.step(0.0)
    assert "WATCHDOG=1" not in stand.states


def test_figures_go_where_node_exporter_looks_for_them_and_go_with_the_definition(stand: Stand) -> None:
    files = stand.host.files
    files.make_directory("/var/lib/prometheus")
    stand.agent = Agent(stand.host, lambda *_: None, lambda _: None, "/var/lib/prometheus")
    files.write("/var/lib/prometheus/tanist-postgresql.prom", METRICS.encode())
    for _ in range(4):
        stand.pass_time(1.0)
    (check,) = [one for one in stand.host.ran if one[:2] == (TANIST, "check")]
    assert check[-2:] == ("--textfile", "/var/lib/prometheus/tanist-postgresql.prom")
    assert stand.agent.metrics() == METRICS
    files.remove("/etc/tanist/controllers/postgresql.toml")
    stand.pass_time(60.0)
    assert files.list("/var/lib/prometheus") == ()


def test_metrics_of_several_controllers_are_grouped() -> None:
    lines = ["# HELP a x", 'a{c="1"} 1', "# HELP b x", "b 1", 'a{c="2"} 1']
    assert group_metrics(lines).splitlines() == ["# HELP a x", 'a{c="1"} 1', 'a{c="2"} 1', "# HELP b x", "b 1"]


def test_metrics_are_served_and_nothing_else(stand: Stand) -> None:
    server = serve("127.0.0.1:0", lambda: METRICS)
    port = server.server_address[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert answer.read().decode() == METRICS
    with pytest.raises(OSError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/etc/passwd", timeout=5)
    server.shutdown()
    server.server_close()
    with pytest.raises(Refused):
        serve("everywhere", lambda: "")


def test_the_loop_sees_a_real_change(stand: Stand, tmp_path: Path) -> None:
    from tanist.host.inotify import Watch

    post = stand.agent.posts["postgresql"]
    stand.pass_time(1.0)
    stand.pass_time(10.0)
    stand.jobs()
    post.close()
    post.watch = Watch([str(tmp_path)])
    (tmp_path / "x").write_text("y")
    began = time.monotonic()
    stand.agent.step(60.0)
    assert time.monotonic() - began < 50.0, "a change ends the wait"
    stand.pass_time(1.0)
    assert stand.jobs() == ["capture"]


def test_a_capture_waits_for_no_look(stand: Stand) -> None:
    stand.pass_time(3.0)
    stand.pass_time(3.0)
    stand.jobs()
    stand.host.clock.advance(400.0)
    stand.agent.step(0.0)  # a check is due, and a worker takes it
    post = next(iter(stand.agent.posts.values()))
    assert post.running == {"look"} and stand.agent._captures.empty()
    post.schedule.changed(stand.host.monotonic())
    stand.host.clock.advance(60.0)
    stand.agent.step(0.0)
    assert post.running == {"look", "capture"} and stand.agent._captures.qsize() == 1
    assert stand.agent._looks.qsize() == 1, "no second look beside the first"
