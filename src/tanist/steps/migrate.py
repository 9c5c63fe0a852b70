"""An installed server's tree moves onto the asset: copied beside it, compared, put in its place."""

from __future__ import annotations

import array
import errno
import os
from typing import TYPE_CHECKING

from tanist.capture.twins import Different, Twins
from tanist.host.attributes import change_flags, pinned
from tanist.model.errors import Failed
from tanist.steps.busy import unmount_within
from tanist.steps.context import Context
from tanist.steps.storage import mounted_at, refuse_running_services

if TYPE_CHECKING:
    from tanist.model.asset_steps import CompareTrees, CopyTree, MarkCopy, SetAside

LONGEST = 7 * 86400.0  # seconds that one copy may take
VANISHED = 24  # rsync(1): a file went away while it was read, which a server at work may do
# numbers, hard links, ACLs, xattrs and holes as they are; times to the nanosecond; what the tree lost goes from the
# copy, but not what the asset has of its own
RSYNC = (
    *("rsync", "-aHAXS", "--numeric-ids", "--one-file-system", "--modify-window=-1", "--delete"),
    *("--filter=P /.tanist", "--filter=P /lost+found"),
)
TOLD = 5  # differences


def apply_mark_copy(spec: MarkCopy, context: Context) -> None:
    host = context.host
    demand_mounted(spec.target, context)
    there = [name for name in host.files.list(spec.target) if name != "lost+found"]
    ours = host.files.exists(spec.note) and host.files.read(spec.note).decode().strip() == spec.uuid
    if there and not ours:
        raise Failed(
            f"the file system on the asset holds something already ({', '.join(there[:TOLD])}), and a copy would take "
            f"it away; look: mount it, and empty it or make a new one"
        )
    host.files.write(spec.note, f"{spec.uuid}\n".encode())


def apply_copy_tree(spec: CopyTree, context: Context) -> None:
    demand_both(spec, context)
    host = context.host
    host.files.sync(spec.source)  # what is written later through a memory map is stamped later, too
    _rsync(spec, context)
    if spec.last:
        refuse_running_services(spec.source, context)
        found = list(Twins(host, spec.source, spec.target, read_notes(context)).differences())
        if again := [one.path for one in found if one.content]:  # changed without a trace in size and time
            _rsync(spec, context, again)
        for one in found:
            if one.flags is not None:
                _put_flags(spec.target, one, context)
    host.files.sync(spec.target)


def _rsync(spec: CopyTree, context: Context, only: list[bytes] | None = None) -> None:
    chosen = () if only is None else ("--ignore-times", "--from0", "--files-from=-")
    ran = context.host.run(
        [*RSYNC, *chosen, "--", f"{spec.source}/", f"{spec.target}/"],
        stdin=b"" if only is None else b"\0".join(only),
        timeout=LONGEST,
        ok=None,
    )
    if ran.status not in ((0,) if spec.last else (0, VANISHED)):
        raise Failed(f"rsync of {spec.source} ended with {ran.status}: {ran.complaint}")


def _put_flags(target: str, one: Different, context: Context) -> None:
    above, _, name = os.path.join(target, os.fsdecode(one.path)).rpartition("/")
    directory = context.host.files.open_directory(above)
    try:
        with pinned(directory, name) as pin:
            change_flags(pin, one.flags or ())
    finally:
        os.close(directory)


def apply_compare_trees(spec: CompareTrees, context: Context) -> None:
    demand_both(spec, context)
    twins = Twins(context.host, spec.source, spec.target, read_notes(context) if spec.last else frozenset())
    found = list(twins.differences())
    if not spec.last:
        context.host.files.write(spec.notes, array.array("q", twins.same).tobytes())
        return
    refuse_running_services(spec.source, context)
    if found:
        told = "; ".join(f"{one.path.decode(errors='replace') or '.'} {one.says}" for one in found[:TOLD])
        more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise Failed(f"{spec.target} is not what {spec.source} is: {told}{more}")


def is_copy_tree_applied(spec: CopyTree | CompareTrees, context: Context) -> bool | None:
    """False while the old and the new one are both there, so that it is done again: after a boot nothing else tells
    that nobody wrote into it since. None afterwards: then nothing shows it."""
    files = context.host.files
    old, new = files.stat(spec.source), files.stat(spec.target)
    if old is None or new is None or old.st_dev == new.st_dev or mounted_at(context.host, spec.asset) is None:
        return None
    return False if files.list(spec.source) else None


is_compare_trees_applied = is_copy_tree_applied


def read_notes(context: Context) -> frozenset[int]:
    """What the last pass found the same; nothing after a boot, and then everything is read once more."""
    from tanist.plan import places

    try:
        data = context.host.files.read(places.same(context.controller.name))
    except OSError:
        return frozenset()
    return frozenset(array.array("q", data[: len(data) // 8 * 8]))


def demand_both(spec: CopyTree | CompareTrees, context: Context) -> None:
    """A copy into a directory where nothing is mounted, or out of one that is empty, would undo what it is for."""
    demand_mounted(spec.asset, context)
    old, new = context.host.files.stat(spec.source), context.host.files.stat(spec.target)
    if old is None or new is None or old.st_dev == new.st_dev:
        raise Failed(f"{spec.source} and {spec.target} are not two file systems")
    if not context.host.files.list(spec.source):
        raise Failed(f"{spec.source} is empty: there is nothing to move")


def demand_mounted(path: str, context: Context) -> None:
    if mounted_at(context.host, path) is None:
        raise Failed(f"nothing is mounted at {path}, where the asset should be")


def apply_set_aside(spec: SetAside, context: Context) -> None:
    files = context.host.files
    if not spec.aside:
        if _old_mount(spec, context):
            unmount_within(spec.tree, context)
    elif not files.exists(spec.aside):
        try:
            files.move(spec.tree, spec.aside)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            raise Failed(f"{spec.tree} lies on a file system that renames no directory (an overlay?)") from error
    files.make_directory(spec.tree)


def undo_set_aside(spec: SetAside, context: Context) -> None:
    host = context.host
    if mounted_at(host, spec.tree) is not None:
        raise Failed(f"{spec.tree} is a mount point: the old tree can't come back below it")
    if not spec.aside:
        options = ("-o", spec.options) if spec.options else ()
        host.run(["mount", *options, "--", spec.device, spec.tree], timeout=600)
    elif host.files.exists(spec.aside):
        if host.files.exists(spec.tree) and host.files.list(spec.tree):
            raise Failed(
                f"{spec.tree} is not empty: something wrote into it while the old tree lay at {spec.aside}; "
                f"look at what it is, and move it away"
            )
        host.files.move(spec.aside, spec.tree)


def _old_mount(spec: SetAside, context: Context) -> bool:
    mount = mounted_at(context.host, spec.tree)
    return mount is not None and mount.source == spec.device


def is_set_aside_applied(spec: SetAside, context: Context) -> bool:
    return context.host.files.exists(spec.aside) if spec.aside else not _old_mount(spec, context)
