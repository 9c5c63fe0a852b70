"""sanlock's daemon on this node: in the lockspace of a controller, and with its lease or without.

A process of its own holds the lease (a sleep that sanlock started, in a unit that outlives tanist), because sanlock
frees the lease of a process that ends. What another node concludes is never drawn from the lease being free, only from
the host's own lease running out: a holder that is killed makes nobody dead. While the lease is held, sanlock is told
that its lockspace is used (set_config -u 1): where the machine has a watchdog, it fires when the renewals end, whether
the holder lives or not. Every act may be done twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.lease import (
    RESOURCE,
    RESOURCE_AT,
    Daemon,
    lockspace_name,
    read_daemon,
    read_host_mark,
    read_resource_mark,
)
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.proof.lease import host_id, read_lease

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller, Lease

PYTHON = "/usr/bin/python3"  # the distribution's: sanlock's binding is its package
PAUSE = 1.0  # seconds between two looks
PATIENCE = 15.0  # seconds that the daemon may take to start, and to give a lease back
JOIN = """
import sys, sanlock
space, number, path, seconds = sys.argv[1:]
try:
    sanlock.add_lockspace(space.encode(), int(number), path, 0, iotimeout=int(seconds))
except sanlock.SanlockException as error:
    sys.exit(f"{error.errno} {error}")
"""
HOLDER = ("--property=OOMScoreAdjust=-1000", "--property=DefaultDependencies=no")
TAKEN = ("17 ", "115 ", "114 ")  # EEXIST, EINPROGRESS, EALREADY: somebody else of this node joins it
BUSY_ID, OTHER_NAME, NO_MAGIC = "-262", "-226", "-223"


def join(host: Host, controller: Controller, node: str) -> None:
    """This node in the lockspace, its own lease renewed from now on: 2 to 3 times the I/O time-out."""
    lease, name = demand_lease(controller), lockspace_name(controller.name)
    daemon = start_daemon(host)
    wanted = f"{name}:{host_id(controller, node)}:{lease.device}:0"
    here = [one for one in daemon.joined if one.startswith(f"{name}:")]
    if wanted in here:
        return
    if here:
        raise Failed(
            f"sanlock is in this lockspace as {here[0]}, not as the definition has it ({wanted})",
            next_step=f"once nothing of {controller.name} runs here: sanlock client rem_lockspace -s {here[0]}",
        )
    demand_lockspace(host, controller)
    argv = [PYTHON, "-I", "-c", JOIN, name, str(host_id(controller, node)), lease.device]
    ran = host.run([*argv, str(lease.io_timeout)], ok=None, timeout=30 + 12 * lease.io_timeout)
    if ran.status != 0 and not ran.complaint.startswith(TAKEN):
        raise Failed(f"sanlock cannot join {name}: {explain(ran.complaint, node)}")
    _await_joined(host, wanted, 12 * lease.io_timeout)


def _await_joined(host: Host, wanted: str, seconds: float) -> None:
    end = host.monotonic() + seconds
    while True:
        daemon = read_daemon(host)
        if isinstance(daemon, Daemon) and wanted in daemon.joined:
            return
        if host.monotonic() >= end:
            raise Failed(f"sanlock did not join {wanted} in {seconds:.0f} s")
        host.sleep(PAUSE)


def demand_lockspace(host: Host, controller: Controller) -> None:
    """Failed where the place is blank, damaged or another's: nothing there is ever written over."""
    lease, name = demand_lease(controller), lockspace_name(controller.name)
    mark = read_host_mark(host, lease.device, 1)
    if isinstance(mark, Unread):
        raise Failed(f"{lease.device}: {mark.why}", next_step=f"tanist lease init {controller.name}")
    if mark.lockspace != name:
        raise Failed(
            f"{lease.device} holds the lockspace {mark.lockspace!r}, not {name!r}: it is somebody else's",
            next_step="give [proof.lease] a device of its own",
        )


def explain(words: str, node: str) -> str:
    """sanlock's numbers (sanlock_rv.h) in words."""
    last = words.strip().splitlines()[-1] if words.strip() else "without a word"
    if BUSY_ID in last or "262" in last.split(" ", 1)[0]:
        return f"another machine renews the lease that is {node}'s by the definition: do two nodes have one name?"
    if "No module named" in words:
        return "its Python binding is not installed (apt-get install python3-sanlock)"
    return last


def start_daemon(host: Host) -> Daemon:
    daemon = read_daemon(host)
    if isinstance(daemon, Daemon):
        return daemon
    if "not installed" in daemon.why:
        raise Failed(daemon.why)
    host.run(["systemctl", "start", "sanlock.service"], ok=None, timeout=PATIENCE)
    end = host.monotonic() + PATIENCE
    while isinstance(daemon, Unread):
        if host.monotonic() >= end:
            raise Failed(daemon.why, next_step="journalctl -u sanlock -u wdmd")
        host.sleep(PAUSE / 5)
        daemon = read_daemon(host)
    return daemon


def take(host: Host, controller: Controller, node: str) -> None:
    """Until sanlock says that this node has it: at once where it is free, else when its last holder's ran out."""
    lease = demand_lease(controller)
    begun = host.monotonic()
    until = begun + lease.longest_wait + lease.renewed_every
    while True:
        if not is_holding_unit_up(host, controller):
            start_holding(host, controller)
        host.sleep(PAUSE / 5)
        if holds(read_daemon(host), controller):
            return
        problem = _why_not_taken(host, controller, node, begun)
        if problem or host.monotonic() >= until:
            host.run(["systemctl", "stop", unit_name(controller)], ok=None, timeout=PATIENCE)
            raise Failed(
                f"the lease was not to be had: {problem or 'it did not become free in its time'}",
                next_step=f"tanist lease status {controller.name}; on the node that holds it: "
                f"tanist lease give-back {controller.name}",
            )
        host.sleep(PAUSE)


def _why_not_taken(host: Host, controller: Controller, node: str, begun: float) -> str:
    """Its holder renewed it since `begun`."""
    mark = read_resource_mark(host, demand_lease(controller).device)
    if isinstance(mark, Unread):
        return f"{mark.why}; what made it unreadable? then: tanist lease init {controller.name}"
    for other in controller.peers(node):
        if host_id(controller, other.name) == mark.host_id and mark.timestamp:
            sight = read_lease(host, controller, other.name)
            if sight.state == "renews" and sight.at > begun:
                return f"{other.name} holds it, and {sight.detail}"
    return ""


def free_lease(host: Host, controller: Controller, over: str) -> None:
    """Written anew: what its last holder, who is proved stopped, had of it is gone. One that has taken it since, the
    same machine started again or another, keeps it: this run has slept, and its proof is of somebody else."""
    mark = read_resource_mark(host, demand_lease(controller).device)
    if not isinstance(mark, Unread) and (not mark.holder or mark.holder != over):
        return
    host.run(["sanlock", "client", "init", "-r", resource_name(controller)], timeout=60)


def start_holding(host: Host, controller: Controller) -> None:
    """Not ended with the other services of a shutdown: the machine keeps its lease until it is off."""
    unit, resource = unit_name(controller), resource_name(controller)
    begin = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", *HOLDER, "--"]
    hold = ["sanlock", "client", "command", "-r", resource, "-c", "/bin/sleep", "infinity"]
    ran = host.run([*begin, *hold], ok=None, timeout=PATIENCE)
    if ran.status != 0:
        raise Failed(f"{unit} does not start: {ran.complaint}", next_step=f"systemctl status {unit}")


def is_holding_unit_up(host: Host, controller: Controller) -> bool:
    ran = host.run(["systemctl", "is-active", "--quiet", unit_name(controller)], ok=None, timeout=PATIENCE)
    return ran.status == 0


def use(host: Host, controller: Controller, *, used: bool) -> None:
    """Whether the watchdog is to fire when the renewals end, holder or none. Without a lockspace there are none."""
    argv = ["sanlock", "client", "set_config", "-s", lockspace_name(controller.name), "-u", "1" if used else "0"]
    ran = host.run(argv, ok=None, timeout=PATIENCE)
    if used and (ran.status != 0 or "done 0" not in ran.text):
        raise Failed(f"sanlock does not mark its lockspace as used: {ran.text.strip() or ran.complaint}")


def holds(daemon: Daemon | Unread, controller: Controller) -> bool:
    return isinstance(daemon, Daemon) and resource_name(controller) in daemon.held


def resource_name(controller: Controller) -> str:
    return f"{lockspace_name(controller.name)}:{RESOURCE}:{demand_lease(controller).device}:{RESOURCE_AT}"


def unit_name(controller: Controller) -> str:
    return f"tanist-lease-{controller.name}.service"


def demand_lease(controller: Controller) -> Lease:
    if controller.proof.lease is None:
        raise Failed(f"the definition of {controller.name} has no [proof.lease] any more, and this run needs it")
    return controller.proof.lease
