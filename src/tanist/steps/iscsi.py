"""A log-in to an iSCSI target, and out of it (iscsiadm(8)). Secrets stay in the records that an administrator made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tanist.facts.device import is_block_device
from tanist.facts.iscsi import NO_RECORD, UP, read_sessions
from tanist.host.host import Host
from tanist.model.errors import Failed
from tanist.steps.context import Context
from tanist.steps.waiting import wait_for_device, wait_unused

if TYPE_CHECKING:
    from tanist.model.host import Ran
    from tanist.model.layer_steps import LogIn

PATIENCE = 30.0  # seconds for a log-in, by all portals at once; iscsid goes on by itself with one that needs longer
APPEARS = 30.0  # seconds until udev has made the disk's device
NO_SESSION = 21  # ISCSI_ERR_NO_OBJS_FOUND
THERE = 15  # ISCSI_ERR_SESS_EXISTS
REFUSED = 24  # ISCSI_ERR_LOGIN_AUTH_FAILED


def apply_log_in(spec: LogIn, context: Context) -> None:
    host = context.host
    if is_up(host, spec):
        return
    lost = [one for one in spec.portals if one not in _logged_in(host, spec.target)]
    for portal in lost:
        _make_record(host, spec, portal)
    waits = [(one, host.begin([*_record(spec.target, one), "--login"], timeout=PATIENCE, ok=None)) for one in lost]
    said = [text for portal, wait in waits if (text := _finish(portal, wait))]
    if not _logged_in(host, spec.target):
        raise Failed(f"no log-in to {spec.target}: {'; '.join(said)}")
    _wait(host, spec)


def undo_log_in(spec: LogIn, context: Context) -> None:
    if spec.stays:
        return
    host = context.host
    # iscsiadm would log out of disks in use
    wait_unused(
        host, spec.target, lambda: tuple(disk for one in read_sessions(host, spec.target) for disk in one.disks)
    )
    for session in read_sessions(host, spec.target):
        for disk in session.disks:
            host.run(["blockdev", "--flushbufs", f"/dev/{disk}"], ok=None, timeout=PATIENCE)
        ran = host.run([*_record(spec.target, session.portal), "--logout"], ok=None, timeout=PATIENCE)
        if ran.status not in (0, NO_SESSION):
            raise Failed(f"no log-out of {spec.target} at {session.portal}: {ran.complaint}")


def is_log_in_applied(spec: LogIn, context: Context) -> bool | None:
    """None for a log-in that outlives the release: it tells nothing of whose the disk is."""
    if not is_up(context.host, spec):
        return bool(not spec.stays and read_sessions(context.host, spec.target))
    return None if spec.stays else True


def is_up(host: Host, spec: LogIn) -> bool:
    """By one portal at least: one that is lost is a finding, and no reason not to go on."""
    return bool(_logged_in(host, spec.target)) and (not spec.device or is_block_device(host, spec.device))


def _logged_in(host: Host, target: str) -> tuple[str, ...]:
    return tuple(one.portal for one in read_sessions(host, target) if one.state == UP)


def _make_record(host: Host, spec: LogIn, portal: str) -> None:
    """One that is there is the administrator's, and stays as it is."""
    ran = host.run(_record(spec.target, portal), ok=None, timeout=PATIENCE)
    if ran.status != NO_RECORD:
        return
    startup = "automatic" if spec.stays else "manual"
    for words in (("-o", "new"), ("-o", "update", "-n", "node.startup", "-v", startup)):
        ran = host.run([*_record(spec.target, portal), *words], ok=None, timeout=PATIENCE)
        if ran.status != 0:
            raise Failed(f"no record of {spec.target} at {portal} can be made: {ran.complaint}")


def _finish(portal: str, wait: Callable[[], Ran]) -> str:
    """What went wrong with one log-in, in words."""
    try:
        ran = wait()
    except OSError as error:
        return f"{portal}: {error.strerror or error}"
    if ran.status in (0, THERE):
        return ""
    if ran.status == REFUSED:
        return f"{portal}: the target does not accept this node's name or CHAP secret (node.session.auth of the record)"
    return f"{portal}: {ran.complaint}"


def _wait(host: Host, spec: LogIn) -> None:
    """A disk that was added to the target since the log-in is looked for once."""
    host.run(["udevadm", "settle", "--timeout=5"], ok=None, timeout=PATIENCE)
    if spec.device and not is_block_device(host, spec.device):
        host.run(["iscsiadm", "-m", "node", "-T", spec.target, "--rescan"], ok=None, timeout=PATIENCE)
    if spec.device and not wait_for_device(host, spec.device, APPEARS):
        raise Failed(f"{spec.device} is not among the disks of {spec.target}: lsblk -S; ls -l {spec.device}")


def _record(target: str, portal: str) -> list[str]:
    return ["iscsiadm", "-m", "node", "-T", target, "-p", portal]
