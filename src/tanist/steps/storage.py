"""The tree: mounted, id-mapped, unmounted."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.storage import mounted_here
from tanist.host.host import Host
from tanist.model.errors import Failed
from tanist.model.host import IdMap, Mount
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.steps.busy import unmount_within
from tanist.steps.context import Context
from tanist.steps.services import read_unit

if TYPE_CHECKING:
    from tanist.model.asset_steps import MountBeside
    from tanist.model.definition import Controller
    from tanist.model.steps import BindMount, FreeMmp, MapTree, MountHidden, MountTree, MountUnmapped


def mounted_at(host: Host, target: str) -> Mount | None:
    """The topmost mount at exactly this path."""
    found = [mount for mount in host.mounts() if mount.target == target]
    return found[-1] if found else None


def tree_place(host: Host, controller: Controller) -> str:
    """Where the tree is now: hidden while it is being taken or let go, else at its own place."""
    hidden = places.hidden(controller.name)
    return hidden if mounted_at(host, hidden) is not None else controller.tree


def mount_asset(host: Host, device: str, target: str, fstype: str, options: Sequence[str], idmap: IdMap | None) -> None:
    """Failed with the kernel's own words where it says more than a number."""
    try:
        host.mount_device(device, target, fstype, options, idmap)
    except OSError as error:
        from tanist.facts.kernellog import read_refusal  # only where it is wanted

        said = read_refusal(host, device)
        if not said:
            raise
        raise Failed(f"{device} can't be mounted: {error.strerror or error}; the kernel says: {said}") from error


def apply_mount_hidden(spec: MountHidden, context: Context) -> None:
    refuse_running_services(context.controller.tree, context)
    apply_mount_for_root(spec, context)


def apply_mount_for_root(spec: MountHidden | MountUnmapped | MountBeside, context: Context) -> None:
    """Below directories that nobody else can enter."""
    context.host.files.make_directory(spec.target.rsplit("/", 1)[0], 0o700)
    context.host.files.make_directory(spec.target, 0o700)
    mount_asset(context.host, spec.device, spec.target, spec.fstype, spec.options, None)


def undo_mount_for_root(spec: MountHidden | MountUnmapped | MountBeside, context: Context) -> None:
    unmount_within(spec.target, context)


undo_mount_hidden = undo_mount_for_root


def is_mount_for_root_applied(spec: MountUnmapped | MountBeside, context: Context) -> bool:
    return mounted_at(context.host, spec.target) is not None


def is_mount_hidden_applied(spec: MountHidden, context: Context) -> bool:
    """Once the tree is at its own place it has served."""
    host = context.host
    return any(mounted_at(host, target) is not None for target in (spec.target, context.controller.tree))


def apply_free_mmp(spec: FreeMmp, context: Context) -> None:
    """Never under a mount of this node. Replays the journal first, as a mount would."""
    here = mounted_here(context.host, spec.device)
    if isinstance(here, Unread):
        raise Failed(here.why)
    if not here:
        context.host.run(["tune2fs", "-f", "-E", "clear_mmp", spec.device], timeout=600)


def apply_mount_tree(spec: MountTree, context: Context) -> None:
    if mounted_at(context.host, spec.target) is None:
        refuse_running_services(spec.target, context)
    context.host.files.make_directory(spec.target)
    mount_asset(context.host, spec.device, spec.target, spec.fstype, spec.options, spec.idmap)
    if spec.hidden:
        unmount_within(spec.hidden, context)


def refuse_running_services(tree: str, context: Context) -> None:
    """A service that was started by something else (a boot, a person) works on what lies below the mount point, and
    goes on to write by path: seen, a PostgreSQL that stopped later wrote its own control file over the asset's."""
    units = [one.unit for one in context.controller.services if not is_stopped(context.host, one.unit)]
    if units:
        raise Failed(
            f"{', '.join(units)} runs already, on what lies below {tree}, and would write into the asset; "
            f"stop it, and see what started it: systemctl list-dependencies --reverse {units[0]}"
        )


def is_stopped(host: Host, unit: str) -> bool:
    """Starting and stopping count as running: both write."""
    return read_unit(host, unit).get("ActiveState", "inactive") in ("inactive", "failed")


def undo_mount_tree(spec: MountTree, context: Context) -> None:
    if spec.hidden and mounted_at(context.host, spec.target) is not None:
        context.host.files.make_directory(spec.hidden.rsplit("/", 1)[0], 0o700)
        context.host.files.make_directory(spec.hidden, 0o700)
        mount_asset(context.host, spec.device, spec.hidden, spec.fstype, spec.options, None)
    unmount_within(spec.target, context)


def is_mount_tree_applied(spec: MountTree, context: Context) -> bool:
    mount = mounted_at(context.host, spec.target)
    return mount is not None and has_map(context.host, mount, spec.idmap)


def has_map(host: Host, mount: Mount, idmap: IdMap | None) -> bool:
    """The map in force, read back from the kernel; before 6.15 it only tells whether there is one."""
    if ("idmapped" in mount.options) != (idmap is not None):
        return False
    try:
        found = host.read_idmap(mount.target)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        return True
    if found is None or idmap is None:
        return found == idmap
    return [sorted(found.users), sorted(found.groups)] == [sorted(idmap.users), sorted(idmap.groups)]


def apply_map_tree(spec: MapTree, context: Context) -> None:
    context.host.mount_bind(spec.target, spec.target, idmap=spec.idmap)


def undo_map_tree(spec: MapTree, context: Context) -> None:
    mount = mounted_at(context.host, spec.target)
    if mount is not None and "idmapped" in mount.options:
        unmount_within(spec.target, context)


def is_map_tree_applied(spec: MapTree, context: Context) -> bool:
    mount = mounted_at(context.host, spec.target)
    return mount is not None and has_map(context.host, mount, spec.idmap)


def apply_bind(spec: BindMount, context: Context) -> None:
    files = context.host.files
    if not files.exists(spec.source):
        raise Failed(f"{spec.source} is not in the tree, so {spec.target} can't be bound to it")
    files.make_directory(spec.target)
    context.host.mount_bind(spec.source, spec.target)


def undo_bind(spec: BindMount, context: Context) -> None:
    unmount_within(spec.target, context)


def is_bind_applied(spec: BindMount, context: Context) -> bool:
    return mounted_at(context.host, spec.target) is not None
