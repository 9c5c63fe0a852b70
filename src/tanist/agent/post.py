"""One controller as the agent looks after it: its definition, what is watched, what is due.

Only the active node captures, so only there files are watched: a spare machine for hundreds needs one inotify instance
for each that came to it, and the kernel gives a user 128 (inotify(7), max_user_instances).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from tanist.agent.schedule import Schedule
from tanist.host.inotify import Watch
from tanist.plan import places

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller

REARM = 60.0  # seconds at least between two looks for directories that came unseen
REST = 2000.0  # and so many times as long as one takes: never more than a two-thousandth of a core


class Post:
    def __init__(self, host: Host, controller: Controller, now: float, place: int = 0) -> None:
        self.host = host
        self.name = controller.name
        self.schedule = Schedule(now, place)
        self.verdict = ""
        self.metrics = ""
        self.running: set[str] = set()  # "capture", "look": what a worker has of it
        self.has_commands = bool(controller.commands)  # the timer runs them: a dump for each change would be too many
        self.paths = controller.own_paths
        self.active = self.is_active()
        self.watch: Watch | None = None
        self.unwatched = False  # the kernel gives no more watches: the timer captures what goes unseen
        self._rearm_at = 0.0
        if self.active:
            self._begin(now)

    def is_active(self) -> bool:
        return self.host.files.exists(places.active_file(self.name))

    def look(self, now: float) -> None:
        """At what the watch saw, and whether this node became or ceased to be the active one."""
        if self.watch is not None and self.watch.read():
            self.schedule.changed(now)
        if self.watch is not None and now >= self._rearm_at:
            begun = self.host.monotonic()
            self.watch.rearm()
            self._rearm_at = now + max(REARM, REST * (self.host.monotonic() - begun))
            self.unwatched = self.watch.full
        active = self.is_active()
        if active != self.active:
            self.active = active
            self.schedule.check_soon(now)
            if active:
                self._begin(now)
            else:
                self.close()

    def _begin(self, now: float) -> None:
        """From now on every change counts, and what happened before that nobody saw."""
        try:
            self.watch = Watch(self.paths)
            self.unwatched = self.watch.full
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                raise
            self.unwatched = True
        self._rearm_at = now + REARM
        self.schedule.changed(now)

    def close(self) -> None:
        if self.watch is not None:
            self.watch.close()
        self.watch, self.unwatched = None, False
