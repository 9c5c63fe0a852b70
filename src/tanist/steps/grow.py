"""Layers and the mounted file system as large as what they lie on, while the server is at work. Nothing ever shrinks.

Each step says how large the result is at least: one that is there already is left as it is, one that was cut off is
done again. The kernel and each tool write their own marks whole or not at all.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tanist.facts.device import read_size
from tanist.facts.sizes import read_btrfs, read_file_system
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.steps.lvm import foreign, read_group
from tanist.steps.storage import mounted_at
from tanist.steps.tool import run_tool

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.growing import GrowArray, GrowFileSystem, GrowMap, GrowReplica, GrowVolume
    from tanist.steps.context import Context

PATIENCE = 300.0  # seconds for a layer
LONGEST = 6 * 3600.0  # seconds for a file system


def apply_grow_map(spec: GrowMap, context: Context) -> None:
    if not has_grown(spec, context):
        run_tool(context.host, ("multipathd", "resize", "map", posixpath.basename(spec.device)), PATIENCE)
        demand_grown(spec, context)


def apply_grow_array(spec: GrowArray, context: Context) -> None:
    """The part that is new is compared in the background, as after a member was replaced."""
    if not has_grown(spec, context):
        run_tool(context.host, ("mdadm", "--grow", spec.device, "--size=max"), PATIENCE)
        demand_grown(spec, context)


def apply_grow_volume(spec: GrowVolume, context: Context) -> None:
    """`contiguous`: a volume in two pieces could not be read by a standby."""
    if has_grown(spec, context):
        return
    host = context.host
    own = ("--config", foreign(read_group(host, spec.group)["vg_systemid"]))  # uname may be the controller's by now
    run_tool(host, ("pvresize", "-q", *own, spec.disk), PATIENCE)
    name = f"{spec.group}/{spec.volume}"
    run_tool(host, ("lvextend", "-q", *own, "--alloc", "contiguous", "-L", f"{spec.to}b", name), PATIENCE)
    demand_grown(spec, context)


def has_grown(spec: GrowMap | GrowArray | GrowVolume | GrowReplica, context: Context) -> bool:
    found = read_size(context.host, spec.device)
    return not isinstance(found, Unread) and found >= spec.size


is_grow_map_applied = is_grow_array_applied = is_grow_volume_applied = has_grown


def demand_grown(spec: GrowMap | GrowArray | GrowVolume | GrowReplica, context: Context) -> None:
    demand_size(read_size(context.host, spec.device), spec.size, spec.device)


def apply_grow_file_system(spec: GrowFileSystem, context: Context) -> None:
    if is_grow_file_system_applied(spec, context):
        return
    host = context.host
    if mounted_at(host, spec.target) is None:
        raise Failed(f"{spec.device} is not mounted at {spec.target}: it grows while its server is at work")
    run_tool(host, find_command(spec, host), LONGEST)
    found = read_file_system(host, spec.fstype, spec.device, spec.target)
    demand_size(found, spec.size, f"{spec.fstype} on {spec.device}")


def is_grow_file_system_applied(spec: GrowFileSystem, context: Context) -> bool:
    found = read_file_system(context.host, spec.fstype, spec.device, spec.target)
    return not isinstance(found, Unread) and found >= spec.size


def find_command(spec: GrowFileSystem, host: Host) -> tuple[str, ...]:
    match spec.fstype:
        case "ext4":
            return "resize2fs", spec.device
        case "xfs":
            return "xfs_growfs", "-d", spec.target
        case _:
            found = read_btrfs(host, spec.device, spec.target)
            if isinstance(found, Unread):
                raise Failed(found.why)
            return "btrfs", "filesystem", "resize", f"{found[0]}:max", spec.target


def demand_size(found: int | Unread, size: int, what: str) -> None:
    if isinstance(found, Unread) or found < size:
        has = found.why if isinstance(found, Unread) else f"{found} bytes"
        raise Failed(f"{what} should have {size} bytes at least now: {has}")
