"""The lease of another node, as this one sees it: sanlock's view of it, read back from the disk, and its own record.

In: a host, a controller with [proof.lease], a node. Out: what that node's lease says, with the seconds until it runs
out. Never takes, joins or writes anything.

The record is this tool's own: 8192 bytes for each node beside the leases, two checksummed slots as the claim has them,
written by that node alone, readable without a daemon and without mounting. sanlock's value block is empty for whoever
survives a crash (measured), so it is used for nothing. Without a record that says "held", in the very generation of
the host's lease that ran out, nothing is concluded from a lease that ran out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tanist.facts.device import read_blocks
from tanist.facts.lease import (
    RECORDS_AT,
    HostView,
    Mark,
    lockspace_name,
    read_daemon,
    read_host_mark,
    read_hosts,
)
from tanist.journal.slots import SIZE, SLOT, fill_slot, newest_slot
from tanist.model.codec import decode, encode
from tanist.model.dataclasses import dataclass
from tanist.model.evidence import Evidence, Says
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller, Lease

METAL = "a machine of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """What a node says of itself and the lease."""

    controller: str
    node: str
    epoch: int  # the one that it took the lease for
    state: Literal["held", "released"]
    generation: int  # of its host lease: another one is another boot, or another daemon
    machine: str  # what it is: METAL, "a guest (kvm)", "not known"
    watchdog: bool  # sanlock feeds one
    since: str
    run: str

    @property
    def weakness(self) -> str:
        """Why its lease that ran out proves nothing alone; "": it does."""
        if self.machine != METAL:
            return f"{self.node} is {self.machine}: a pause that stops its clock escapes the lease"
        return "" if self.watchdog else f"{self.node} has no watchdog that would have reset it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """`state`: renews, or did so within the time between two renewals; waiting: it did not, `left` seconds more to
    go; out: it ran out; unknown: cannot be told, or it does not hold it. `at`: this node's monotonic clock, for a
    renewal the earliest that it may have been."""

    state: Literal["renews", "waiting", "out", "unknown"]
    detail: str
    left: float = 0.0
    at: float = 0.0
    weakness: str = ""


def host_id(controller: Controller, node: str) -> int:
    """Its number in the lockspace: its place in the definition, which is the same on all nodes."""
    return 1 + [one.name for one in controller.nodes].index(node)


# -- records
def record_place(controller: Controller, node: str) -> int:
    return RECORDS_AT + (host_id(controller, node) - 1) * SIZE


def render_record(record: LeaseRecord, seq: int) -> bytes:
    return fill_slot("lease", encode(record), seq)


def parse_record(data: bytes) -> LeaseRecord | Unread:
    if not any(data):
        return Unread("it never took the lease")
    body = newest_slot(data)
    if isinstance(body, str):
        return Unread(body.replace("claim", "record"))
    try:
        return decode(LeaseRecord, body["lease"], "lease")
    except (ValueError, KeyError) as error:
        return Unread(f"not a record of a lease ({error})")


def read_record(host: Host, controller: Controller, node: str, lease: Lease) -> LeaseRecord | Unread:
    data = read_blocks(host, lease.device, record_place(controller, node) // SLOT, SIZE // SLOT, SLOT)
    found = data if isinstance(data, Unread) else parse_record(data)
    if isinstance(found, LeaseRecord) and (found.controller, found.node) != (controller.name, node):
        return Unread(f"the record there is of {found.node} and {found.controller}")
    return found


# -- looking
def look_at_lease(host: Host, controller: Controller, node: str) -> Evidence:
    """A sign of life only where that node renews the lease it holds; proof only where it ran out."""
    begun = host.monotonic()
    sight = read_lease(host, controller, node)
    says = {"renews": Says.ALIVE, "waiting": Says.UNKNOWN, "unknown": Says.UNKNOWN}.get(sight.state)
    if says is None:
        says = Says.STALE if sight.weakness else Says.LAPSED
    detail = f"{sight.detail}; alone it proves nothing: {sight.weakness}" if sight.weakness else sight.detail
    return Evidence(source="lease", about=node, says=says, detail=detail, seconds=host.monotonic() - begun, at=sight.at)


def read_lease(host: Host, controller: Controller, node: str) -> Sight:
    lease = controller.proof.lease
    if lease is None:
        return _unknown("no lease is defined")
    name = lockspace_name(controller.name)
    daemon = read_daemon(host)
    if isinstance(daemon, Unread):
        return _unknown(f"here, {daemon.why}")
    if not daemon.is_in(name):
        return _unknown(f"this node has not joined the lockspace (tanist lease init {controller.name})")
    hosts = read_hosts(host, name)
    if isinstance(hosts, Unread):
        return _unknown(hosts.why)
    number = host_id(controller, node)
    view = next((one for one in hosts if one.host_id == number), None)
    mark = read_host_mark(host, lease.device, number)
    if isinstance(mark, Unread):
        return _unknown(f"its lease cannot be read: {mark.why}")
    if mark.lockspace != name or mark.host_id != number:
        return _unknown(f"the lease at its place is another's: {mark.lockspace} {mark.name}")
    record = read_record(host, controller, node, lease)
    if isinstance(record, Unread):
        return _unknown(f"no record of its own that can be read: {record.why}")
    return judge_lease(view, mark, record, lease, host.monotonic())


def judge_lease(view: HostView | None, mark: Mark, record: LeaseRecord, lease: Lease, now: float) -> Sight:
    """The daemon's view counts where the disk says the same now: this node's own clock may have jumped."""
    if record.state != "held":
        return _unknown(f"it gave the lease back (epoch {record.epoch}), which proves nothing")
    if mark.timestamp == 0:
        return _unknown("it left the lockspace, which proves nothing")
    if mark.generation != record.generation:
        return _unknown("its machine, or its sanlock, was started again since it took the lease")
    if view is None or view.state == "UNKNOWN":
        return _unknown("this node's sanlock does not know it yet")
    if (view.timestamp, view.generation) != (mark.timestamp, mark.generation):
        at = max(now - lease.renewed_every - 1, 0.001)  # the daemon looks as often as it renews: it may be that old
        return Sight(state="renews", detail="renewed its lease just now", at=at, weakness=record.weakness)
    if view.io_timeout != lease.io_timeout:
        return _unknown(f"it counts with an io_timeout of {view.io_timeout} s, the definition says {lease.io_timeout}")
    age = max(now - view.seen, 0.0)
    if view.state == "DEAD" and age >= lease.lapses_after:
        detail = f"not renewed for {age:.0f} s, longer than the {lease.lapses_after} s after which it runs out"
        return Sight(state="out", detail=detail, at=now, weakness=record.weakness)
    left = max(lease.lapses_after - age, 1.0)
    if age <= lease.renewed_every + 1:
        at = max(view.seen - lease.renewed_every - 1, 0.001)
        return Sight(
            state="renews", detail=f"renewed its lease {age:.0f} s ago", left=left, at=at, weakness=record.weakness
        )
    waiting = f"not renewed for {age:.0f} s; it runs out in {left:.0f} s"
    return Sight(state="waiting", detail=waiting, left=left, weakness=record.weakness)


def _unknown(why: str) -> Sight:
    return Sight(state="unknown", detail=why)
