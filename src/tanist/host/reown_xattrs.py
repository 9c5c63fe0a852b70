"""Ids inside extended attributes: ACL entries, and the root id of a capability.

Formats: linux/posix_acl_xattr.h, linux/capability.h (struct vfs_ns_cap_data). Pure.
"""

from __future__ import annotations

import struct

from tanist.host.attributes import ACL_ACCESS, ACL_DEFAULT
from tanist.host.reown_log import Numbering

CAPABILITY = "security.capability"
ACL_HEADER, ACL_ITEM = struct.Struct("<I"), struct.Struct("<HHI")
ACL_USER, ACL_GROUP = 0x02, 0x08
CAPABILITY_3 = struct.Struct("<IIIIII")
REVISION_MASK, REVISION_3 = 0xFF000000, 0x03000000

Xattrs = tuple[tuple[str, bytes], ...]


def map_xattrs(xattrs: Xattrs, numbering: Numbering) -> Xattrs:
    return tuple((name, _map_value(name, data, numbering)) for name, data in xattrs)


def _map_value(name: str, data: bytes, numbering: Numbering) -> bytes:
    if name in (ACL_ACCESS, ACL_DEFAULT):
        return _map_acl(data, numbering)
    if name == CAPABILITY and len(data) == CAPABILITY_3.size:
        *rest, root = CAPABILITY_3.unpack(data)
        if rest[0] & REVISION_MASK == REVISION_3:
            return CAPABILITY_3.pack(*rest, numbering.users.get(root, root))
    return data


def _map_acl(data: bytes, numbering: Numbering) -> bytes:
    """Entries are sorted by tag, then by id, as acl(5) libraries expect them."""
    items = []
    for tag, permissions, who in ACL_ITEM.iter_unpack(data[ACL_HEADER.size :]):
        numbers = numbering.users if tag == ACL_USER else numbering.groups if tag == ACL_GROUP else {}
        items.append((tag, permissions, numbers.get(who, who)))
    items.sort(key=lambda item: (item[0], item[2]))
    return data[: ACL_HEADER.size] + b"".join(ACL_ITEM.pack(*item) for item in items)
