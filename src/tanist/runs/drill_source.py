"""The active node's side of a drill: it gives out its tree, by reading alone, and gently.

It reads through the tree as it is mounted, or a snapshot of it (drill_snapshot.py), and stops at once when a run begins
here: nothing may keep the tree from being let go. The numbers of owners are therefore this node's, and are told
with it.
"""

from __future__ import annotations

from tanist.facts.accounts import read_accounts
from tanist.model.codec import encode
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller
from tanist.model.errors import Failed, Refused
from tanist.runs.drill_snapshot import PLACE, find_snapshot, snapshot_of
from tanist.runs.session import Session, read_active
from tanist.runs.verification import giving_way

GENTLY = ("nice", "-n", "19", "ionice", "-c", "3")
TAR = (
    *("tar", "--create", "--file=-", "--one-file-system", "--numeric-owner", "--acls", "--xattrs"),
    *("--xattrs-include=*", "--sparse", "--ignore-failed-read", "--warning=no-file-changed"),
    *("--warning=no-file-removed", "--warning=no-file-ignored", "--anchored"),
)
CHANGED = 1  # tar(1): some files changed while they were read, which is what a living tree does


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    size: int  # bytes that the copy takes at most
    users: tuple[tuple[str, int], ...]  # of the definition, as this node numbers them
    groups: tuple[tuple[str, int], ...]
    snapshot: str = ""  # by what the tree is given at one point in time


def measure(session: Session) -> Measured:
    demand_active(session)
    controller = session.controller
    if controller.asset.mounted:
        text = session.host.run(["df", "--output=used", "--block-size=1", "--", controller.tree]).text.split()[-1]
    else:
        argv = [*GENTLY, "du", "--summarize", "--one-file-system", "--block-size=1", "--", controller.tree]
        text = session.host.run(argv, ok=(0, 1), timeout=600).text.split()[0]
    here = read_accounts(session.host, controller.accounts)
    how = find_snapshot(session.host, controller.tree)
    return Measured(size=int(text), users=here.users, groups=here.groups, snapshot=how)


def give_tree(session: Session) -> None:
    """A tar of everything that no backup gives, onto this process's standard output."""
    demand_active(session)
    with giving_way(session), snapshot_of(session.host, session.controller.tree) as source:
        status = session.host.pass_on([*GENTLY, *build_tar(session.controller, source)])
    if status not in (0, CHANGED):
        raise Failed(f"tar of {session.controller.tree} ended with status {status}", node=session.node)


def build_tar(controller: Controller, source: str) -> tuple[str, ...]:
    """`source`: the tree or a snapshot of it. A backup's own directory comes along, empty: with its owner and mode."""
    without = (".tanist/captures/*", PLACE, "lost+found", *(f"{one.path}/*" for one in controller.drill.backups))
    without = (*without, *controller.drill.leave_out)
    return (*TAR, *(f"--exclude=./{one}" for one in without), f"--directory={source}", ".")


def give_backup(session: Session, number: int) -> None:
    """What the service itself gives out."""
    demand_active(session)
    backups = session.controller.drill.backups
    if not 0 <= number < len(backups):
        raise Refused(f"there is no [[drill.backup]] number {number}: the definitions differ")
    one = backups[number]
    with giving_way(session):
        status = session.host.pass_on([*GENTLY, *one.argv], user=one.user)
    if status != 0:
        raise Failed(f"{' '.join(one.argv)} ended with status {status}", node=session.node)


def demand_active(session: Session) -> None:
    if not read_active(session):
        raise Refused(f"{session.node} is not the active node of {session.name}: there is nothing to copy here")


def render_measured(measured: Measured) -> str:
    import json

    return json.dumps(encode(measured))
