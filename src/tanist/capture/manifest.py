"""What a store says about itself: values only. manifest_format.py and entry_format.py make them from JSON and check
every one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from tanist.capture.names import count_layers
from tanist.host.attributes import Attributes
from tanist.model.dataclasses import dataclass, field, replace

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


Kind = Literal["file", "directory", "link", "fifo", "socket", "hard link", "character device", "block device"]


@dataclass(slots=True, kw_only=True, init=False)  # not frozen: that makes each one three times as dear
class Entry:
    path: str
    kind: Kind
    attributes: Attributes  # numbers as the capturing node has them
    user: str = ""  # empty: the number had no name there, and the number is what counts
    group: str = ""
    size: int = 0  # files: bytes
    sha256: str = ""  # files: of the stored bytes
    offset: int = 0  # files: where the stored bytes begin in files.tar of its layer
    target: str = ""  # links: what they hold; hard links: the path of an earlier entry
    linked: bool = False  # it had other names when it was captured; hard links lead to such ones only
    data: tuple[tuple[int, int], ...] | None = None  # sparse files: (where, how long) each stored stretch is
    device: tuple[int, int] = (0, 0)  # device nodes: major, minor
    layer: int = 0  # of its store, counted from 0

    def __init__(
        self,
        *,
        path: str,
        kind: Kind,
        attributes: Attributes,
        user: str = "",
        group: str = "",
        size: int = 0,
        sha256: str = "",
        offset: int = 0,
        target: str = "",
        linked: bool = False,
        data: tuple[tuple[int, int], ...] | None = None,
        device: tuple[int, int] = (0, 0),
        layer: int = 0,
    ) -> None:
        """By hand: there are as many as files."""
        self.path, self.kind, self.attributes, self.user, self.group = path, kind, attributes, user, group
        self.size, self.sha256, self.offset, self.target = size, sha256, offset, target
        self.linked, self.data, self.device, self.layer = linked, data, device, layer

    @property
    def stored(self) -> int:
        """Bytes in files.tar."""
        return self.size if self.data is None else sum(length for _, length in self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A path that the store was asked to hold. `absent` is a state too: restoring it removes the path."""

    path: str
    state: Literal["present", "absent"]
    missing_from: str = ""  # absent: the topmost parent that was missing as well, or the path itself
    directory: bool = False  # present: owned as a whole
    count: int = 0  # present: its entries


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
    devices: tuple[str, ...] = ()  # device nodes that may be in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the store's other files, as it must be."""

    size: int
    sha256: str


class Entries:
    """All entries of a store, in order, read anew at each pass: there may be millions. These here are none."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def below(self, path: str) -> Iterable[Entry]:  # noqa: ARG002
        """The entry of `path` and all below it; the same at each pass."""
        return ()

    @override
    def __eq__(self, other: object) -> bool:
        """The checksums of a manifest's parts stand for its entries: they alone are compared."""
        return isinstance(other, Entries)

    @override
    def __hash__(self) -> int:
        return 0


Numbers = tuple[tuple[int, str], ...]


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
    users: tuple[tuple[str, int | None], ...] = ()  # the definition's accounts here; None: not on this node
    groups: tuple[tuple[str, int | None], ...] = ()
    owners: Numbers = ()  # numbers of users that own entries and their names, "" for none
    owner_groups: Numbers = ()
    acl_users: Numbers = ()  # numbers inside ACLs and their names, where they have one
    acl_groups: Numbers = ()
    unsteady: tuple[str, ...] = ()  # paths that changed each time while they were read
    facts: Any = None
    count: int = 0  # entries
    parts: tuple[tuple[str, Part], ...] = field(default=())
    entries: Entries = field(default=Entries())

    @property
    def layers(self) -> int:
        return count_layers(name for name, _ in self.parts)

    def asked_for(self, path: str) -> Asked | None:
        return next((item for item in self.asked if item.path == path), None)

    def below(self, path: str) -> tuple[Entry, ...]:
        """The entry of `path` and all below it."""
        return tuple(self.entries.below(path))

    def same_state(self, other: Manifest) -> bool:
        """Beside the entries: would both restore the same, on the same evidence? When, by which run and which version
        does not count."""
        return self._state() == other._state()

    def _state(self) -> Manifest:
        return replace(self, created="", run="", version="", parts=(), count=0)


def sort_key(path: str) -> str:
    """Part by part, so that a directory's content follows it directly."""
    return path.replace("/", "\0")
