"""The claim on disk, TREE/.tanist/claim: readable from the raw device after a crash, whatever the journal holds.

In: a claim, or the bytes of the file. Out: the file overwritten in place, or the claim that it holds.

The file must have exactly two slots of 4096 bytes. A slot is one line of JSON with a number that grows and a checksum
of the rest, filled with blanks up to its last byte, a newline. The valid slot with the higher number counts; no valid
slot means "unreadable", never "no claim". A save writes one slot after the other, each on disk before the next: torn,
it leaves the claim that was there before; finished, it leaves the claim twice, so that a slot that rots later brings
no older claim back. It must never be replaced by rename in use: where the new name is known only to the file
system's journal, a standby that reads without mounting would find the old file. create_claim() therefore makes the
file system write its journal home. btrfs has no "in place": there the standby reads what fsync logged as well.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from tanist.journal.slots import PLACE, SIZE, SLOT, fill_slot, newest_slot, next_slot
from tanist.model.claim import Claim
from tanist.model.codec import decode, encode
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host


# One process does both, in a session of its own: neither kill -9 of tanist nor the time limit of host.run can part
# the freeze from the thaw. Constant text; the mount point comes in as $1.
FREEZE_AND_THAW = """
trap '' HUP INT TERM
fsfreeze --freeze "$1" || exit 1
for try in 1 2 3 4 5 6 7 8 9 10; do fsfreeze --unfreeze "$1" && exit 0; sleep 0.2; done
exit 2
"""


def claim_path(tree: str) -> str:
    return f"{tree.rstrip('/')}/{PLACE}"


# -- text
def render_slot(claim: Claim, seq: int) -> bytes:
    return fill_slot("claim", encode(claim), seq)


def parse_claim(data: bytes) -> Claim | Unread:
    body = newest_slot(data)
    if isinstance(body, str):
        return Unread(body)
    try:
        return decode(Claim, body["claim"], "claim")
    except (ValueError, KeyError) as error:
        return Unread(f"not a claim ({error})")


# -- disk
def read_file(host: Host, tree: str) -> bytes:
    """As the disk has it, past the page cache: another node may have written it under a mount that slept. One block
    more than there must be, so that a file which is too long is seen."""
    return host.files.read_direct(claim_path(tree), SIZE + SLOT)


def load_claim(host: Host, tree: str) -> Claim | Unread:
    try:
        return parse_claim(read_file(host, tree))
    except OSError as error:
        return Unread(f"{claim_path(tree)}: {error.strerror or error}")


def save_claim(host: Host, tree: str, claim: Claim) -> None:
    """Overwrite the claim in place; on disk when it returns. OSError: not saved, or not read back as written.

    Refuses (ESTALE) a claim with a lower epoch than the one there, and (EIO) to write over an unreadable one.
    """
    path = claim_path(tree)
    data = read_file(host, tree)
    there = parse_claim(data)
    if isinstance(there, Unread):
        raise OSError(errno.EIO, f"will not write over it: {there.why}", path)
    if claim.epoch < there.epoch:
        raise OSError(errno.ESTALE, f"epoch {claim.epoch} is behind the claim on the disk ({there.describe()})", path)
    for _ in range(2):
        offset, seq = next_slot(data)
        slot = render_slot(claim, seq)
        host.files.overwrite(path, slot, offset)
        data = data[:offset] + slot + data[offset + SLOT :]
    if read_file(host, tree) != data:
        raise OSError(errno.EIO, "the claim does not read back as it was written", path)


def create_claim(host: Host, tree: str, claim: Claim) -> None:
    """Make the file, in place on the disk when it returns. May run twice; OSError(EEXIST) where another claim is."""
    path = claim_path(tree)
    there = load_claim(host, tree)
    if isinstance(there, Claim) and there != claim:
        raise OSError(errno.EEXIST, f"there is a claim already ({there.describe()})", path)
    if there != claim:
        host.files.make_directory(path.rpartition("/")[0], 0o700)
        slots = render_slot(claim, 1), render_slot(claim, 2)
        host.files.write(path, b"".join(slots))
        for offset, slot in zip((0, SLOT), slots, strict=True):  # a single block is never compressed (btrfs)
            host.files.overwrite(path, slot, offset)
    settle(host, tree)


def settle(host: Host, tree: str) -> None:
    """Make the file system write its journal home, so that the raw device shows its files where they are.

    syncfs(2) is not enough: measured, xfs keeps inodes in its log, and ext4 keeps what a running transaction holds.
    A freeze (FIFREEZE) empties both; it holds writers up for some 10 ms. A tree that is no mount of its own, or that
    shares its device with the root, is left alone: freezing the root could stop the thaw, and a plain directory is
    never read from a raw device. OSError: the claim is written, but a standby may not see it yet.
    """
    mounts = host.mounts()
    own = [mount for mount in mounts if mount.target == tree.rstrip("/")]
    roots = {mount.device for mount in mounts if mount.target == "/"}
    if own and own[-1].fstype in ("zfs", "nfs4"):
        return  # no freeze, no journal home: beside the pool lies a claim that counts, a filer's is read as saved
    if own and own[-1].device not in roots:
        host.run(["setsid", "--fork", "--wait", "sh", "-c", FREEZE_AND_THAW, "sh", tree], timeout=60.0)
