"""The controller's lease: taken at acquire, renewed by sanlock, given back once nothing is in use; and waited for.

steps/sanlock.py works the daemon. Every act may be done twice; giving back never waits for a disk that is gone.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tanist.facts.device import read_blocks
from tanist.facts.lease import (
    read_daemon,
    read_host_mark,
)
from tanist.facts.machine import describe_machine
from tanist.host.clock import timestamp
from tanist.journal.slots import SIZE, SLOT, next_slot
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed
from tanist.model.steps import TakeLease, WaitLease
from tanist.model.unread import Unread
from tanist.proof.lease import (
    LeaseRecord,
    Sight,
    host_id,
    read_lease,
    read_record,
    record_place,
    render_record,
)
from tanist.steps.context import Context
from tanist.steps.sanlock import PATIENCE, PAUSE, demand_lease, free_lease, holds, join, take, unit_name, use

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller

TRIES = 3  # looks in a row that could not tell


# -- wait
def apply_wait_lease(spec: WaitLease, context: Context) -> None:
    host, controller = context.host, context.controller
    lease = demand_lease(controller)
    begun, unknown = host.monotonic(), 0
    until = begun + lease.longest_wait + lease.renewed_every
    while True:
        sight = read_lease(host, controller, spec.node)
        if sight.state == "out" and not (spec.alone and sight.weakness):
            return
        unknown = unknown + 1 if sight.state == "unknown" else 0
        if problem := _why_not(spec, sight, begun, unknown):
            raise Failed(f"the lease of {spec.node}: {problem}")
        if host.monotonic() >= until:
            raise Failed(f"the lease of {spec.node} did not run out in its time: {sight.detail}")
        host.sleep(PAUSE)


def _why_not(spec: WaitLease, sight: Sight, begun: float, unknown: int) -> str:
    if spec.alone and sight.weakness:
        return f"{sight.weakness}; that it runs out proves nothing alone: add --attest, and see that it is off"
    if sight.state == "renews" and sight.at > begun:
        return f"it is alive: {sight.detail}"
    return sight.detail if unknown >= TRIES else ""


# -- take
def apply_take_lease(spec: TakeLease, context: Context) -> None:
    host, controller = context.host, context.controller
    lease = demand_lease(controller)
    join(host, controller, spec.node)
    if not holds(read_daemon(host), controller):
        if spec.free:
            free_lease(host, controller, spec.over)
        take(host, controller, spec.node)
    use(host, controller, used=True)
    mark = read_host_mark(host, lease.device, host_id(controller, spec.node))
    daemon = read_daemon(host)
    if isinstance(mark, Unread) or isinstance(daemon, Unread):
        raise Failed(f"the lease was taken, but cannot be read back: {mark if isinstance(mark, Unread) else daemon}")
    record = LeaseRecord(
        controller=controller.name,
        node=spec.node,
        epoch=spec.epoch,
        state="held",
        generation=mark.generation,
        machine=describe_machine(host),
        watchdog=daemon.watchdog,
        since=timestamp(host),
        run=spec.run,
    )
    save_record(host, controller, record)


def is_take_lease_applied(spec: TakeLease, context: Context) -> bool:
    host, controller = context.host, context.controller
    record = read_record(host, controller, spec.node, demand_lease(controller))
    written = isinstance(record, LeaseRecord) and (record.epoch, record.state) == (spec.epoch, "held")
    return written and holds(read_daemon(host), controller)


def undo_take_lease(spec: TakeLease, context: Context) -> None:
    give_back(context.host, context.controller, spec.node)


def give_back(host: Host, controller: Controller, node: str) -> None:
    """Failed where sanlock still has it afterwards. The record is for the others: where its disk is gone they read
    neither, and the lease runs out."""
    host.run(["systemctl", "stop", unit_name(controller)], ok=None, timeout=PATIENCE)
    end = host.monotonic() + PATIENCE
    while holds(read_daemon(host), controller):
        if host.monotonic() >= end:
            raise Failed(
                f"sanlock did not give back the lease of {controller.name}",
                node=node,
                next_step=f"systemctl status {unit_name(controller)}; sanlock client status",
            )
        host.sleep(PAUSE / 5)
    use(host, controller, used=False)
    record = read_record(host, controller, node, demand_lease(controller))
    if isinstance(record, LeaseRecord) and record.state == "held":
        with contextlib.suppress(Failed, OSError):
            save_record(host, controller, replace(record, state="released", since=timestamp(host)))


# -- the record
def save_record(host: Host, controller: Controller, record: LeaseRecord) -> None:
    """One slot, then the other, each on the disk before the next (dd oflag=direct,dsync). Failed: not saved."""
    device, place = demand_lease(controller).device, record_place(controller, record.node)
    data = read_blocks(host, device, place // SLOT, SIZE // SLOT, SLOT)
    if isinstance(data, Unread):
        raise Failed(f"{device} cannot be read: {data.why}")
    for _ in range(2):
        offset, seq = next_slot(data)
        slot = render_record(record, seq)
        argv = ["dd", f"of={device}", "bs=4096", f"seek={(place + offset) // SLOT}", "count=1", "iflag=fullblock"]
        ran = host.run([*argv, "oflag=direct,dsync", "conv=notrunc", "status=none"], stdin=slot, ok=None, timeout=30)
        if ran.status != 0:
            raise Failed(f"{device} cannot be written: {ran.complaint}")
        data = data[:offset] + slot + data[offset + SLOT :]
