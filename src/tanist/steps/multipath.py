"""A multipath map: waited for with its paths, made where a release has flushed it (multipath(8))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.multipath import Map, describe_other, find_paths, read_map
from tanist.facts.users import find_users
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.tool import try_tool
from tanist.steps.waiting import let_go

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layer_steps import GatherPaths

PATIENCE = 30.0  # seconds for one call of multipath
APPEARS = 30.0  # seconds until the map is there
GATHERS = 10.0  # seconds more until all paths are


def apply_gather_paths(spec: GatherPaths, context: Context) -> None:
    host = context.host
    begun, asked = host.monotonic(), False
    while True:
        there = look(host, spec)
        if there is not None and _working(there) >= spec.paths:
            return
        waited = host.monotonic() - begun
        if there is not None and _working(there) and waited >= GATHERS:
            return  # fewer than there should be is a finding, and no reason not to go on
        if waited >= APPEARS:
            raise Failed(_complain(host, spec, there))
        if there is None and not asked:
            host.run(["multipath", spec.wwid], ok=None, timeout=PATIENCE)
            asked = True
        host.sleep(0.2)


def undo_gather_paths(spec: GatherPaths, context: Context) -> None:
    host = context.host
    if spec.stays:
        return
    what = f"{spec.device} can't be flushed"
    let_go(host, what, lambda: look(host, spec) is not None, lambda: _flush(host, spec))


def _flush(host: Host, spec: GatherPaths) -> str:
    """Why it could not be flushed, "" when it was, or was gone."""
    there = look(host, spec)
    users = find_users(host, (there.name,)) if there is not None else ()
    if there is None or users:
        return ", ".join(users)
    why = try_tool(host, ["multipath", "-f", spec.wwid], PATIENCE)
    if not why:
        host.run(["udevadm", "settle", "--timeout=5"], ok=None, timeout=PATIENCE)
    return why


def is_gather_paths_applied(spec: GatherPaths, context: Context) -> bool | None:
    """None for a map that outlives the release: it tells nothing of whose the disk is."""
    there = read_map(context.host, spec.device)
    if isinstance(there, Unread):
        return None
    if there is None or there.wwid != spec.wwid:
        return False
    return None if spec.stays else True


def look(host: Host, spec: GatherPaths) -> Map | None:
    there = read_map(host, spec.device)
    if isinstance(there, Unread):
        raise Failed(there.why)
    if there is not None and there.wwid != spec.wwid:
        raise Failed(f"{spec.device} should be {spec.wwid}: {describe_other(spec.device, there)}")
    return there


def _working(there: Map) -> int:
    return len(there.paths) - len(there.failed)


def _complain(host: Host, spec: GatherPaths, there: Map | None) -> str:
    if there is not None:
        return f"{spec.device} has no path that works: multipath -ll"
    paths = find_paths(host, spec.wwid)
    seen = f"{len(paths)} paths to {spec.wwid} are seen" if paths else f"no path to {spec.wwid} is seen"
    return f"multipath makes no map {spec.device}, and {seen}: systemctl status multipathd; multipath -v3"
