"""Ownership moves by name: the numbers of the capturing node become this node's, inside ACLs as well."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tanist.capture.acl import ids_in, is_acl, map_acl
from tanist.capture.manifest import Entry, Manifest
from tanist.host.attributes import Attributes
from tanist.model.dataclasses import replace
from tanist.model.errors import Refused

if TYPE_CHECKING:
    from tanist.host.host import Host


class Owners:
    """This node's numbers for the entries of one restore. A number that had no name at capture stays as it is."""

    def __init__(self, host: Host, manifest: Manifest, entries: Iterable[Entry]) -> None:
        entries = tuple(entries)
        users, groups = ids_in(entries)
        acl_users, acl_groups = dict(manifest.acl_users), dict(manifest.acl_groups)
        self._acl_users = {number: acl_users[number] for number in users if number in acl_users}
        self._acl_groups = {number: acl_groups[number] for number in groups if number in acl_groups}
        user_names = {entry.user for entry in entries if entry.user} | set(self._acl_users.values())
        group_names = {entry.group for entry in entries if entry.group} | set(self._acl_groups.values())
        self._users = {name: host.user_id(name) for name in sorted(user_names)}
        self._groups = {name: host.group_id(name) for name in sorted(group_names)}

    @property
    def missing(self) -> tuple[str, ...]:
        users = tuple(f"user {name}" for name, number in self._users.items() if number is None)
        return users + tuple(f"group {name}" for name, number in self._groups.items() if number is None)

    def check(self) -> None:
        if self.missing:
            raise Refused(
                f"this node lacks {', '.join(self.missing)}: ownership moves by name, so they must exist",
                next_step="create them (any free number will do), then try again",
            )

    def local(self, entry: Entry) -> Attributes:
        """The attributes that `entry` has on this node. check() must have passed."""
        its = entry.attributes
        uid = self._number(self._users, entry.user, its.uid)
        gid = self._number(self._groups, entry.group, its.gid)
        xattrs = tuple((name, self._acl(data) if is_acl(name) else data) for name, data in its.xattrs)
        return replace(its, uid=uid, gid=gid, xattrs=xattrs)

    def _acl(self, data: bytes) -> bytes:
        return map_acl(
            data,
            lambda number: self._number(self._users, self._acl_users.get(number, ""), number),
            lambda number: self._number(self._groups, self._acl_groups.get(number, ""), number),
        )

    @staticmethod
    def _number(known: dict[str, int | None], name: str, number: int) -> int:
        if not name:
            return number
        found = known[name]
        if found is None:
            raise OSError(errno.EINVAL, f"no account {name} on this node")
        return found


def missing_accounts(host: Host, manifest: Manifest) -> tuple[str, ...]:
    """What a restore of everything would be refused for: "user postgres", "group ssl-cert"."""
    return Owners(host, manifest, manifest.entries).missing
