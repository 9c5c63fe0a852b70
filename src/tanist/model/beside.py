"""What a node is besides processor, system and version: plain values, kept in a capture so that the standby can be
compared with a node that is dead. A part that could not be read says why."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

Password = Literal["locked", "set", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFile:
    path: str
    content: str  # SHA-256, or what it is instead of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFiles:
    """A service's unit as the node's administrator changed it, below /etc/systemd/system."""

    name: str
    masked: bool
    enabled_by: tuple[str, ...]  # links that start it at boot
    files: tuple[UnitFile, ...]  # the unit itself, drop-ins, and links to units that it starts


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEntry:
    """One of the controller's own accounts; its number is in the manifest. Never a password, nor its hash."""

    name: str
    home: str
    shell: str
    comment: str
    group: str  # by name
    groups: tuple[str, ...]  # supplementary ones
    password: Password


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPoint:
    """What holds the tree or a captured path."""

    target: str
    fstype: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    units: tuple[UnitFiles, ...] | Unread
    accounts: tuple[AccountEntry, ...] | Unread
    exports: tuple[str, ...] | Unread  # what the node's own files export (exports(5)): path and clients
    mounts: tuple[MountPoint, ...] | Unread
    features: tuple[str, ...] | Unread  # of the asset's file system, by the names of facts/features.py
