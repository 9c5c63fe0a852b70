"""Everything that can be known to stand in the way before anything is changed."""

from __future__ import annotations

from tanist.definition.check import check_on_host
from tanist.facts.mountable import check_mountable
from tanist.facts.version import read_scope
from tanist.model.errors import Refused
from tanist.model.unread import Unread
from tanist.runs.session import Session
from tanist.steps.services import read_unit


def check_node(session: Session) -> None:
    """Refused with everything that is wrong with this node at once."""
    problems = [*check_on_host(session.controller, session.host, session.node)]
    problems += _check_name(session)
    problems += _check_scope(session)
    problems += _check_installed(session)
    problems += _check_units(session)
    problems += filter(None, [check_mountable(session.host, session.controller.asset)])
    if problems:
        raise Refused("\n".join(problems), next_step=f"mend these on {session.node}, then try again")


def check_unconfigured(session: Session) -> None:
    """Before the tree comes here: installed, not configured, not running (A06, A07)."""
    found = [path for path in session.controller.standby.unconfigured if session.host.files.exists(path)]
    running = [one.unit for one in session.controller.services if _state(session, one.unit) in ("active", "activating")]
    problems = [f"{path} exists: this node is configured on its own" for path in found]
    problems += [f"{unit} runs on this node on its own" for unit in running]
    if problems:
        raise Refused(
            f"this node is no standby of {session.name}: " + "; ".join(problems),
            next_step="stop and unconfigure it here; what it holds would be hidden by the controller's tree",
        )


def check_wish(session: Session, *, look: bool) -> None:
    """What a person asked for, and this asset has not. `look`: at all of the file system, before it is mounted."""
    if look and session.controller.asset.kind == "nfs":
        raise Refused("what lies on a filer is checked by the filer alone; there is no check before")
    if look and session.controller.asset.zfs is not None:
        raise Refused("a pool is looked at by ZFS alone, while it is imported: zpool scrub; there is no check before")


def _state(session: Session, unit: str) -> str:
    return read_unit(session.host, unit).get("ActiveState", "")


def _check_scope(session: Session) -> list[str]:
    problems = []
    for scope in session.controller.scope:
        said = read_scope(session.host, scope)
        if isinstance(said, Unread):
            problems.append(f"{scope.file} can't be read, so what is installed here is not known: {said.why}")
        elif said:
            problems.append(said)
    return problems


def _check_name(session: Session) -> list[str]:
    """A node can be one controller by name, not two."""
    covered = any(mount.target == "/etc/hostname" for mount in session.host.mounts())
    mine = session.host.hostname() == session.controller.identity.hostname
    if session.controller.identity.mode == "alias" or not covered or mine:
        return []
    return [f"this node is {session.host.hostname()} already, another controller in mode host: release that one first"]


def _check_installed(session: Session) -> list[str]:
    missing = [path for path in session.controller.standby.installed if not session.host.files.exists(path)]
    return [f"{path} is missing: the software is not installed on this node" for path in missing]


def _check_units(session: Session) -> list[str]:
    units = [one.unit for one in session.controller.services]
    return [
        f"there is no unit {unit} on this node"
        for unit in units
        if read_unit(session.host, unit).get("LoadState") == "not-found"
    ]
