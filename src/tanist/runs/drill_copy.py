"""The copy of the tree that a drill works on: asked of the active node over ssh, laid down in the scratch directory.

The standby never opens the asset for it: a file system that another node has mounted must not be mounted here, not
even read-only. What the copy is worth is said with it: a service's own backup is one point in time, the rest is not.
"""

from __future__ import annotations

import json
import os

from tanist.host.ssh import run_on_peer, ssh_command
from tanist.journal.claimfile import load_claim, save_claim
from tanist.model.codec import decode
from tanist.model.dataclasses import replace
from tanist.model.definition import DrillBackup, Node
from tanist.model.errors import Failed, Refused
from tanist.model.host import Ran
from tanist.model.unread import Unread
from tanist.runs.drill_source import Measured
from tanist.runs.peers import CONNECT_TIMEOUT, write_known_hosts
from tanist.runs.session import Session

DOUBT = "a service that can't bear that may fail here and not after a power cut"
MEASURE_TIMEOUT = 660.0
SPARE = 256 << 20  # bytes
UNTAR = ("tar", "--extract", "--file=-", "--preserve-permissions", "--numeric-owner", "--acls", "--xattrs")


def ask_measure(session: Session, owner: Node) -> Measured:
    """Refused when the owner does not tell."""
    argv = ["tanist", "drilldata", session.name, "measure"]
    known = write_known_hosts(session)
    ran = run_on_peer(
        session.host, owner, argv, timeout=MEASURE_TIMEOUT, known_hosts=known, connect_timeout=CONNECT_TIMEOUT
    )
    if ran.status != 0:
        raise Refused(
            f"{owner.name} gives no copy of its tree: {ran.complaint}",
            next_step=f"on {owner.name}: tanist status {session.name}",
        )
    try:
        return decode(Measured, json.loads(ran.text), "what it measured")
    except ValueError as error:
        raise Refused(
            f"{owner.name} can't be understood: {error}", next_step="install the same tanist there"
        ) from error


def check_room(session: Session, place: str, measured: Measured) -> None:
    """Refused before anything is copied."""
    found = os.statvfs(session.host.files.real(place))
    free, needed = found.f_bavail * found.f_frsize, measured.size + SPARE
    if free < needed:
        raise Refused(
            f"the copy of the tree needs up to {needed >> 20} MiB at {place}, and {free >> 20} MiB are free",
            next_step="[drill] scratch = a directory with more room, or leave_out = what no service needs to start",
        )


def copy_tree(session: Session, owner: Node, measured: Measured, target: str) -> str:
    """What the copy is worth, for people. Failed when it is not whole."""
    files, drill = session.host.files, session.controller.drill
    files.make_directory(target, 0o700)
    _stream(session, owner, ["tree"], (*UNTAR, "--xattrs-include=*", "--same-owner", f"--directory={target}"))
    for number, backup in enumerate(drill.backups):
        place = f"{target}/{backup.path}"
        if not files.exists(place):
            raise Failed(f"[[drill.backup]] names {backup.path}, which the tree does not have", node=owner.name)
        _stream(session, owner, ["backup", str(number)], (*UNTAR, "--no-same-owner", f"--directory={place}"))
        _give_owner(session, backup, measured, place)
    _mend_claim(session, measured, target)
    return describe(owner.name, drill.backups, measured.snapshot)


def describe(owner: str, backups: tuple[DrillBackup, ...], snapshot: str) -> str:
    live = f"read file by file from {owner} while it worked, not one point in time"
    if snapshot:
        live = f"read from a {snapshot} snapshot on {owner}: one point in time, as after a power cut"
    if backups:
        return f"{', '.join(one.path for one in backups)} as the service's own backup; the rest of the tree {live}"
    return f"the tree, {live}" if snapshot else f"the tree, {live}: {DOUBT}"


def _stream(session: Session, owner: Node, words: list[str], untar: tuple[str, ...]) -> None:
    argv = ["tanist", "drilldata", session.name, *words]
    command = ssh_command(owner, argv, known_hosts=write_known_hosts(session), connect_timeout=CONNECT_TIMEOUT)
    given, taken = session.host.pipe(command, untar, timeout=session.controller.drill.timeout)
    for ran, where in ((given, owner.name), (taken, session.node)):
        if ran.status != 0:
            raise Failed(f"the copy of the tree ({' '.join(words)}) broke off: {_last(ran)}", node=where)


def _last(ran: Ran) -> str:
    lines = ran.stderr.decode("utf-8", "replace").strip().splitlines()
    return "; ".join(lines[-3:]) or f"exit status {ran.status}"


def _give_owner(session: Session, backup: DrillBackup, measured: Measured, place: str) -> None:
    """A backup program writes all files as its own account's: here, by the numbers that the rest of the copy has."""
    info = session.host.files.stat(place)
    assert info is not None
    uid = dict(measured.users).get(backup.user, info.st_uid)
    session.host.run(["chown", "-R", "--no-dereference", f"{uid}:{info.st_gid}", "--", place], timeout=600)


def _mend_claim(session: Session, measured: Measured, target: str) -> None:
    """The copy's numbers are those that the active node sees."""
    claim = load_claim(session.host, target)
    if isinstance(claim, Unread):
        raise Failed(f"the copy of the claim can't be read: {claim.why}", node=session.node)
    save_claim(session.host, target, replace(claim, users=measured.users, groups=measured.groups, reowning=""))
