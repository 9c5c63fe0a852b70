"""What a plan is made of: one frozen dataclass per kind of step, finished data, ready to be printed and journalled.

A step is applied or undone (steps/ does it); both may run twice. A release runs a takeover's steps the other way
round, so that what one puts in place the other takes away.
"""

from __future__ import annotations

from typing import Literal

from tanist.model.asset_steps import (
    CompareTrees,
    CopyTree,
    EraseDisk,
    MakeArray,
    MakeFileSystem,
    MakeVolume,
    MarkCopy,
    MountBeside,
    ProveShared,
    SetAside,
)
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Health, PowerDevice, SavedCommand
from tanist.model.growing import GrowArray, GrowFileSystem, GrowMap, GrowPool, GrowReplica, GrowVolume
from tanist.model.host import Address, IdMap, Renumber
from tanist.model.layer_steps import LayerStep


@dataclass(frozen=True, slots=True, kw_only=True)
class MountTree:
    """The asset's file system at the tree; undone: unmounted."""

    device: str
    target: str
    fstype: str
    options: tuple[str, ...]
    idmap: IdMap | None
    hidden: str = ""  # where MountHidden put it until now: unmounted there once it is at the tree


@dataclass(frozen=True, slots=True, kw_only=True)
class MountHidden:
    """The asset where nobody but root sees it, to be claimed and re-owned there; undone: unmounted."""

    device: str
    target: str
    fstype: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reown:
    """The re-owning walk: the disk's own numbers become `after`, in the claim as well; undone: `before` again."""

    tree: str
    run: str
    renumber: Renumber  # from before to after; empty: only what a walk left half done is taken back
    users_before: tuple[tuple[str, int], ...]
    groups_before: tuple[tuple[str, int], ...]
    users_after: tuple[tuple[str, int], ...]
    groups_after: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateGroup:
    """A system group that this node lacks; undone: removed."""

    name: str
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser:
    """A system account that this node lacks: no shell, no home, password locked; undone: removed."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTree:
    """A plain directory as the tree, seen through an id map (asset kind `directory`)."""

    target: str
    idmap: IdMap


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldClaim:
    """The claim held by this node; undone: released, with the same epoch. The epoch never goes back."""

    tree: str
    controller: str
    node: str
    epoch: int
    run: str
    over: int  # the epoch that the claim on the disk may have before


@dataclass(frozen=True, slots=True, kw_only=True)
class InitAsset:
    """The first claim of a new asset, released, with the disk's numbers for the accounts; undone: nothing, a released
    claim harms nobody. `undone`: the `init` that was undone, whose released claim this one takes up."""

    tree: str
    controller: str
    node: str
    run: str
    users: tuple[tuple[str, int], ...]
    groups: tuple[tuple[str, int], ...]
    undone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeSshKeys:
    """The controller's own ssh host keys, of the types that the node has, where there are none; undone: nothing,
    clients may know them by now."""

    directory: str
    types: tuple[str, ...]
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveOwn:
    """This node's own files that are about to be replaced, saved first; undone: nothing, they stay saved: they are
    small, and a person may want to look at them."""

    paths: tuple[str, ...]
    into: str  # a store directory (capture/)
    devices: tuple[str, ...] = ()  # device nodes that may be among them


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPath:
    """One file or directory as the capture has it; undone: as it was in the own store."""

    path: str
    store: str  # the capture
    own: str  # the node's own, made by SaveOwn
    devices: tuple[str, ...] = ()  # device nodes that may be made


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCommands:
    """The output of commands, saved for the last capture; undone: nothing, it stays."""

    commands: tuple[SavedCommand, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCommand:
    """What a command said on the other node given to its counterpart here, after what it says here was saved; undone:
    the latter given back."""

    command: SavedCommand
    source: str  # its output, as the capture brought it
    own: str  # where this node's own output is saved


@dataclass(frozen=True, slots=True, kw_only=True)
class BindMount:
    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountUnmapped:
    """The asset once more, without an id map, for NFS exports: clients hold the numbers of the disk.

    The kernel's NFS server refuses an id-mapped mount (fs/nfsd/export.c, check_export).
    """

    device: str
    target: str
    fstype: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteExports:
    """A file in /etc/exports.d; undone: withdrawn from the kernel's server and removed."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepNfsState:
    """What the NFS server knows of its clients lies with the tree, the server stopped; undone: this node's own again,
    and its own server, where one ran."""

    controller: str
    kept: str  # directory


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeNfs:
    """The NFS server started, with a grace period for the clients that are known; undone: stopped."""

    controller: str
    scope: str  # the server's name to NFSv4.1 clients: the same on each node
    tree: str
    source: str  # what the server sees at the tree; empty: the tree itself
    paths: tuple[str, ...]  # that it must export then
    kept: str
    notify: tuple[tuple[str, str], ...]  # (service address, directory that says whom to notify from it)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyLocks:
    """NFSv3 clients with locks told that the server is another one, so that they claim them; undone: nothing, who takes
    over next says it again."""

    notify: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHostname:
    """The running host name, and a bind over /etc/hostname: gone at the next boot by itself."""

    name: str
    own: str
    cover: str  # the file that covers /etc/hostname, below /run


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress:
    """Probed, added, announced; undone: removed."""

    address: Address
    probe_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StartService:
    unit: str
    start_timeout: float
    stop_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckHealth:
    """Passes once the check passes; undone: nothing, a look changes nothing."""

    check: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverSshKeys:
    """Mode host: the controller's ssh host keys over the node's own, by bind mounts that a boot forgets."""

    unit: str  # the ssh server's unit, reloaded afterwards
    covers: tuple[tuple[str, str], ...]  # (controller's file, the node's own file that it covers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeAlias:
    """Mode alias: a second sshd with the controller's keys on the service addresses."""

    controller: str
    config: str  # path of its sshd_config, below /run
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCron:
    """Cron entries in force; undone: as the node's own store has them. A boot parks them until the claim is checked."""

    paths: tuple[str, ...]
    store: str  # the capture; empty: only take back what a boot parked
    own: str
    parked: str  # directory where cron does not look


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveCapture:
    """A last capture once the services have stopped (A32, A40); undone: nothing, captures stay."""

    epoch: int
    run: str
    parked: tuple[tuple[str, str], ...] = ()  # cron entries that are out of cron's sight by now, and where they lie


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Tell the neighbours again where the addresses are; undone: nothing, a removed address is not announced."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot:
    """Restart the machine and go on after the boot (A60); done once the boot id has changed; undone: nothing."""

    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOff:
    """Another node without power, read back as off; undone: nothing, a person switches it on again: nobody else knows
    whether it may run."""

    node: str
    devices: tuple[PowerDevice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Disks reserved for this node alone, all other keys of the controller preempted, and read back; undone: this
    node's key is gone."""

    controller: str
    node: str
    nodes: tuple[str, ...]  # whose keys are known
    epoch: int
    devices: tuple[str, ...]
    timeout: float  # seconds for each command
    keep: bool = False  # undone: nothing; the owner did not let go, and must not write when it comes back

    @property
    def longest(self) -> float:
        """Seconds that it takes at most: for each disk seven looks and six words that all end at their limit."""
        return len(self.devices) * 20 * self.timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeMmp:
    """ext4's multiple mount protection told that its last user is gone, which only a strong proof may say (tune2fs(8),
    clear_mmp); undone: nothing, that user is gone whatever comes of this run."""

    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFileSystem:
    """All of the file system looked at, its journal replayed before; undone: nothing, but unmounted."""

    device: str
    target: str  # where only root sees it, for the moment of the replay
    fstype: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLease:
    """Until another node's lease has run out; undone: nothing, it was only looked at."""

    node: str
    seconds: float  # that it takes at most
    alone: bool  # nothing else is asked for: the lease of a guest, which proves nothing alone, is not waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLease:
    """The controller's lease held by this node, renewed by sanlock; undone: given back."""

    controller: str
    node: str
    epoch: int
    run: str
    free: str = ""  # the strong proof that its last holder is stopped: it need not run out first
    over: str = ""  # whose it was then (facts/lease.py, Mark.holder): who has taken it since is not that one


StepSpec = (
    CreateGroup
    | CreateUser
    | LayerStep
    | MountHidden
    | MountTree
    | MapTree
    | Reown
    | HoldClaim
    | InitAsset
    | MakeSshKeys
    | SaveOwn
    | PutPath
    | RunCommands
    | FeedCommand
    | BindMount
    | MountUnmapped
    | WriteExports
    | KeepNfsState
    | ServeNfs
    | NotifyLocks
    | SetHostname
    | AddAddress
    | StartService
    | CheckHealth
    | CoverSshKeys
    | ServeAlias
    | ArmCron
    | SaveCapture
    | Announce
    | Reboot
    | PowerOff
    | Reserve
    | FreeMmp
    | CheckFileSystem
    | WaitLease
    | TakeLease
    | MountBeside
    | MarkCopy
    | CopyTree
    | CompareTrees
    | SetAside
    | EraseDisk
    | ProveShared
    | MakeArray
    | MakeVolume
    | MakeFileSystem
    | GrowMap
    | GrowArray
    | GrowVolume
    | GrowReplica
    | GrowPool
    | GrowFileSystem
)

Direction = Literal["apply", "undo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    id: str  # "acquire.1", unique in its run
    says: str  # what it does, for people
    direction: Direction
    spec: StepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One part of a run, complete before its first change."""

    title: str
    steps: tuple[PlannedStep, ...]
