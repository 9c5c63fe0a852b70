"""What a pool's labels say of its state, from the raw devices. Never imports, never writes.

An export is the last thing that an owner writes, into all labels. "clean" is a pool of which every label of every
device says so, and which nothing was written to since; whatever else they say may be an owner at work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.zfs.label import EXPORTED
from tanist.facts.zfs.pool import Pool, find_pool, read_pool
from tanist.model.dataclasses import replace
from tanist.model.storage import StorageMarks, StorageState
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layers import ZfsLayer

LABELS = 4
STATES = "/proc/spl/kstat/zfs"  # a directory for each pool that this node's kernel has


def is_imported(host: Host, pool: str) -> bool:
    """On this node, whether or not it answers."""
    return bool(pool) and host.files.exists(f"{STATES}/{pool}/state")


def read_marks(host: Host, layer: ZfsLayer, watch_seconds: float | None) -> StorageMarks | Unread:
    """`watch_seconds`: how long a pool that is not exported is watched; None: as long as its own interval asks."""
    pool = find_pool(host, layer)
    if isinstance(pool, Unread):
        return pool
    if is_imported(host, pool.name):
        return replace(_marks(pool, "in-use", "imported on this node"), mounted_at=(pool.name,))
    state, detail = judge_pool(pool)
    seconds = _interval(pool) if watch_seconds is None else watch_seconds
    if state == "clean" or seconds <= 0:
        return _marks(pool, state, detail)
    host.sleep(seconds)
    second = read_pool(host, layer.pool, layer.devices)
    if isinstance(second, Unread):
        return second
    if has_moved(pool, second):
        return _marks(second, "in-use", f"{describe_host(second)} writes to it: it is imported there")
    return _marks(pool, state, f"{detail}; nothing was written to it for {seconds:.1f} s")


def _marks(pool: Pool, state: StorageState, detail: str) -> StorageMarks:
    detail = "; ".join((detail, *pool.wrong))
    return StorageMarks(fstype="zfs", state=state, detail=detail, label=pool.name, uuid=pool.id)


def has_moved(first: Pool, second: Pool) -> bool:
    return [one.rings for one in first.devices] != [one.rings for one in second.devices]


def _interval(pool: Pool) -> float:
    """With multihost, one write to each device in that time, to a label that chance chooses; else an owner with nothing
    to write writes nothing."""
    written = pool.written
    return 2 * written.interval + 1 if written is not None and written.guarded else 0.0


def judge_pool(pool: Pool) -> tuple[StorageState, str]:
    newest, written = pool.newest, pool.written
    labels = [label for device in pool.devices for label in device.labels]
    if newest.state != EXPORTED:
        return "dirty", f"not exported: {describe_host(pool)} had it imported last"
    if pool.wrong:
        return "unknown", "exported, as far as it can be seen"
    if len(labels) != LABELS * len(pool.devices):
        return "unknown", "exported, and not all of its labels can be read"
    if any((label.state, label.commit) != (EXPORTED, newest.commit) for label in labels):
        return "unknown", "exported, and not all of its labels say so"
    if written is None or written.commit != newest.commit:
        return "unknown", "exported, and its last commit is another one"
    return "clean", "exported"


def describe_host(pool: Pool) -> str:
    newest = pool.newest
    return f"{newest.host_name or 'a node'} (host id {newest.host_id:08x})"
