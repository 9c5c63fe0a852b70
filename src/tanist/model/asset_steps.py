"""Steps that make an asset of bare disks, and that move an installed server's tree onto one."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass

Command = tuple[str, ...]
ERASED = 32 << 20  # bytes at either end of a disk: every mark, and all that could show up in a layer made there


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseDisk:
    """Zeros over both ends of a disk, where every mark lies; undone: nothing, it stays erased.

    A disk that is not the one that was meant, is in use, or has anything on it beyond `marks`, is left alone."""

    device: str
    wwn: str
    serial: str
    size: int  # bytes
    marks: tuple[str, ...]  # DiskMark.key of what may be lost
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveShared:
    """A token written here is read there, on each disk, and wiped: one medium, not two that say the same of
    themselves; undone: wiped."""

    devices: tuple[str, ...]
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeArray:
    """A new md array; undone: stopped, and the members are no members any more."""

    device: str
    uuid: str
    members: tuple[str, ...]
    argv: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeVolume:
    """A new volume group of this node with one volume; undone: both gone."""

    group: str
    volume: str
    device: str
    disk: str
    uuid: str  # of the physical volume
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFileSystem:
    """A new file system; undone: its marks wiped."""

    device: str
    fstype: str
    uuid: str
    argv: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class MountBeside:
    """The asset where nobody but root sees it, while the server still works on its old tree; undone: unmounted."""

    device: str
    target: str
    fstype: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkCopy:
    """An empty file system is noted as what a copy goes into; one that holds anything else is never copied into.
    Undone: nothing, so that the next try goes on with what is there."""

    target: str
    uuid: str  # the file system's
    note: str  # this node's own file


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTree:
    """All of a tree (rsync(1)); undone: nothing, the copy is not in use.

    `last`: nobody writes into `source` any more, and the copy is to be exact."""

    source: str
    target: str
    asset: str  # which of the two is the asset: a mount point, or nothing is copied
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTrees:
    """Every byte and attribute of both (capture/twins.py). While the tree is at work what is the same is noted in
    `notes`; the last time everything must be; undone: nothing."""

    source: str
    target: str
    asset: str
    last: bool
    notes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """The old tree under another name, or unmounted where it was a file system of its own; undone: back again."""

    tree: str
    aside: str  # empty: it was a file system of its own, on `device`
    device: str = ""
    options: str = ""  # mount(8), -o
