"""The asset as it is on the disk: the file system's own marks and the claim, read without mounting.

In: a host and an asset. Out: StorageMarks or a Claim, or Unread with the words of the tool that failed. Never mounts,
never writes. Marks alone prove little: a frozen ext4 looks clean while it is mounted, a read-only mount leaves no mark
at all, and "dirty" is what both a crash and a living owner leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts import ext4, xfs
from tanist.facts.device import read_number
from tanist.facts.view import open_view
from tanist.journal.claimfile import load_claim, parse_claim
from tanist.model.claim import Claim
from tanist.model.dataclasses import dataclass, replace
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset
    from tanist.model.host import Mount


def read_marks(host: Host, asset: Asset, *, watch_seconds: float | None = None) -> StorageMarks | Unread:
    """`watch_seconds`: how long an MMP block that is not clean is watched; None: as long as its own interval asks."""
    if asset.kind == "directory":
        return StorageMarks(fstype="", state="unknown", detail="a directory has no marks")
    if asset.kind == "nfs":
        from tanist.facts import exports  # most assets are not, and each start would pay for it

        return exports.read_marks(host, asset, mounted_here(host, asset.device))
    here = mounted_here(host, asset.device, *asset.members)
    if isinstance(here, Unread):
        return here
    old = why_old(host, asset)
    marks = _see_marks(host, asset, 0.0 if here else watch_seconds)
    if isinstance(marks, Unread):
        return marks
    if old:
        return replace(marks, state="unknown", detail=f"{marks.state} by its own marks, but {old}")
    if not here:
        return marks
    return replace(marks, state="in-use", detail=f"mounted on this node at {', '.join(here)}", mounted_at=here)


def _see_marks(host: Host, asset: Asset, watch: float | None) -> StorageMarks | Unread:
    if asset.zfs is not None:
        from tanist.facts.zfs import marks  # most assets are not, and each start would pay for it

        return marks.read_marks(host, asset.zfs, watch)
    with open_view(host, asset) as device:
        return device if isinstance(device, Unread) else _read_marks(host, asset, device, watch)


def _read_marks(host: Host, asset: Asset, device: str, watch: float | None) -> StorageMarks | Unread:
    match asset.fstype:
        case "ext4":
            return ext4.read_marks(host, device, watch)
        case "xfs":
            return xfs.read_marks(host, device)
        case "btrfs":
            from tanist.facts.btrfs import marks  # most assets are not, and each start would pay for it

            return marks.read_marks(host, (device, *asset.members))
        case _:
            return Unread(f"{asset.device}: the definition names no file system")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSeen:
    """`old`: why it may not be what the claim is now, as this node's own copy of a replicated device may lag; "" where
    it is that."""

    claim: Claim
    old: str = ""


def why_old(host: Host, asset: Asset) -> str:
    """ "" for a disk that both nodes read, and for a copy that follows the other one."""
    layer = asset.replicated
    if layer is None:
        return ""
    from tanist.facts.drbd import read_replica  # most assets have no layers, and each start would pay for it
    from tanist.plan.replica import why_old

    replica = read_replica(host, layer)
    return replica.why if isinstance(replica, Unread) else why_old(replica)


def read_claim_offline(host: Host, asset: Asset, tree: str = "") -> Claim | Unread:
    """The claim as a standby can see it after a crash of the owner. A plain directory's: from `tree`. Unread where what
    can be seen may be old."""
    seen = read_claim_seen(host, asset, tree)
    if isinstance(seen, Unread):
        return seen
    return Unread(seen.old) if seen.old else seen.claim


def read_claim_seen(host: Host, asset: Asset, tree: str = "") -> ClaimSeen | Unread:
    """The same, and whether it may be old. Asked before and after: a copy that found the other one in between has said
    what it was before."""
    old = why_old(host, asset)
    claim = _read_claim(host, asset, tree)
    if isinstance(claim, Unread):
        return claim
    return ClaimSeen(claim=claim, old=old or why_old(host, asset))


def _read_claim(host: Host, asset: Asset, tree: str) -> Claim | Unread:
    if asset.kind == "directory":
        return load_claim(host, tree) if tree else Unread("a directory is read at its path")
    if asset.kind == "nfs":
        from tanist.facts import exports

        return exports.read_claim(host, asset)
    if asset.zfs is not None:
        from tanist.facts.zfs.copies import read_claim

        return read_claim(host, asset.zfs.pool, asset.zfs.devices)
    with open_view(host, asset) as device:
        data = device if isinstance(device, Unread) else _read_claim_file(host, asset, device)
    claim = data if isinstance(data, Unread) else parse_claim(data)
    return Unread(f"{asset.device}: {claim.why}") if isinstance(claim, Unread) else claim


def _read_claim_file(host: Host, asset: Asset, device: str) -> bytes | Unread:
    match asset.fstype:
        case "ext4":
            return ext4.read_claim_file(host, device)
        case "xfs":
            return xfs.read_claim_file(host, device)
        case "btrfs":
            from tanist.facts.btrfs import marks

            return marks.read_claim_file(host, (device, *asset.members))
        case _:
            return Unread("the definition names no file system")


def load_claim_here(host: Host, asset: Asset, tree: str) -> Claim | Unread:
    """The claim that counts, on the node that has the asset put together. ZFS: the one beside the pool; in the tree is
    a copy, which a node reads out of its own memory, whatever became of the disk."""
    return read_claim_offline(host, asset) if asset.zfs is not None else load_claim(host, tree)


def check_claim_in_place(host: Host, asset: Asset, claim: Claim) -> str:
    """After a save: would a standby that reads the raw device find this claim? "" when it would, else why not.

    Not so where the file's blocks moved and only the journal knows: a copy-on-write share of the file (cp --reflink on
    xfs), a defragmentation, a restore from a backup. claimfile.settle() then brings it in place. A filer's is read as
    it was saved.
    """
    if asset.kind in ("directory", "nfs"):
        return ""
    found = read_claim_offline(host, asset)
    if isinstance(found, Unread):
        return found.why
    return "" if found == claim else f"the raw device still shows another claim: {found.describe()}"


def mounted_here(host: Host, *devices: str) -> tuple[str, ...] | Unread:
    """Where this node has it mounted, under whatever name; an export under its own name. `devices`: all that it lies
    on."""
    numbers: set[str] = set()
    for device in devices:
        try:
            numbers.add(read_number(host, device))
        except OSError as error:
            return Unread(f"{device}: {error.strerror or error}")
    try:
        mounts = host.mounts()
    except OSError as error:
        return Unread(f"mounts: {error.strerror or error}")
    return tuple(mount.target for mount in mounts if mount.source in devices or _stands_on(host, mount, numbers - {""}))


def _stands_on(host: Host, mount: Mount, numbers: set[str]) -> bool:
    """btrfs has a number of its own in the table, and names one of its devices, by whatever name it was found."""
    if mount.fstype != "btrfs" or not numbers:
        return mount.device in numbers
    try:
        return read_number(host, mount.source) in numbers
    except OSError:
        return False
