"""A copy that DRBD keeps becomes the one that is written: promoted once it is known to be the newest, later demoted.

Nothing is ever forced, discarded or made up to date by a wish: where two copies went apart, or this one is not whole, a
person decides with DRBD's own commands. A demoted copy stays connected, for it must follow the other node's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.drbd import SECTOR, read_config, read_replica, read_version
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.plan.replica import mend_link, refuse_alone, why_old
from tanist.steps.grow import demand_grown, has_grown
from tanist.steps.tool import run_tool
from tanist.steps.waiting import try_let_go, wait_until

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.growing import GrowReplica
    from tanist.model.host import Ran
    from tanist.model.layer_steps import PromoteReplica
    from tanist.model.replica import Replica
    from tanist.steps.context import Context

PATIENCE = 60.0  # seconds for one command of DRBD's; a promotion asks a silent peer first: 1.4 s measured
CONNECTS = 20.0  # seconds that two copies are given to find each other; DRBD itself tries every 10
WAITING = ("WFConnection", "WFReportParams", "Unconnected", "Connected", "WFBitMapS", "WFBitMapT", "WFSyncUUID")


def apply_promote_replica(spec: PromoteReplica, context: Context) -> None:
    host = context.host
    replica = demand_replica(spec, host)
    if replica.role == "Primary":
        return
    brought_up = not replica.role
    if brought_up:
        bring_up(spec, host)
    replica = wait_for_link(spec, host, CONNECTS if brought_up or not spec.alone else 0.0)
    refuse_promotion(spec, replica, context.node)
    ran = host.run(["drbdsetup", "primary", name_to_kernel(spec, host)], ok=None, timeout=PATIENCE)
    if ran.status != 0:
        raise Failed(f"{spec.resource} can't be promoted: {complaint(ran)} ({replica.states})")
    if demand_replica(spec, host).role != "Primary":
        raise Failed(f"{spec.resource} was promoted, but the kernel does not say so: cat /proc/drbd")


def bring_up(spec: PromoteReplica, host: Host) -> None:
    """drbdadm(8) up fails where something else was faster: what counts is that it is up."""
    ran = host.run(["drbdadm", "up", spec.resource], ok=None, timeout=PATIENCE)
    if ran.status != 0 and not demand_replica(spec, host).role:
        raise Failed(f"drbdadm up {spec.resource}: {complaint(ran)}")


def wait_for_link(spec: PromoteReplica, host: Host, seconds: float) -> Replica:
    """Until this copy follows the other one, or is seen not to."""
    deadline = host.monotonic() + seconds
    while True:
        replica = demand_replica(spec, host)
        if replica.linked or replica.connection not in WAITING or host.monotonic() >= deadline:
            return replica
        host.sleep(0.2)


def refuse_promotion(spec: PromoteReplica, replica: Replica, node: str) -> None:
    why = refuse_alone(replica, ()) if spec.alone else why_old(replica)
    if why:
        raise Failed(f"{why}; it is not promoted", node=node, next_step=mend_link(replica))


def undo_promote_replica(spec: PromoteReplica, context: Context) -> None:
    """It stays up: the other node's copy is followed from here on. Never brought up to be demoted."""
    host = context.host

    def demote() -> str:
        ran = host.run(["drbdsetup", "secondary", name_to_kernel(spec, host)], ok=None, timeout=PATIENCE)
        return "" if ran.status == 0 else complaint(ran)

    why = try_let_go(host, lambda: demand_replica(spec, host).role == "Primary", demote)
    if why:
        raise Failed(f"{spec.device} can't be demoted: {why}; {describe_openers(host, spec.device)}")


def is_promote_replica_applied(spec: PromoteReplica, context: Context) -> bool | None:
    replica = read_replica(context.host, spec)
    return None if isinstance(replica, Unread) else replica.role == "Primary"


def apply_grow_replica(spec: GrowReplica, context: Context) -> None:
    """The nodes tell each other how large their disks are, and then both grow. What an administrator has set as its
    size is given again, or DRBD would forget it (drbdsetup(8), resize)."""
    if has_grown(spec, context):
        return
    host, minor = context.host, spec.device.removeprefix("/dev/drbd")
    config = read_config(host, spec.resource)
    if isinstance(config, Unread):
        raise Failed(config.why)
    most = (f"--size={config.size // SECTOR}s",) if config.size else ()
    run_tool(host, ("drbdsetup", "resize", minor, *most), PATIENCE)
    wait_until(host, lambda: has_grown(spec, context), PATIENCE)
    demand_grown(spec, context)
    run_tool(host, ("drbdsetup", "check-resize", minor), PATIENCE)  # it notes how large its disk was last


is_grow_replica_applied = has_grown


def demand_replica(spec: PromoteReplica, host: Host) -> Replica:
    replica = read_replica(host, spec)
    if isinstance(replica, Unread):
        raise Failed(f"what DRBD has of {spec.resource} can't be told: {replica.why}")
    return replica


def name_to_kernel(spec: PromoteReplica, host: Host) -> str:
    """What drbdsetup calls it: 8.4 by the device's number, 9 by the resource's name. drbdadm would go by the host name,
    which is the controller's while this node is the controller."""
    version = read_version(host)
    return f"{spec.minor}" if isinstance(version, int) and 0 < version < 9 else spec.resource


def describe_openers(host: Host, device: str) -> str:
    """Who has it open: mounts, devices on top of it, processes (fuser(1))."""
    name = device.rpartition("/")[2]
    mounts = [f"mounted at {mount.target}" for mount in host.mounts() if mount.source == device]
    directory = f"/sys/block/{name}/holders"
    above = [f"held by {one}" for one in host.files.list(directory)] if host.files.exists(directory) else []
    pids = host.run(["fuser", device], ok=None, timeout=10.0).text.split()
    open_by = [f"open in process {', '.join(pids)}"] if pids else []
    return "; ".join((*mounts, *above, *open_by)) or f"look with: fuser -v {device}; ls {directory}"


def complaint(ran: Ran) -> str:
    """DRBD says why in one line, and often goes on after it."""
    lines = [line.strip() for line in (ran.stderr or ran.stdout).decode("utf-8", "replace").splitlines()]
    return "; ".join(line for line in lines if line) or ran.complaint
