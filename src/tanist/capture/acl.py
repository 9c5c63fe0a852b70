"""POSIX ACLs as the kernel keeps them in an xattr (linux/posix_acl_xattr.h): version 2, then (tag, permissions, id).

The ids are numbers of one machine, so they move by name like owners do.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from tanist.host.attributes import ACL_ACCESS, ACL_DEFAULT

VERSION = 2
USER, GROUP = 0x02, 0x08
TAGS = {0x01: "user", USER: "user+name", 0x04: "group", GROUP: "group+name", 0x10: "mask", 0x20: "other"}
HEADER, ITEM = struct.Struct("<I"), struct.Struct("<HHI")

Items = tuple[tuple[int, int, int], ...]


def is_acl(xattr: str) -> bool:
    return xattr in (ACL_ACCESS, ACL_DEFAULT)


def parse_acl(data: bytes) -> Items:
    if len(data) < HEADER.size or (len(data) - HEADER.size) % ITEM.size or HEADER.unpack_from(data)[0] != VERSION:
        raise ValueError("an ACL that is none")
    return tuple((tag, perm, who) for tag, perm, who in ITEM.iter_unpack(data[HEADER.size :]))


def render_acl(items: Iterable[tuple[int, int, int]]) -> bytes:
    return HEADER.pack(VERSION) + b"".join(ITEM.pack(*item) for item in sorted(items, key=lambda it: (it[0], it[2])))


def render_acl_text(data: bytes, user: Callable[[int], str | None], group: Callable[[int], str | None]) -> str:
    """By name, as acl(5) and tar's SCHILY.acl records have it; a number that has no name stays a number."""
    words = []
    for tag, perm, who in parse_acl(data):
        kind, _, named = TAGS.get(tag, "other").partition("+")
        name = ((user if tag == USER else group)(who) or str(who)) if named else ""
        bits = "".join(letter if perm & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        words.append(f"{kind}:{name}:{bits}")
    return ",".join(words)


def map_acl(data: bytes, user: Callable[[int], int], group: Callable[[int], int]) -> bytes:
    """The same ACL with other numbers, in the order that the kernel wants (by tag; then by id)."""
    return render_acl(
        (tag, perm, user(who) if tag == USER else group(who) if tag == GROUP else who)
        for tag, perm, who in parse_acl(data)
    )


def ids_of(acls: Iterable[bytes]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The numbers of users and groups that stand in ACLs."""
    users, groups = set(), set()
    for data in acls:
        for tag, _, who in parse_acl(data):
            if tag == USER:
                users.add(who)
            elif tag == GROUP:
                groups.add(who)
    return tuple(sorted(users)), tuple(sorted(groups))
