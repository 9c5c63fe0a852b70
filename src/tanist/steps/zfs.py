"""A pool that changes hands by import and export (zpool-import(8)), and the claim beside it (facts/zfs/copies.py)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tanist.facts.device import is_block_device, resolve
from tanist.facts.zfs.copies import PLACE, Copy, read_copies
from tanist.facts.zfs.kind import read_capacity
from tanist.facts.zfs.label import EXPORTED
from tanist.facts.zfs.marks import describe_host, has_moved, is_imported
from tanist.facts.zfs.pool import Pool, read_pool
from tanist.journal.slots import SIZE, SLOT, fill_slot, next_slot
from tanist.model.codec import encode
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.tool import run_tool, try_tool
from tanist.steps.waiting import let_go, wait_until

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.claim import Claim
    from tanist.model.growing import GrowPool
    from tanist.model.layer_steps import ImportPool
    from tanist.model.layers import ZfsLayer

PATIENCE = 600.0  # seconds: with multihost an import after a crash watches the pool first, 20 s and more
SETTLES = 30.0  # seconds until the labels tell what a command changed, once it is committed
QUIET = 12.0  # seconds without a write before one without multihost is taken: two commits of an owner at work


def apply_import_pool(spec: ImportPool, context: Context) -> None:
    if not is_imported(context.host, spec.pool):
        import_pool(context.host, spec)
    demand_imported(context.host, spec)


def import_pool(host: Host, spec: ImportPool) -> None:
    """Never what is seen to be written to; -f only where its last owner did not export it: then this run has a proof
    that that one is stopped."""
    pool = demand_pool(host, spec)
    forced = pool.newest.state != EXPORTED
    if forced and (pool.written is None or not pool.written.guarded):
        watch_quiet(host, spec, pool)
    argv = ["zpool", "import", "-N", "-o", "cachefile=none", *(["-f"] if forced else [])]
    for device in spec.devices:
        argv += ["-d", device] if is_block_device(host, device) else []
    ran = host.run([*argv, pool.id], ok=None, timeout=PATIENCE)
    if ran.status != 0:
        words = ran.stderr.decode("utf-8", "replace").split()  # its first line tells who has it
        raise Failed(f"zpool import {spec.pool}: {' '.join(words)}")


def demand_imported(host: Host, spec: ImportPool) -> None:
    """On this node and by the pool's own labels, whatever zpool(8) said; and that one, not another of its name."""
    taken = demand_pool(host, spec)
    if is_imported(host, spec.pool) and is_strange(host, taken):
        raise Failed(f"another pool called {spec.pool} is imported on this node: zpool list -o name,guid")
    if not is_imported(host, spec.pool) or taken.newest.state == EXPORTED:
        raise Failed(f"{spec.pool} was imported, and its labels do not say so: zpool status {spec.pool}")


def undo_import_pool(spec: ImportPool, context: Context) -> None:
    host = context.host
    pool = read_pool(host, spec.pool, spec.devices)
    if isinstance(pool, Pool) and is_imported(host, spec.pool) and is_strange(host, pool):
        return
    export = partial(try_tool, host, ("zpool", "export", spec.pool), PATIENCE)
    let_go(host, f"{spec.pool} can't be exported", lambda: is_imported(host, spec.pool), export)


def is_import_pool_applied(spec: ImportPool, context: Context) -> bool:
    return is_imported(context.host, spec.pool)


def is_strange(host: Host, pool: Pool) -> bool:
    """Whether what this node has imported under that name is another one."""
    ran = host.run(["zpool", "get", "-H", "-p", "-o", "value", "guid", pool.name], ok=None, timeout=PATIENCE)
    return ran.status == 0 and ran.text.strip() != pool.id


def apply_grow_pool(spec: GrowPool, context: Context) -> None:
    """By each device's own number: how zpool(8) calls it is another matter on each node."""
    if is_grow_pool_applied(spec, context):
        return
    host = context.host
    if not is_imported(host, spec.pool):
        raise Failed(f"{spec.pool} is not imported on this node: it grows while its server is at work")
    for device in demand_pool(host, spec).devices:
        run_tool(host, ("zpool", "online", "-e", spec.pool, f"{device.newest.device_id}"), PATIENCE)
    run_tool(host, ("zpool", "sync", spec.pool), PATIENCE)
    if not wait_until(host, lambda: is_grow_pool_applied(spec, context), SETTLES):
        has = read_capacity(demand_pool(host, spec))
        raise Failed(f"{spec.pool} should have {spec.size} bytes at least now: {has} bytes")


def is_grow_pool_applied(spec: GrowPool, context: Context) -> bool:
    pool = read_pool(context.host, spec.pool, spec.devices)
    return isinstance(pool, Pool) and read_capacity(pool) >= spec.size


def demand_pool(host: Host, spec: ImportPool | GrowPool | ZfsLayer) -> Pool:
    pool = read_pool(host, spec.pool, spec.devices)
    if isinstance(pool, Unread):
        raise Failed(pool.why)
    return pool


def watch_quiet(host: Host, spec: ImportPool, pool: Pool) -> None:
    host.sleep(QUIET)
    if has_moved(pool, demand_pool(host, spec)):
        raise Failed(f"{describe_host(pool)} writes to {spec.pool}: it is imported there")


# -- the claim
def save_copies(host: Host, layer: ZfsLayer, claim: Claim) -> None:
    """On each device that can be written, both slots on disk when it returns. Failed: not so, or a higher epoch."""
    pool = demand_pool(host, layer)
    if not is_imported(host, layer.pool):
        raise Failed(f"{layer.pool} is not imported on this node: its claim is not this node's to write")
    there = [one for one in read_copies(host, pool) if isinstance(one, Copy)]
    for one in there:
        if one.claim.epoch > claim.epoch:
            raise Failed(f"epoch {claim.epoch} is behind the claim on {one.device} ({one.claim.describe()})")
    number = max((one.number for one in there), default=0)
    known = {one.device: one.data for one in there}
    for device in pool.devices:
        path, data = resolve(host, device.path) or device.path, known.get(device.path, bytes(SIZE))
        for step in (1, 2):
            slot = fill_slot("zfs", {"pool": pool.id, "claim": encode(claim)}, number + step)
            at = next_slot(data)[0]
            host.files.overwrite(path, slot, PLACE + at)
            data = data[:at] + slot + data[at + SLOT :]
    if problem := check_copies(host, layer, claim):
        raise Failed(problem)


def check_copies(host: Host, layer: ZfsLayer, claim: Claim) -> str:
    """ "" where each device that can be read has this claim, as a standby would find it; else why not."""
    pool = read_pool(host, layer.pool, layer.devices)
    if isinstance(pool, Unread):
        return pool.why
    for one in read_copies(host, pool):
        if isinstance(one, Unread):
            return one.why
        if one.claim != claim:
            return f"{one.device} still shows another claim: {one.claim.describe()}"
    return ""
