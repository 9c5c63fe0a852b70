"""The lease outside of runs: set up on a node, told about, watched while the node is active, and joined again.

In: a session. Out: words, opinions for the watch. Only `set_up_lease` writes to the place of the leases, and only where
it is blank.
"""

from __future__ import annotations

from functools import partial

from tanist.facts.device import ask, describe_content, read_blocks
from tanist.facts.lease import (
    NO_LEASE,
    RESOURCE,
    RESOURCE_AT,
    SIZE,
    Daemon,
    Mark,
    lockspace_name,
    read_daemon,
    read_host_mark,
    read_resource_mark,
)
from tanist.facts.machine import describe_machine
from tanist.model.definition import Lease
from tanist.model.errors import Failed, Refused, TanistError
from tanist.model.unread import Unread
from tanist.proof.hold import KEPT, Opinion
from tanist.proof.lease import LeaseRecord, host_id, read_lease, read_record
from tanist.proof.looks import Looks
from tanist.runs.session import Session, read_active
from tanist.steps.lease import give_back
from tanist.steps.sanlock import PYTHON, holds, join, start_daemon

PART = 512 << 10  # bytes that are read at a time
EVERY = 2.0  # seconds between two looks of the watch
LOOK = 5.0  # seconds that one may take
JOIN_AGAIN = 30.0  # seconds between two tries to join
OPTIONS = "/etc/systemd/system/sanlock.service.d/tanist.conf"
WITH_WATCHDOG = "[Unit]\nRequires=wdmd.service\nAfter=wdmd.service\n\n"
DAEMON = "# made by tanist lease init\n{unit}[Service]\nExecStart=\nExecStart=/usr/sbin/sanlock daemon {options}\n"
WRITE = f"""
import sys, sanlock
space, path, seconds = sys.argv[1:]
try:
    sanlock.write_resource(space.encode(), b"{RESOURCE}", [(path, {RESOURCE_AT})])
    sanlock.write_lockspace(space.encode(), path, 0, iotimeout=int(seconds))
except sanlock.SanlockException as error:
    sys.exit(f"{{error.errno}} {{error}}")
"""


# -- setting up
def set_up_lease(session: Session, *, watchdog: bool) -> None:
    """On each node once: the daemon, the leases where their place is blank, and this node in the lockspace."""
    lease = demand_defined(session)
    check_place(session, lease)
    set_up_daemon(session, watchdog=watchdog)
    mark = read_host_mark(session.host, lease.device, 1)
    if isinstance(mark, Unread):
        write_leases(session, lease)
        session.note(f"{lease.device} now holds the lockspace {lockspace_name(session.name)}")
    session.note(f"joining the lockspace takes up to {3 * lease.io_timeout} s")
    join(session.host, session.controller, session.node)
    if read_active(session):
        session.note(f"{session.node} is active and takes the lease at its next takeover or start")


def demand_defined(session: Session) -> Lease:
    if session.controller.proof.lease is None:
        raise Refused(
            f"the definition of {session.name} has no [proof.lease]",
            next_step='add it, on every node: [proof.lease] device = "/dev/disk/by-id/..."  (4 MiB that all nodes see)',
        )
    return session.controller.proof.lease


def check_place(session: Session, lease: Lease) -> None:
    """Refused unless it is large enough, and blank or this controller's."""
    host, name = session.host, lockspace_name(session.name)
    info = host.files.stat(lease.device)
    if info is None:
        raise Refused(f"{lease.device} is not there", next_step="is it connected to this node?")
    size = ask(host, ["blockdev", "--getsize64", lease.device])
    known = int(size.text) if not isinstance(size, Unread) and size.text.strip().isdigit() else info.st_size
    if known < SIZE:
        raise Refused(f"{lease.device} has {known} bytes; the leases of {session.name} take {SIZE}")
    mark = read_host_mark(host, lease.device, 1)
    if isinstance(mark, Mark):
        if mark.lockspace != name:
            raise Refused(
                f"{lease.device} holds the lockspace {mark.lockspace!r} of somebody else",
                next_step="give [proof.lease] a device of its own",
            )
        return
    half = read_resource_mark(host, lease.device)
    if isinstance(half, Mark) and half.lockspace == name and mark.why == NO_LEASE:
        return  # cut off between the resource and the lockspace
    parts = [read_blocks(host, lease.device, at, 1, PART) for at in range(SIZE // PART)]
    if isinstance(unread := next((one for one in parts if isinstance(one, Unread)), None), Unread):
        raise Refused(f"{lease.device} cannot be read: {unread.why}")
    if any(not isinstance(one, Unread) and any(one) for one in parts):
        raise Refused(
            f"{lease.device} is not blank, and holds no lockspace of this controller ({mark.why}). Nothing was written",
            next_step=f"is it in other use ({describe_content(host, lease.device)}), or a lockspace that was damaged? "
            f"If nobody uses it: dd if=/dev/zero of={lease.device} bs=1M count=4 conv=notrunc",
        )


def set_up_daemon(session: Session, *, watchdog: bool) -> None:
    """Debian's daemon runs without the watchdog (-w 0), and drops root, whose device this is."""
    host, files = session.host, session.host.files
    if isinstance(ran := ask(host, ["sanlock", "version"]), Unread) or ran.status != 0:
        raise Refused("sanlock is not installed", next_step="apt-get install sanlock python3-sanlock")
    found = ask(host, [PYTHON, "-I", "-c", "import sanlock"])
    if isinstance(found, Unread) or found.status != 0:
        raise Refused("sanlock's Python binding is not installed", next_step="apt-get install python3-sanlock")
    if watchdog and not files.exists("/dev/watchdog"):
        raise Refused(
            f"{session.node} has no /dev/watchdog",
            next_step=f"modprobe softdog, or its own driver; or: tanist lease init {session.name} --without-watchdog "
            "(then its lease alone proves nothing: nothing resets it when it cannot renew)",
        )
    options = f"-w {int(watchdog)} -U root -G root -e {session.node}"
    text = DAEMON.format(unit=WITH_WATCHDOG if watchdog else "", options=options).encode()
    running = read_daemon(host)
    if isinstance(running, Daemon) and running.watchdog != watchdog:
        raise Refused(
            f"sanlock runs {'with' if running.watchdog else 'without'} the watchdog already",
            next_step="once nothing uses it: systemctl stop sanlock",
        )
    files.make_directory(OPTIONS.rpartition("/")[0], 0o755)
    files.write(OPTIONS, text, 0o644)
    host.run(["systemctl", "daemon-reload"], timeout=60)
    host.run(["systemctl", "enable", "sanlock.service"], timeout=60, ok=None)
    start_daemon(host)


def write_leases(session: Session, lease: Lease) -> None:
    """The records first, so that none of an older life speaks for these leases; the lockspace, which counts, last."""
    host = session.host
    zero = [
        "dd",
        "if=/dev/zero",
        f"of={lease.device}",
        "bs=1M",
        "seek=2",
        "count=2",
        "conv=notrunc,fsync",
        "status=none",
    ]
    host.run(zero, timeout=60)
    argv = [PYTHON, "-I", "-c", WRITE, lockspace_name(session.name), lease.device, str(lease.io_timeout)]
    ran = host.run(argv, ok=None, timeout=120)
    if ran.status != 0:
        raise Failed(f"sanlock cannot write its leases to {lease.device}: {ran.complaint}", node=session.node)


# -- telling
def describe_lease(session: Session) -> list[str]:
    lease, host, controller = demand_defined(session), session.host, session.controller
    daemon = read_daemon(host)
    lines = [
        f"{lease.device}: runs out {lease.lapses_after} s after the last renewal, renewed every {lease.renewed_every} s"
    ]
    if isinstance(daemon, Unread):
        lines.append(f"{session.node}: {daemon.why}")
    else:
        joined = daemon.is_in(lockspace_name(session.name))
        held = "holds the lease" if holds(daemon, controller) else "does not hold the lease"
        where = f"in the lockspace, {held}" if joined else f"not in the lockspace (tanist lease init {session.name})"
        dog = "a watchdog" if daemon.watchdog else "no watchdog: it is not reset when it cannot renew"
        lines.append(f"{session.node}: {where}; {describe_machine(host)}, {dog}")
    for node in controller.peers(session.node):
        sight = read_lease(host, controller, node.name)
        weak = f"; proves nothing alone: {sight.weakness}" if sight.weakness else ""
        lines.append(f"{node.name}: {sight.detail}{weak}")
    return lines


def give_back_lease(session: Session) -> None:
    """For a node that is not the active one and has the lease all the same."""
    demand_defined(session)
    if read_active(session):
        raise Refused(
            f"{session.node} is the active node and needs the lease", next_step=f"tanist release {session.name}"
        )
    give_back(session.host, session.controller, session.node)


# -- watching
class LeaseEye:
    """The watch's look at the lease, while this node is active (runs/hold.py, Extra). Lost: another node has it, or
    sanlock itself would have given up by now. A run from before the definition had a lease is not judged."""

    def __init__(self) -> None:
        self._held = False  # this node was seen to hold it
        self._good: float | None = None  # when it last was
        self._last: tuple[float, Opinion] | None = None
        self._looks: Looks | None = None

    def __call__(self, session: Session, epoch: int) -> Opinion:  # noqa: ARG002 - asked as all are
        lease, now = session.controller.proof.lease, session.host.monotonic()
        if lease is None:
            return KEPT
        if self._last is not None and now - self._last[0] < EVERY:
            return self._last[1]
        opinion = self._judge(self._look(session), lease, now)
        self._last = (now, opinion)
        return opinion

    def _look(self, session: Session) -> Opinion | Unread:
        if self._looks is None or self._looks.is_done("lease"):
            self._looks = Looks(session.host)
            self._looks.begin("lease", partial(look_at_own, session))
        self._looks.wait(["lease"], LOOK)
        return self._looks.result("lease", Opinion)

    def _judge(self, found: Opinion | Unread, lease: Lease, now: float) -> Opinion:
        if isinstance(found, Unread):
            found = Opinion(says="untold", why=f"the lease cannot be looked at: {found.why}")
        if found is HELD:
            self._held, self._good = True, now
            return KEPT
        if found.says == "lost" or found is KEPT:
            return found
        if not self._held:
            return KEPT
        if self._good is not None and now - self._good >= 8 * lease.io_timeout:
            return Opinion(says="lost", why=f"for {now - self._good:.0f} s: {found.why}", foreign=True)
        return found


HELD = Opinion(says="kept", why="sanlock holds the lease")


def look_at_own(session: Session) -> Opinion:
    """HELD, KEPT (it was never taken), lost, or what is wrong. The disk decides before the daemon's belief."""
    host, controller = session.host, session.controller
    lease = demand_defined(session)
    mine = host_id(controller, session.node)
    mark, daemon = read_resource_mark(host, lease.device), read_daemon(host)
    names = {host_id(controller, node.name): node.name for node in controller.nodes}
    if (
        isinstance(mark, Mark)
        and mark.timestamp
        and mark.host_id != mine
        and mark.lockspace == lockspace_name(session.name)
    ):
        record = read_record(host, controller, session.node, lease)
        if isinstance(record, LeaseRecord) and record.state == "held":
            return Opinion(says="lost", why=f"{names.get(mark.host_id, 'a stranger')} has the lease", foreign=True)
        return KEPT
    if holds(daemon, controller):
        return HELD
    if isinstance(daemon, Unread):
        return Opinion(says="untold", why=f"the lease is not renewed: {daemon.why}")
    return Opinion(says="untold", why="sanlock has given up the lease, or does not hold it any more")


class Joiner:
    """Keeps this node in the lockspace, active or not, so that it knows how old the others' renewals are."""

    def __init__(self) -> None:
        self._looks: Looks | None = None
        self._tried: float | None = None
        self._said = ""

    def __call__(self, session: Session) -> None:
        host = session.host
        if session.controller.proof.lease is None or (self._looks is not None and not self._looks.is_done("join")):
            return
        if self._looks is not None:
            self._tell(session, self._looks)
            self._looks = None
        if self._tried is not None and host.monotonic() - self._tried < JOIN_AGAIN:
            return
        self._tried = host.monotonic()
        self._looks = Looks(host)
        self._looks.begin("join", partial(try_to_join, session))

    def _tell(self, session: Session, looks: Looks) -> None:
        found = looks.result("join", str)
        text = found.why if isinstance(found, Unread) else found
        if text != self._said:
            session.note(text or "this node is in the lockspace again")
        self._said = text


def try_to_join(session: Session) -> str:
    """ "" or what is wrong."""
    try:
        join(session.host, session.controller, session.node)
    except TanistError as error:
        return f"warning: the lease: {error.message}"
    return ""
