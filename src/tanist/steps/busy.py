"""A mount that somebody keeps busy: waited for, and ended by force only as far as the definition says ([tree] busy).

In: a mount point. Out: unmounted, or Failed with who keeps it busy. fuser(1) -m finds the users of a whole file system,
so signals are sent only where that is the asset's own, never for a bind of this node's.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from tanist.facts.storage import mounted_here
from tanist.facts.users import parse_pids
from tanist.host.host import Host
from tanist.model.errors import Failed
from tanist.model.exports import FSTYPE as FILER
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.model.definition import BusyAct
    from tanist.steps.context import Context

PATIENCE = 3.0  # seconds that it is given in any case: a stopped service's last process may still be going
OWN_PATIENCE = 20.0  # seconds, of a tree on a filer: the watch lets go of its lock there once a run is at work
AGAIN = 0.05  # seconds between two tries


def unmount_within(target: str, context: Context) -> None:
    """Nothing mounted there is fine. Services have been stopped before this is called; it ends after the patience and
    the seconds of the definition's acts, one after the other."""
    own = any(one.target == target and one.fstype == FILER for one in context.host.mounts())
    patience = OWN_PATIENCE if own else PATIENCE
    if try_until(target, context.host, patience):
        return
    for act in context.controller.busy if is_assets_own(target, context) else ():
        escalate(target, act, context)
        if try_until(target, context.host, act.seconds):
            return
    raise Failed(f"{target} is busy: {describe_users(context.host, target)}")


def is_assets_own(target: str, context: Context) -> bool:
    asset = context.controller.asset
    if not asset.mounted:
        return False
    mounts = mounted_here(context.host, asset.device, *asset.members)
    return not isinstance(mounts, Unread) and target in mounts


def escalate(target: str, act: BusyAct, context: Context) -> None:
    """Never against this process, or who called it: then the shell that it was typed in is told by name in the end."""
    host = context.host
    found = find_users(host, target)
    if not act.signal:
        context.note(f"{target} is busy: {describe_users(host, target)}; waiting {act.seconds:g} s")
        return
    others = [pid for pid in found if pid not in find_callers(host)]
    context.note(f"{target} is busy: {describe_users(host, target)}; sending SIG{act.signal}, then {act.seconds:g} s")
    if others and is_assets_own(target, context):
        host.run(["kill", f"-{act.signal}", "--", *others], ok=None, timeout=10)


def try_until(target: str, host: Host, seconds: float) -> bool:
    """Whether it is gone. At least one try."""
    deadline = host.monotonic() + seconds
    while not try_unmount(target, host):
        if host.monotonic() >= deadline:
            return False
        host.sleep(AGAIN)
    return True


def try_unmount(target: str, host: Host) -> bool:
    if not is_mounted(host, target):
        return True
    try:
        host.unmount(target)
    except OSError as error:
        if error.errno == errno.EINVAL and not is_mounted(host, target):
            return True
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def is_mounted(host: Host, target: str) -> bool:
    return any(mount.target == target for mount in host.mounts())


def find_callers(host: Host) -> tuple[str, ...]:
    """This process, its parent, and so on (proc(5))."""
    found, pid = [], "self"
    while pid not in ("0", ""):
        try:
            status = host.files.read(f"/proc/{pid}/status", 4096).decode("utf-8", "replace")
        except OSError:
            break
        fields = dict(line.partition(":")[::2] for line in status.splitlines())
        found.append(fields.get("Pid", "").strip())
        pid = fields.get("PPid", "").strip()
    return tuple(found)


def find_users(host: Host, target: str) -> list[str]:
    """Process numbers of who uses the file system that is mounted there (fuser(1) -m, -M: only a mount point)."""
    return parse_pids(host.run(["fuser", "-M", "-m", target], ok=None, timeout=10).text)


def describe_users(host: Host, target: str) -> str:
    """Who keeps a mount busy, by process name and number."""
    ran = host.run(["fuser", "-m", target], ok=None, timeout=10)
    if ran.status == 127:
        return "some process uses it (install psmisc to see which)"
    named = []
    for pid in parse_pids(ran.text)[:10]:
        try:
            name = host.files.read(f"/proc/{pid}/comm", 64).decode(errors="replace").strip()
        except OSError:
            continue
        named.append(f"{name} (process {pid})")
    nested = [mount.target for mount in host.mounts() if mount.target.startswith(target + "/")]
    return ", ".join(named + [f"the mount {path}" for path in nested]) or "nobody that fuser can name"
