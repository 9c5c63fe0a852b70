"""One controller as the agent looks after it: its definition, what is watched, what is due."""

from __future__ import annotations

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
        self.active = self.is_active()
        self.watch = Watch(controller.own_paths)
        self._rearm_at = now + REARM

    def is_active(self) -> bool:
        return self.host.files.exists(places.active_file(self.name))

    def look(self, now: float) -> None:
        """At what the watch saw, and whether this node became or ceased to be the active one."""
        if self.watch.read():
            self.schedule.changed(now)
        if now >= self._rearm_at:
            begun = self.host.monotonic()
            self.watch.rearm()
            self._rearm_at = now + max(REARM, REST * (self.host.monotonic() - begun))
        active = self.is_active()
        if active != self.active:
            self.active = active
            self.schedule.changed(now)
            self.schedule.check_soon(now)

    def close(self) -> None:
        self.watch.close()
