"""What a store says about itself: values only. manifest_format.py makes them from JSON and checks every one."""

from __future__ import annotations

from typing import Any, Literal

from tanist.host.attributes import Attributes
from tanist.model.dataclasses import dataclass, field, replace

Kind = Literal["file", "directory", "link", "fifo", "socket", "hard link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    kind: Kind
    attributes: Attributes  # numbers as the capturing node has them
    user: str = ""  # empty: the number had no name there, and the number is what counts
    group: str = ""
    size: int = 0  # files: bytes
    sha256: str = ""  # files
    offset: int = 0  # files: where the content begins in files.tar
    target: str = ""  # links: what they hold; hard links: the path of an earlier entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A path that the store was asked to hold. `absent` is a state too: restoring it removes the path."""

    path: str
    state: Literal["present", "absent"]
    missing_from: str = ""  # absent: the topmost parent that was missing as well, or the path itself


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Who saves, when and why. `created` is seconds since the epoch; empty strings where there is no run yet."""

    controller: str
    node: str
    created: float
    epoch: int = 0
    run: str = ""
    version: str = ""
    users: tuple[str, ...] = ()  # the definition's accounts: recorded with the numbers that they have here
    groups: tuple[str, ...] = ()
    facts: object = None  # a dataclass (model/codec.py) or a JSON value


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the store's other files, as it must be."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    controller: str
    node: str
    created: str  # ISO 8601, UTC, nanoseconds
    epoch: int
    run: str
    version: str  # of tanist
    asked: tuple[Asked, ...]
    parents: tuple[Entry, ...]  # the directories above the paths asked for: made where they are missing
    entries: tuple[Entry, ...]  # sorted by the parts of their paths: parents first
    users: tuple[tuple[str, int | None], ...] = ()  # the definition's accounts here; None: not on this node
    groups: tuple[tuple[str, int | None], ...] = ()
    acl_users: tuple[tuple[int, str], ...] = ()  # numbers inside ACLs and their names
    acl_groups: tuple[tuple[int, str], ...] = ()
    unsteady: tuple[str, ...] = ()  # paths that changed each time while they were read
    facts: Any = None
    parts: tuple[tuple[str, Part], ...] = field(default=())

    def asked_for(self, path: str) -> Asked | None:
        return next((item for item in self.asked if item.path == path), None)

    def below(self, path: str) -> tuple[Entry, ...]:
        """The entry of `path` and all below it."""
        return tuple(item for item in self.entries if item.path == path or item.path.startswith(path + "/"))

    def same_state(self, other: Manifest) -> bool:
        """Would both restore the same, on the same evidence? When, by which run and which version does not count."""
        return self._state() == other._state()

    def _state(self) -> Manifest:
        entries = tuple(replace(item, offset=0) for item in self.entries)
        return replace(self, created="", run="", version="", parts=(), entries=entries)


def sort_key(path: str) -> list[str]:
    """Part by part, so that a directory's content follows it directly."""
    return path.split("/")
