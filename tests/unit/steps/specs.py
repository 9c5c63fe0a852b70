"""Steps on the machines of tests/unit/runs/world.py, and what must be there before they can be applied."""

from __future__ import annotations

from collections.abc import Callable

from tanist.journal.claimfile import create_claim
from tanist.model import steps as s
from tanist.model.claim import Claim
from tanist.model.host import Address, IdMap
from tanist.runs.session import Session
from tanist.steps.registry import handler_for
from tests.unit.runs.world import DEVICE, TREE

WHOLE = IdMap(users=((0, 0, 4294967295),), groups=((0, 0, 4294967295),))
MOUNT = s.MountTree(device=DEVICE, target=TREE, fstype="ext4", options=(), idmap=None)
MAPPED = s.MountTree(device=DEVICE, target=TREE, fstype="ext4", options=(), idmap=WHOLE)
ADDRESS = Address(interface="ens3", address="10.88.0.60", prefix=24)
INIT = s.InitAsset(tree=TREE, controller="oc", node="ec-b", run="r1", users=(("oc", 101),), groups=())
HOLD = s.HoldClaim(tree=TREE, controller="oc", node="ec-b", epoch=2, run="r2", over=1)
KEYS = "/etc/tanist/identity/oc"
OWN = "/var/lib/tanist/oc/own/r1"
SAVE = s.SaveOwn(paths=("/etc/oc", "/etc/cron.d/oc-report", "/etc/cron.d/oc"), into=OWN)
STORE = "/var/lib/store"
EXPORTS = s.WriteExports(path="/etc/exports.d/tanist-oc.exports", lines=("/x *(ro)",))
HELD = Claim(controller="oc", node="ec-a", epoch=1, state="held", since="t", run="r0", users=(), groups=())


def apply(session: Session, *specs: s.StepSpec) -> None:
    for spec in specs:
        handler_for(type(spec)).apply(spec, session.context)


def undo(session: Session, *specs: s.StepSpec) -> None:
    for spec in specs:
        handler_for(type(spec)).undo(spec, session.context)


def looks_applied(session: Session, spec: s.StepSpec) -> bool | None:
    look = handler_for(type(spec)).is_applied
    return None if look is None else look(spec, session.context)


def with_captured(session: Session) -> None:
    """A store that holds another node's files."""
    files = session.host.files
    apply(session, SAVE)
    files.write("/etc/oc/main.conf", b"captured\n")
    files.write("/etc/cron.d/oc", b"captured cron\n")
    apply(session, s.SaveOwn(paths=SAVE.paths, into=STORE))
    for path in SAVE.paths:
        undo(session, s.PutPath(path=path, store=STORE, own=OWN))


def with_claim(session: Session) -> None:
    apply(session, MOUNT)
    create_claim(session.host, TREE, HELD)


def with_keys(session: Session) -> None:
    apply(session, s.MakeSshKeys(directory=KEYS, types=("ed25519",), comment="ec"))


Prepare = Callable[[Session], None]
