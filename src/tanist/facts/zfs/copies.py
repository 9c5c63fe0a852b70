"""The claim of a pool: in the first 8 KiB of the second label of each of its devices, which ZFS leaves alone.

In: a host and the devices. Out: the claim, or Unread. Two slots as in a claim file (journal/slots.py), each with the id
of the pool. Read past the page cache, never by ZFS: a pool at work elsewhere can't be imported, not even to be looked
at, and one that a node has imported shows that node its own memory of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.device import read_blocks
from tanist.facts.zfs.label import SIZE as LABEL
from tanist.facts.zfs.marks import is_imported
from tanist.facts.zfs.pool import Pool, read_pool
from tanist.journal.slots import SIZE, SLOT, newest_slot
from tanist.model.claim import Claim
from tanist.model.codec import decode
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

PLACE = LABEL  # byte of the device


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    device: str
    data: bytes  # both slots
    number: int  # of the slot that counts
    claim: Claim


def read_claim(host: Host, name: str, devices: Sequence[str]) -> Claim | Unread:
    """The newest of all copies. Unread where a device of the pool can't be read, as it may have a newer one; not so on
    the node that has the pool imported, which goes on without a dead disk."""
    pool = read_pool(host, name, devices)
    if isinstance(pool, Unread):
        return pool
    if pool.wrong and not is_imported(host, pool.name):
        return Unread(f"a device that can't be read may have a newer claim: {'; '.join(pool.wrong)}")
    copies = read_copies(host, pool)
    found = [one for one in copies if isinstance(one, Copy)]
    if not found:
        return Unread("; ".join(one.why for one in copies if isinstance(one, Unread)))
    newest = max(found, key=lambda one: one.number)
    return newest.claim


def read_copies(host: Host, pool: Pool) -> list[Copy | Unread]:
    return [read_copy(host, device.path, pool.id) for device in pool.devices]


def read_copy(host: Host, device: str, pool_id: str) -> Copy | Unread:
    data = read_blocks(host, device, PLACE // SLOT, SIZE // SLOT, SLOT)
    found = data if isinstance(data, Unread) else parse_copy(device, data, pool_id)
    return Unread(f"{device}: {found.why}") if isinstance(found, Unread) else found


def parse_copy(device: str, data: bytes, pool_id: str) -> Copy | Unread:
    if not data.strip(b"\0"):
        return Unread("no claim is written there")
    body = newest_slot(data)
    if isinstance(body, str):
        return Unread(body)
    try:
        told = body["zfs"]
        if told["pool"] != pool_id:
            return Unread("its claim is that of another pool, which was there before")
        return Copy(device=device, data=data, number=body["seq"], claim=decode(Claim, told["claim"], "claim"))
    except (ValueError, KeyError, TypeError) as error:
        return Unread(f"not a claim ({error})")
