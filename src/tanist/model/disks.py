"""The disks of a node as `tanist storage plan` looks at them: what is on them and who has them. Told as JSON."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread

UNSIGNED = "data"  # the kind of a mark that no tool knows: the disk is not blank


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskMark:
    """What is on a disk, or on a partition of it. `kind` as wipefs(8) calls it: "ext4", "LVM2_member", "gpt"."""

    kind: str
    uuid: str = ""
    label: str = ""
    part: int = 0  # number of the partition, 0: the disk itself

    @property
    def key(self) -> str:
        """The same on every node, and for every way to write a UUID."""
        plain = "".join(one for one in self.uuid if one.isalnum()).lower()
        return " ".join(word for word in (f"part{self.part}" if self.part else "", self.kind, plain) if word)

    @property
    def says(self) -> str:
        what = "data without a known mark" if self.kind == UNSIGNED else self.kind
        name = f' "{self.label}"' if self.label else ""
        where = f" in partition {self.part}" if self.part else ""
        return f"{what}{name}{f' {self.uuid}' if self.uuid else ''}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDisk:
    """A whole disk, or a multipath device with its paths below. `kind`: "disk", "mpath", or "path" of an mpath."""

    name: str  # the kernel's: "sda", "dm-0"
    kind: str
    size: int  # bytes
    wwn: str = ""
    serial: str = ""
    model: str = ""
    transport: str = ""
    read_only: bool = False
    names: tuple[str, ...] = ()  # that a boot does not change: /dev/disk/by-id/..., /dev/mapper/...
    uses: tuple[str, ...] = ()  # mounted, swap, opened by somebody: a sentence each
    holders: tuple[str, ...] = ()  # what is assembled on it: "md127 (raid1)"
    looked: bool = False  # at its content; False: `marks` and `claims` are empty because nobody looked
    marks: tuple[DiskMark, ...] | Unread = ()
    claims: tuple[str, ...] = ()  # of tanist's controllers: "ledger is held by ec-a, epoch 3"
    token: str = ""  # of a prepare at work (steps/prepare.py)

    @property
    def identity(self) -> str:
        """The same from everywhere; "" for a disk that has neither."""
        return self.wwn or (f"{self.model} {self.serial}".strip() if self.serial else "")

    @property
    def word(self) -> str:
        """What a person types to have it erased."""
        return self.serial or self.wwn


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Versions; "" where it is not there."""

    kernel: str
    e2fsprogs: str
    xfsprogs: str
    mdadm: str
    lvm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a node must have set, and has not."""

    says: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSurvey:
    node: str
    disks: tuple[SeenDisk, ...] | Unread
    asked: tuple[tuple[str, str], ...]  # (path in the definition, name of its disk; "" where there is none)
    active: tuple[str, ...] = ()  # what of the controller is in use here
    programs: Programs | None = None  # None: not asked for
    settings: tuple[Setting, ...] = ()
    state: StorageMarks | Unread | None = None  # of the asset; None: not asked for

    def find(self, path: str) -> SeenDisk | None:
        name = dict(self.asked).get(path, "")
        disks = () if isinstance(self.disks, Unread) else self.disks
        return next((one for one in disks if one.name == name and name), None)
