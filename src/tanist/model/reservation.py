"""Who may write to a disk, by the disk's own account, and whose the keys are. Pure.

A key says which node registered it and for which epoch: 16 bits that are tanist's, 24 of a hash of controller and
node, 24 of the epoch. What can't be read so is a foreign key, and is never touched unless a person names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tanist.model.dataclasses import dataclass

MARK = 0x746E  # "tn"
BITS = 24
MASK = (1 << BITS) - 1
WRITE_EXCLUSIVE = "Write Exclusive, registrants only"
EXCLUSIVE_ACCESS = "Exclusive Access, registrants only"
GUARDS = (WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS)  # the kinds in which nobody but who is registered writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    device: str
    paths: tuple[str, ...]  # this node's ways to it that work
    keys: tuple[int, ...]  # one for each registration: a node with two paths has its key there twice
    holder: int = 0  # the key of whoever reserved it; 0: nobody
    kind: str = ""  # of the reservation, in the words of sg_persist


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOwner:
    node: str
    epoch: int


def build_key(controller: str, node: str, epoch: int) -> int:
    return MARK << 2 * BITS | _hash(controller, node) << BITS | epoch & MASK


def parse_key(key: int, controller: str, nodes: Iterable[str]) -> KeyOwner | None:
    """None: a foreign key, of another controller, another cluster, or by hand."""
    for node in nodes:
        if key >> BITS == MARK << BITS | _hash(controller, node):
            return KeyOwner(node=node, epoch=key & MASK)
    return None


def describe_key(key: int, controller: str, nodes: Iterable[str]) -> str:
    owner = parse_key(key, controller, nodes)
    return f"{owner.node}'s key of epoch {owner.epoch}" if owner else f"a foreign key, {key:#x}"


def _hash(controller: str, node: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{controller}\0{node}".encode()).digest()[: BITS // 8], "big")
