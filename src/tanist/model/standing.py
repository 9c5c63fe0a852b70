"""What a plan must know of the node that it is made for: finished values, read before the first change."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGroup:
    name: str
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    node: str
    hostname: str  # the node's own, as the next boot would set it
    boot_id: str
    users: tuple[tuple[str, int], ...]  # the controller's accounts as this node numbers them
    groups: tuple[tuple[str, int], ...]
    no_idmap: str  # why the tree can't be seen through an id map on this node, "" when it can
    new_users: tuple[NewUser, ...]  # of `users` and `groups`, those that this node lacks and the plan makes
    new_groups: tuple[NewGroup, ...]
    ssh_unit: str  # unit of the node's ssh server, "" when there is none
    ssh_keys: tuple[str, ...]  # the node's own host key files, public ones included
    controller_keys: tuple[str, ...]  # names of the controller's key files (in the capture, or here at init)
