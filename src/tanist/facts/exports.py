"""The tree on a filer: the claim and the owner's lock, read through a mount of the look's own (host/exports.py).

In: a host and an asset of kind "nfs". Out: StorageMarks, a Claim, or Unread: a filer that does not answer is "cannot
tell". Never "clean": an export has no mark of being mounted, a lock that is free was let go or ran out, and neither
keeps a node that sleeps from writing when it wakes. A lock that is held is a sign of life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.journal.claimfile import parse_claim
from tanist.model.claim import Claim
from tanist.model.exports import judge_options
from tanist.model.host import ExportSeen
from tanist.model.readout import ExportReadout
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset

PATIENCE = 20.0  # seconds that a look may take: a filer that is away must hold nobody up for longer
SQUASHED = "root of this node is not root there (no_root_squash)"


def look(host: Host, asset: Asset) -> ExportSeen | Unread:
    try:
        return host.look_at_export(asset.device, asset.look_options, PATIENCE)
    except OSError as error:
        why = error.strerror or str(error)
        hint = f"; {SQUASHED}?" if "ermission denied" in why else ""
        return Unread(f"{asset.device}: {why}{hint}")


def read_claim(host: Host, asset: Asset) -> Claim | Unread:
    seen = look(host, asset)
    if isinstance(seen, Unread):
        return seen
    if seen.claim is None:
        return Unread(f"{asset.device}: there is no claim on it")
    claim = parse_claim(seen.claim)
    return Unread(f"{asset.device}: {claim.why}") if isinstance(claim, Unread) else claim


def read_marks(host: Host, asset: Asset, here: tuple[str, ...] | Unread) -> StorageMarks | Unread:
    """`here`: where this node has it mounted. That says nothing of the other nodes, so that it is no proof either."""
    if isinstance(here, Unread):
        return here
    seen = look(host, asset)
    if isinstance(seen, Unread):
        return seen
    mounted = f"mounted on this node at {', '.join(here)}; " if here else ""
    if not seen.locked:
        detail = f"{mounted}nobody holds its owner's lock, which proves nothing"
        return StorageMarks(fstype=asset.fstype, state="unknown", detail=detail, mounted_at=here)
    if here and is_own(host, seen):
        detail = f"{mounted}this node's watch holds its owner's lock"
        return StorageMarks(fstype=asset.fstype, state="unknown", detail=detail, mounted_at=here)
    return StorageMarks(fstype=asset.fstype, state="in-use", detail=f"its owner's lock is held: {describe(seen)}")


def is_own(host: Host, seen: ExportSeen) -> bool:
    """By the note that whoever has the lock leaves."""
    return seen.note.endswith(f" {host.boot_id()}")


def describe(seen: ExportSeen) -> str:
    return f"by {seen.note.split(' ', 1)[0]}, by its own note" if seen.note else "by whom, it does not say"


def read_export(host: Host, asset: Asset) -> ExportReadout | Unread:
    """For the findings."""
    try:
        mounts = [one for one in host.mounts() if one.source == asset.device]
    except OSError as error:
        return Unread(f"mounts: {error.strerror or error}")
    seen = look(host, asset)
    helper = read_text(host, ("mount.nfs4", "-V"))
    return ExportReadout(
        mounted_at=tuple(dict.fromkeys(one.target for one in mounts)),
        wrong=tuple(dict.fromkeys(text for one in mounts for text in judge_options(one.wide))),
        unread=seen.why if isinstance(seen, Unread) else "",
        squashed=not isinstance(seen, Unread) and seen.owner > 0,
        locked="" if isinstance(seen, Unread) or not seen.locked else describe(seen),
        helper=not isinstance(helper, Unread),
        client=host.client_name(),
    )
