"""What one node tells of itself for `tanist check`: plain values, told to the other node as JSON and kept there.

A part that could not be read is Unread with the reason; an empty tuple means that there is none.
"""

from __future__ import annotations

from tanist.model.dataclasses import dataclass
from tanist.model.drill import Drilled
from tanist.model.facts import NodeFacts
from tanist.model.hardware import Space, StorageReadout
from tanist.model.measured import Measured
from tanist.model.nfs import NfsReadout
from tanist.model.replica import ReplicaReadout
from tanist.model.serving import Fault
from tanist.model.unread import Unread
from tanist.model.verified import Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface below its addresses (ip-link(8))."""

    name: str
    mtu: int  # bytes
    speed: int = 0  # Mbit/s; 0: the driver does not tell
    vlan: int = 0  # 802.1Q number; 0: none


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """`owners` brought the services' units; `needed` is what these depend on, directly or not: both by name."""

    installed: tuple[Package, ...]
    owners: tuple[str, ...]
    needed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """systemctl(1) show, as far as a start depends on it. `lacks`: programs and accounts that are not there."""

    name: str
    loaded: str  # "loaded", "not-found", "masked", "bad-setting", "error"
    enabled: str  # "enabled", "disabled", "static", ...
    active: str
    reload: bool = False  # its files changed since systemd read them
    fragment: str = ""
    lacks: tuple[str, ...] = ()
    limits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    protocol: str  # "tcp" or "udp"
    address: str  # "*" for every address
    port: int
    unit: str = ""
    process: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A kernel parameter as it is now. `stored`: the node's own configuration sets it at boot (sysctl.d(5))."""

    name: str
    value: str
    stored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewall:
    """nft(8): whether a packet that no rule accepts is dropped on its way in, and the ports that some rule accepts."""

    drops: bool
    accepts: tuple[str, ...] = ()  # "tcp 5432", "tcp 8000-8010", "any" (a rule without a port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A host name and what this node makes of it (nsswitch.conf(5)), sorted; and its parts, each by itself."""

    name: str
    addresses: tuple[str, ...]
    hosts: tuple[str, ...] = ()  # /etc/hosts
    dns: tuple[str, ...] | Unread | None = None  # None: not told, or this node asks no name server


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """An address and its names."""

    address: str
    hosts: tuple[str, ...] = ()  # /etc/hosts, the first one of a line being the name and the others aliases
    dns: tuple[str, ...] | Unread | None = None  # None: as in Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    path: str
    title: str  # a certificate's subject
    at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    path: str
    at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The asset as this node sees it. Sizes in bytes; empty where the device does not tell."""

    device: str
    size: int = 0
    uuid: str = ""
    fstype: str = ""
    supported: bool = True  # this node's kernel has, or can load, that file system


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReadout:
    """The filer's export as this node sees it."""

    mounted_at: tuple[str, ...] = ()  # on this node
    wrong: tuple[str, ...] = ()  # with the options that are in force there
    unread: str = ""  # why it could not be looked at
    squashed: bool = False  # what root wrote is not root's there
    locked: str = ""  # who holds its owner's lock, for people; "" for nobody
    helper: bool = True  # mount(8) has its helper for NFS
    client: str = ""  # by which name the filer knows this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Captures:
    """The newest generation that is here, and when it was last found to be all there is to save."""

    newest: str = ""
    made: float = 0.0  # seconds since the epoch
    checked: float = 0.0  # the active node: last time that nothing had changed
    size: int = 0  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whether root of this node reaches that node over OpenSSH; `why` says why not."""

    node: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What could prove an owner down from this node, when that was looked at last (`tanist proofs`)."""

    at: float  # seconds since the epoch
    works: tuple[str, ...]  # "power of ec-a"
    lacking: tuple[str, ...]  # nodes that nothing strong could stop from here
    broken: tuple[str, ...]  # what is set up and does not answer, with the reason
    enough: bool  # at least one set of the policy can be had
    guard: str = ""  # what is lacking of the mount guard; "" for nothing, or where there can be none
    guard_mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerState:
    """A layer below the file system, as this node sees it. `wrong`: "" when nothing is."""

    kind: str  # of the finding: "array", "volume group", "replication", "iscsi"
    name: str
    says: str
    wrong: str = ""
    mend: str = ""
    own: str = ""  # what no other node may have as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Another controller that may come to this node wants the same thing. `here`: it is active on it now."""

    other: str
    what: tuple[str, ...]
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes: what could be had on this node now (proc(5): MemAvailable), and what the services use here, 0: not
    known, or they do not run."""

    available: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The controller's accounts as this node numbers them. `no_idmap`: why the tree can't be seen through an id map
    here, "" where it can."""

    users: tuple[tuple[str, int], ...]
    groups: tuple[tuple[str, int], ...]
    no_idmap: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    node: str
    tool: str  # "tanist 0.1.0"
    clock: float  # this node's wall clock at the end of the reading, seconds since the epoch
    boot_id: str
    active: bool  # it has something of the controller in use, or says that it is the active node
    definition: str  # SHA-256 of the definition's bytes
    facts: NodeFacts
    in_step: bool | Unread  # its clock follows a time source
    links: tuple[Link, ...] | Unread
    packages: Packages | Unread
    units: tuple[Unit, ...] | Unread
    listeners: tuple[Listener, ...] | Unread
    missing_accounts: tuple[str, ...]
    space: tuple[Space, ...] | Unread
    settings: tuple[Setting, ...] | Unread
    security: tuple[str, ...] | Unread  # "selinux enforcing", "apparmor"
    firewall: Firewall | Unread | None  # None: no packet filter
    names: tuple[Name, ...] | Unread
    expiries: tuple[Expiry, ...] | Unread
    edited: tuple[Edited, ...] | Unread
    disk: Disk | Unread | None  # None: the asset is a plain directory
    captures: Captures
    gate_lacks: tuple[str, ...]  # units that a boot needs and that are not enabled
    self_starting: tuple[str, ...]  # what of the system's own would start it behind the gate's back
    unfit: tuple[str, ...]  # what a takeover would refuse this node for
    reach: tuple[Reach, ...]
    proofs: Proofs | Unread | None = None  # None: not told
    verified: Verified | Unread | None = None  # of the captures that are here
    layers: tuple[LayerState, ...] | Unread = ()
    clashes: tuple[Clash, ...] | Unread = ()
    memory: Memory | Unread | None = None
    drilled: Drilled = Drilled()
    numbers: Numbers | None = None  # None: not told
    storage: StorageReadout | Unread | None = None  # None: not told
    measured: Measured | Unread | None = None  # None: not told
    reverse: tuple[Reverse, ...] | Unread = ()  # of the service addresses
    replica: ReplicaReadout | Unread | None = None  # None: the asset is no copy, or not told
    nfs: NfsReadout | Unread | None = None  # None: not told, or nothing is exported
    export: ExportReadout | Unread | None = None  # None: not told, or the asset is none
    agent: bool | Unread | None = None  # tanist-agent runs here; None: not told
    faults: tuple[Fault, ...] | Unread | None = None  # of the controller; None: not told, not active, or in a run
    promised: tuple[str, ...] | Unread = ()  # takeovers to which it gave its word, whose outcome it does not know
