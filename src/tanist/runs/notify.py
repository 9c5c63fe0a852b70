"""A run tells no hook itself: it starts a courier apart from itself (courier.py), which reads the run's journal and
tells what stands there.

So nothing that a hook does can reach the run, which waits for nothing and never looks at it again. Where no hook is set
up, two names are looked up and nothing is started. The courier is a transient unit of its own with limits: whatever a
hook starts ends with it (systemd-run(1)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.runs.session import Session

DIRECTORY, WEBHOOKS = "/etc/tanist/hooks.d", "/etc/tanist/webhooks.toml"
TANIST = "/usr/local/bin/tanist"
LIMITS = (
    *("Nice=19", "IOSchedulingClass=idle", "CPUWeight=1", "OOMScoreAdjust=1000", "TasksMax=64", "MemoryMax=256M"),
    *("LimitFSIZE=64M", "LimitCORE=0", "RuntimeMaxSec=1d", "TimeoutStopSec=5s"),
)


def start_courier(session: Session, what: str, after: int = 0) -> None:
    """`what`: a run, or "readiness". Of a run's journal the records behind the first `after` ones are told."""
    if not has_hooks(session.host):
        return
    unit = f"tanist-courier-{session.name}-{what}-{after}"
    limits = [part for one in LIMITS for part in ("-p", one)]
    argv = ["systemd-run", "--no-block", "--collect", "--quiet", f"--unit={unit}", *limits, "--"]
    session.host.launch([*argv, TANIST, "courier", session.name, what, str(after)])


def has_hooks(host: Host) -> bool:
    """Quick: asked at the beginning of every run."""
    try:
        return bool(host.files.list(DIRECTORY)) or host.files.exists(WEBHOOKS)
    except OSError:
        return host.files.exists(WEBHOOKS)
