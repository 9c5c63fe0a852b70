"""Ownership moves by name: the numbers of the capturing node become this node's, inside ACLs as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.capture.acl import is_acl, map_acl
from tanist.capture.manifest import Entry, Manifest
from tanist.host.attributes import Attributes
from tanist.model.dataclasses import replace
from tanist.model.errors import Refused

if TYPE_CHECKING:
    from tanist.host.host import Host


class Owners:
    """This node's numbers for the owners in a store, asked for as they come up. A number that had no name at capture
    stays as it is."""

    def __init__(self, host: Host, manifest: Manifest) -> None:
        self._host = host
        self._acl_users, self._acl_groups = dict(manifest.acl_users), dict(manifest.acl_groups)
        self._users: dict[str, int | None] = {}
        self._groups: dict[str, int | None] = {}
        self._pairs: dict[tuple[str, int, str, int], tuple[int, int]] = {}  # what was asked, owner and group together

    @property
    def missing(self) -> tuple[str, ...]:
        """Of those that came up until now."""
        users = tuple(f"user {name}" for name, number in sorted(self._users.items()) if number is None)
        return users + tuple(f"group {name}" for name, number in sorted(self._groups.items()) if number is None)

    def check(self) -> None:
        if self.missing:
            raise Refused(
                f"this node lacks {', '.join(self.missing)}: ownership moves by name, so they must exist",
                next_step="create them (any free number will do), then try again",
            )

    def local(self, entry: Entry) -> Attributes:
        """The attributes that `entry` has on this node. Where an account is missing, which check() tells, they are the
        ones of the capturing node."""
        its = entry.attributes
        asked = entry.user, its.uid, entry.group, its.gid
        pair = self._pairs.get(asked)
        if pair is None:
            pair = self._pairs[asked] = self._user(entry.user, its.uid), self._group(entry.group, its.gid)
        uid, gid = pair
        if its.xattrs and any(is_acl(name) for name, _ in its.xattrs):
            xattrs = tuple((name, self._acl(data) if is_acl(name) else data) for name, data in its.xattrs)
            return replace(its, uid=uid, gid=gid, xattrs=xattrs)
        return its if (uid, gid) == (its.uid, its.gid) else replace(its, uid=uid, gid=gid)

    def _acl(self, data: bytes) -> bytes:
        return map_acl(
            data,
            lambda number: self._user(self._acl_users.get(number, ""), number),
            lambda number: self._group(self._acl_groups.get(number, ""), number),
        )

    def _user(self, name: str, number: int) -> int:
        if name and name not in self._users:
            self._users[name] = self._host.user_id(name)
        found = self._users.get(name)
        return number if found is None else found

    def _group(self, name: str, number: int) -> int:
        if name and name not in self._groups:
            self._groups[name] = self._host.group_id(name)
        found = self._groups.get(name)
        return number if found is None else found


def missing_accounts(host: Host, manifest: Manifest) -> tuple[str, ...]:
    """What a restore of everything would be refused for: "user postgres", "group ssl-cert"."""
    owners = Owners(host, manifest)
    for entry in manifest.entries:
        owners.local(entry)
    return owners.missing
