"""tanist-agent: captures on change, readiness refreshed, metrics served; all controllers of this node.

The loop itself only waits, looks and tells systemd that it is alive. The work is done by the same commands that a
person types, one process each, in one worker: they take the locks that they always take, and what they leave when they
are killed is what they always leave. A second agent, or none at all, does no harm.
"""

from __future__ import annotations

import json
import queue
import select
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tanist.agent.post import Post
from tanist.agent.schedule import Job
from tanist.definition.load import list_controllers, read_controller
from tanist.model.errors import Refused

if TYPE_CHECKING:
    from tanist.host.host import Host

TANIST = "/usr/local/bin/tanist"
RELOAD = 10.0  # seconds between two looks at the definitions
BUSY = 0.2  # seconds at least between two looks while something waits for the worker
STEP = 2.0  # seconds at most between two looks at anything
LIMITS: dict[Job, float] = {
    "capture": 1800.0,
    "check": 120.0,
    "proofs": 600.0,
    "storage": 300.0,
}  # seconds that one may take
GRADES = {"READY": 6, "READY WITH LOSS": 4, "NOT READY": 3}  # priority in the journal

Log = Callable[[str, Mapping[str, str], int], None]


class Agent:
    def __init__(self, host: Host, log: Log, alive: Callable[[str], object], textfiles: str = "") -> None:
        """`textfiles`: the directory of node_exporter's textfile collector, "" for none."""
        self.host, self.log, self.alive = host, log, alive
        self._textfiles = textfiles
        self.posts: dict[str, Post] = {}
        self._texts: dict[str, bytes] = {}
        self._captures: queue.Queue[tuple[Post, Job]] = queue.Queue()
        self._looks: queue.Queue[tuple[Post, Job]] = queue.Queue()  # a power switch may take minutes to answer
        self._done: queue.Queue[tuple[Post, Job, bool]] = queue.Queue()
        self._reload_at = 0.0
        self._unwatched: set[str] = set()  # controllers that the journal was told of
        self._begun: dict[Job, float] = {}  # when a worker began what it is doing

    def run(self) -> None:
        """For ever."""
        for jobs in (self._captures, self._looks):
            threading.Thread(target=self._work, args=(jobs,), daemon=True).start()
        self.step(0.0)
        self.alive("READY=1")
        while True:
            self.step(STEP)

    def step(self, patience: float) -> None:
        """Wait for something to happen, at most so many seconds, and give the worker what is due."""
        now = self.host.monotonic()
        if now >= self._reload_at:
            self.reload(now)
            self._reload_at = now + RELOAD
        waits = [post.schedule.wait(now) for post in self.posts.values()]
        least = 0.02 if self._looks.empty() and not any(post.running for post in self.posts.values()) else BUSY
        watches = [post.watch for post in self.posts.values() if post.watch is not None]
        select.select(watches, [], [], max(min([patience, *waits]), least))
        now = self.host.monotonic()
        self._collect(now)
        for post in self.posts.values():
            post.look(now)
            self._tell_unwatched(post)
            self._give(post, now)
        if not self._is_stuck(now):
            self.alive("WATCHDOG=1")

    def _give(self, post: Post, now: float) -> None:
        """A capture never waits for a look: each kind has a worker of its own."""
        looks = "look" not in post.running and self._looks.empty()
        job = post.schedule.due(now, captures="capture" not in post.running, looks=looks)
        if job is None:
            return
        post.running.add("capture" if job == "capture" else "look")
        post.schedule.begin(job, now)
        (self._captures if job == "capture" else self._looks).put((post, job))

    def reload(self, now: float) -> None:
        """Definitions come, change and go while the agent runs."""
        names = list_controllers(self.host.files)
        for name in set(self.posts) - set(names):
            self.posts.pop(name).close()
            self._texts.pop(name, None)
            if self._textfiles:
                self.host.files.remove(self.metrics_path(name))
        for name in names:
            text = self.host.files.read(f"/etc/tanist/controllers/{name}.toml")
            if self._texts.get(name) == text:
                continue
            self._texts[name] = text
            try:
                controller = read_controller(self.host.files, name)
            except Refused as refused:
                self.log(f"{name}: {refused.message}", {"TANIST_CONTROLLER": name}, 3)
                continue
            if name in self.posts:
                self.posts.pop(name).close()
            self.posts[name] = Post(self.host, controller, now, len(self.posts))
        for post in self.posts.values():
            post.schedule.share(len(self.posts))

    def _tell_unwatched(self, post: Post) -> None:
        """Once, until it is over."""
        if not post.unwatched:
            self._unwatched.discard(post.name)
        elif post.name not in self._unwatched:
            self._unwatched.add(post.name)
            limits = "fs.inotify.max_user_watches or max_user_instances"
            says = f"{post.name}: {limits} is reached; changes that go unseen wait for the timer"
            self.log(says, {"TANIST_CONTROLLER": post.name}, 4)

    def metrics(self) -> str:
        """Each controller's, with its help lines once for all."""
        lines: dict[str, None] = {}
        for post in self.posts.values():
            lines.update(dict.fromkeys(line for line in post.metrics.splitlines() if line))
        return group_metrics(list(lines))

    def _collect(self, now: float) -> None:
        while not self._done.empty():
            post, job, ok = self._done.get()
            post.running.discard("capture" if job == "capture" else "look")
            post.schedule.ended(job, ok, now)

    def _is_stuck(self, now: float) -> bool:
        return any(now - begun > LIMITS[job] + 60.0 for job, begun in list(self._begun.items()))

    # -- the worker
    def _work(self, jobs: queue.Queue[tuple[Post, Job]]) -> None:
        while True:
            post, job = jobs.get()
            self._begun[job] = self.host.monotonic()
            self._done.put((post, job, self.do(post, job)))
            del self._begun[job]

    def do(self, post: Post, job: Job) -> bool:
        """Whether it went well. What the command complains of goes to the journal."""
        argv = {
            "capture": [TANIST, "capture", post.name, *(["--no-commands"] if post.has_commands else [])],
            "check": [TANIST, "check", post.name, "--json", "--textfile", self.metrics_path(post.name)],
            "proofs": [TANIST, "proofs", post.name],
            "storage": [TANIST, "storage", "check", post.name],
        }[job]
        fields = {"TANIST_CONTROLLER": post.name, "TANIST_JOB": job}
        try:
            ran = self.host.run(argv, ok=None, timeout=LIMITS[job])
        except OSError as error:
            self.log(f"{post.name}: {job}: {error.strerror or error}", fields, 3)
            return False
        if job == "check":
            return self._take_check(post, ran.text if ran.status in (0, 10, 20) else "", ran.complaint)
        well = (0, 1) if job in ("proofs", "storage") else (0,)  # 1: something is lacking, which readiness tells
        if ran.status not in well:
            self.log(f"{post.name}: {ran.complaint}", fields, 4)
        return ran.status in well

    def metrics_path(self, name: str) -> str:
        return f"{self._textfiles}/tanist-{name}.prom" if self._textfiles else f"/run/tanist/{name}/metrics.prom"

    def _take_check(self, post: Post, text: str, complaint: str) -> bool:
        fields = {"TANIST_CONTROLLER": post.name, "TANIST_JOB": "check"}
        try:
            found = json.loads(text)
            verdict = min((str(one["verdict"]) for one in found), key=list(GRADES).index)
            bad = [one for item in found for one in item["findings"] if one["grade"] != "good" and not one["accepted"]]
            metrics = self.host.files.read(self.metrics_path(post.name), 1 << 22).decode()
        except (ValueError, KeyError, TypeError, OSError) as error:
            why = error if isinstance(error, OSError) else complaint
            self.log(f"{post.name}: readiness can't be told: {why}", fields, 3)
            return False
        post.metrics = metrics
        if verdict != post.verdict:
            post.verdict = verdict
            why = "; ".join(f"{one['name']}: {one['says']}" for one in bad if one["grade"] in ("blocks", "loss"))
            text = f"{post.name}: {verdict}" + (f" ({why})" if why else "")
            self.log(text, {**fields, "TANIST_VERDICT": verdict}, GRADES[verdict])
        self.alive("STATUS=" + ", ".join(f"{one.name} {one.verdict or '...'}" for one in self.posts.values()))
        return True


def group_metrics(lines: list[str]) -> str:
    """The samples of one metric in one group after its help and type, as the exposition format wants it."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        name = line.split()[2] if line.startswith("# ") else line.partition("{")[0].partition(" ")[0]
        groups.setdefault(name, []).append(line)
    return "".join(f"{line}\n" for group in groups.values() for line in group)
