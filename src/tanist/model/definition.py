"""A controller as its definition states it: values only, already checked (definition/load.py makes them)."""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass
from tanist.model.layers import DrbdLayer, Layer, ZfsLayer, find_disks

Mode = Literal["host", "alias"]
OwnershipMethod = Literal["auto", "map", "walk"]
FsType = Literal["ext4", "xfs", "btrfs", "zfs", "nfs4"]
AssetKind = Literal["filesystem", "directory", "nfs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine that can run the controller. The first one in the definition is the primary."""

    name: str
    ssh: str  # what OpenSSH is given: [user@]host
    management: tuple[str, ...]  # addresses that are the node's own and stay with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    kind: AssetKind
    device: str = ""  # absolute path below /dev, of ZFS a data set, of NFS "filer:/path"; empty for kind "directory"
    fstype: FsType | Literal[""] = ""
    options: tuple[str, ...] = ()  # mount options beyond what tanist sets
    members: tuple[str, ...] = ()  # btrfs: its other devices
    layers: tuple[Layer, ...] = ()  # below the file system, the lowest first

    @property
    def mount_options(self) -> tuple[str, ...]:
        """Of a btrfs always the top level, whatever subvolume is its default, from the devices that are named here."""
        match self.fstype:
            case "btrfs":
                return (*self.options, "subvolid=5", *(f"device={member}" for member in self.members))
            case "nfs4":
                return (*self._demanded, *self.options)
            case _:
                return self.options

    @property
    def look_options(self) -> tuple[str, ...]:
        """Of an export, for a look at it that ends whatever the filer does, and shares nothing with a mount that is
        there: neither its options nor what it remembers."""
        kept = (one for one in self.options if one.startswith(("vers=", "sec=", "port=")))
        demanded = (one for one in self._demanded if one != "hard")
        return ("ro", "soft", "timeo=30", "retrans=1", "retry=0", "noac", "nosharecache", *demanded, *kept)

    @property
    def _demanded(self) -> tuple[str, ...]:
        """Of an export: what its owner's mount must be like. 4.2 has extended attributes, which 4.1 has not."""
        version = () if any(one.startswith("vers=") for one in self.options) else ("vers=4.2",)
        return ("hard", "proto=tcp6" if self.device.startswith("[") else "proto=tcp", *version)

    @property
    def mounted(self) -> bool:
        """Whether the tree is a mount of its own, of what every node reaches: not so a plain directory."""
        return self.kind != "directory"

    @property
    def disks(self) -> tuple[str, ...]:
        """The lowest devices that are named here. An export has none."""
        if self.kind == "nfs":
            return ()
        if not self.layers:
            return (self.device, *self.members) if self.device else ()
        return find_disks(self.layers)

    @property
    def replicated(self) -> DrbdLayer | None:
        """Where each node has a copy of its own, and what one reads is no truth about the other."""
        return next((layer for layer in self.layers if isinstance(layer, DrbdLayer)), None)

    @property
    def zfs(self) -> ZfsLayer | None:
        """Where the claim that counts lies beside the file system: what a node reads in that is its own memory."""
        return next((layer for layer in self.layers if isinstance(layer, ZfsLayer)), None)

    @property
    def exclusive(self) -> bool:
        """Whether a standby can't look at it."""
        return any(layer.exclusive for layer in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    address: str  # "10.88.0.50"
    prefix: int  # 24
    interfaces: tuple[tuple[str, str], ...]  # (node name, interface) for every node

    def interface_on(self, node: str) -> str:
        return dict(self.interfaces)[node]

    @property
    def cidr(self) -> str:
        return f"{self.address}/{self.prefix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    mode: Mode
    hostname: str
    addresses: tuple[ServiceAddress, ...]
    ssh_host_keys: str  # directory with ssh_host_*_key files; belongs to the controller and is captured


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What lies outside the tree and moves by capture. A directory is owned as a whole."""

    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The controller's own accounts: ownership moves by these names. They exist on every node, or are made there."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    ownership: OwnershipMethod = "auto"  # id-mapped mount, or re-owning walk; auto: the walk where the map can't be
    create: bool = False  # a node that lacks an account makes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    source: str  # relative to the tree
    target: str  # absolute, outside the tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    path: str  # relative to the tree
    clients: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    unit: str
    start_timeout: float = 90.0  # seconds
    stop_timeout: float = 90.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One check that must pass before a takeover counts as done."""

    kind: Literal["tcp", "http", "command"]
    address: str = ""  # tcp
    port: int = 0  # tcp
    url: str = ""  # http: any status below 400 passes
    argv: tuple[str, ...] = ()  # command: exit status 0 passes
    user: str = ""  # command: run as this account
    timeout: float = 30.0  # seconds until it must have passed once

    @property
    def label(self) -> str:
        match self.kind:
            case "tcp":
                return f"tcp {self.address}:{self.port}"
            case "http":
                return f"http {self.url}"
            case "command":
                return f"command {' '.join(self.argv)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSource:
    """Where the installed product's version is read: equal on both nodes or no takeover (A11, A25-A29)."""

    kind: Literal["properties", "dpkg", "rpm", "command", "none"] = "none"
    file: str = ""  # properties
    key: str = ""  # properties
    package: str = ""  # dpkg, rpm
    argv: tuple[str, ...] = ()  # command: its first line of output


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What kind of installation this definition is for (A04): a key of a properties file and its allowed values."""

    file: str
    key: str
    allowed: tuple[str, ...]
    otherwise: str  # said to the operator of an installation that is none of these


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """How "installed, not configured, not running" is recognised on a node (A06, A07)."""

    installed: tuple[str, ...] = ()  # paths that must exist
    unconfigured: tuple[str, ...] = ()  # paths that must not exist while the controller is elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    keep: int = 48  # generations
    keep_days: int = 14  # and everything younger than this


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDevice:
    """One thing that can cut one node's power, worked by a program of fence-agents. No secret is in it."""

    node: str  # whose power
    agent: str  # fence_ipmilan: a program on the path, or an absolute path
    options: tuple[tuple[str, str], ...] = ()  # what the agent is told besides action and secrets
    secrets: str = ""  # a file of KEY=VALUE lines, root's, mode 0600; or "credential:NAME" (systemd-creds)
    level: int = 1  # all devices of a level must say off; the next level is tried when one of them does not
    delay: float = 0.0  # seconds waited before "off" is sent
    retry: int = 1  # how often "off" is sent again
    timeout: float = 60.0  # seconds for each call of the agent

    @property
    def longest(self) -> float:
        """Seconds that cutting it takes at most: every call at its limit, and a second before each "off" sent again."""
        return self.delay + (self.retry + 1) * 2 * self.timeout + self.retry + 2 * self.timeout

    @property
    def label(self) -> str:
        """The agent and where it reaches, for people."""
        options = dict(self.options)
        where = next((options[key] for key in ("ip", "ipaddr") if key in options), "")
        plug = next((options[key] for key in ("plug", "port") if key in options), "")
        return " ".join(part for part in (self.agent, where, plug) if part)


ProofName = Literal["power", "reservation", "lease", "attestation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A place on storage that every node sees, apart from the asset, where sanlock keeps who is there and who owns."""

    device: str  # a block device or a file: 4 MiB, at a name that never changes
    io_timeout: int = 10  # seconds that sanlock gives one access

    @property
    def renewed_every(self) -> int:
        return 2 * self.io_timeout

    @property
    def longest_wait(self) -> int:
        """Seconds from any moment on until a host that does not renew any more has run out."""
        return self.lapses_after + self.renewed_every

    @property
    def lapses_after(self) -> int:
        """Seconds without a renewal until nobody counts the host any more: sanlock's rule, its watchdog's 60 in it."""
        return 8 * self.io_timeout + WATCHDOG_FIRES


WATCHDOG_FIRES = 60  # seconds, fixed in sanlock 3.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserving:
    """The asset's disks are the active node's alone, by a persistent reservation."""

    devices: tuple[str, ...] = ()  # whole disks; empty: those that the asset names
    timeout: float = 10.0  # seconds for each command


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What can prove that the old owner cannot act, and which of it suffices."""

    power: tuple[PowerDevice, ...] = ()
    lease: Lease | None = None
    reservation: Reserving | None = None
    policy: tuple[tuple[ProofName, ...], ...] = ()  # any of these sets, all of it; empty: see `suffices`

    @property
    def suffices(self) -> tuple[tuple[ProofName, ...], ...]:
        """Strict where nothing is said: each strong proof that is there, alone, the quickest first; a person's word
        where there is none. The lease of a guest, or without a watchdog, counts beside a person's word only."""
        if self.policy:
            return self.policy
        lease: tuple[tuple[ProofName, ...], ...] = (("lease",),) if self.lease else ()
        strong: list[tuple[ProofName, ...]] = [("reservation",)] if self.reservation else []
        strong += [("power",)] if self.power else []
        if strong:
            return (*strong, *lease)
        return (*lease, ("lease", "attestation")) if self.lease else (("attestation",),)

    @property
    def free_suffices(self) -> bool:
        """Is a claim that was let go proof by itself? Not where power is what stops an owner: a reservation and a
        lease, taken before each mount, keep two apart that both find it free; power does so only once it was cut, so
        that the other node's word is needed, and that node notes it (docs/design/proof.md, "By power alone")."""
        guarded = self.reservation is not None or self.lease is not None
        return guarded or not any("power" in names for names in self.suffices)

    @property
    def reservation_timeout(self) -> float:
        return (self.reservation or Reserving()).timeout

    def devices(self, node: str) -> tuple[PowerDevice, ...]:
        return tuple(device for device in self.power if device.node == node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """How captures lie on the other nodes."""

    at_rest: Literal["plain", "encrypted"] = "plain"


CommandTime = Literal["running", "stopped", "any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCommand:
    """A program whose output is captured, and how a takeover gives it back (docs/design/commands.md)."""

    name: str  # of its output, in Controller.outputs
    argv: tuple[str, ...]  # no secret: the definition can be read by everybody
    when: CommandTime = "running"  # what it, and `restore`, need: the services up, stopped, or neither
    service: str = ""  # running: the one that it talks to; empty: the last one to start
    user: str = ""  # both programs run as this account
    timeout: float = 300.0  # seconds, for each of them
    max_mib: int = 256  # of output
    restore: tuple[str, ...] = ()  # reads the output from stdin; empty: nothing is given back

    @property
    def limit(self) -> int:
        return self.max_mib << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """How an active node finds out that it lost the controller, and what it may do then (runs/watch.py)."""

    every: float = 1.0  # seconds between two looks at the claim
    cannot_tell: float = 60.0  # seconds that nothing can be told, or nothing be written, until that counts as a loss
    stop_within: float = 30.0  # seconds that stopping may take
    reset: bool = True  # whether the machine may reset itself when it took longer


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePolicy:
    """What the asset's storage is held against. 0: no figure is stated."""

    redundant_by: str = ""  # what keeps it redundant where the nodes can't see it: "RAID 5 in the array"
    min_fsyncs_per_s: int = 0
    min_write_mib_per_s: int = 0
    min_read_mib_per_s: int = 0
    measure_every_hours: int = 24  # 0: only when somebody asks


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillBackup:
    """A directory of the tree that its service itself gives out whole and at one point in time, as a tar on stdout."""

    path: str  # relative to the tree
    argv: tuple[str, ...]  # run on the active node
    user: str  # as this account, whose files they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """How a takeover is rehearsed (docs/design/drill.md)."""

    every: float = 0.0  # seconds between two drills; 0: only when somebody types it
    backups: tuple[DrillBackup, ...] = ()
    leave_out: tuple[str, ...] = ()  # paths in the tree that are not copied
    window: tuple[str, ...] = ()  # when a drill on the real thing may be; none: never
    scratch: str = ""  # where the copy lies for the time of a drill; empty: below /var/lib/tanist
    timeout: float = 1800.0  # seconds for the copy, and again for the rehearsal
    user_namespace: bool = True  # whether the cell has one, where it can


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyAct:
    """What is done about a tree that somebody keeps busy while it is to be let go."""

    signal: Literal["", "TERM", "KILL"]  # "": only waited
    seconds: float  # that it is given then


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    name: str
    asset: Asset
    tree: str
    identity: Identity
    nodes: tuple[Node, ...]
    outside: Outside = Outside()
    accounts: Accounts = Accounts()
    binds: tuple[Bind, ...] = ()
    exports: tuple[Export, ...] = ()
    cron: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    health: tuple[Health, ...] = ()
    version: VersionSource = VersionSource()
    scope: tuple[Scope, ...] = ()
    standby: Standby = Standby()
    retention: Retention = Retention()
    gate: Gate = Gate()
    proof: Proof = Proof()
    mirror: Mirror = Mirror()
    commands: tuple[SavedCommand, ...] = ()
    devices: tuple[str, ...] = ()  # device nodes that a capture may hold
    drill: Drill = Drill()
    storage: StoragePolicy = StoragePolicy()
    busy: tuple[BusyAct, ...] = ()  # one after the other, once the services have stopped; none: it fails by name

    def node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def peers(self, me: str) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.name != me)

    @property
    def disks(self) -> tuple[str, ...]:
        """What a reservation is taken of: as the definition says, else the disks that the asset lies on."""
        if self.proof.reservation and self.proof.reservation.devices:
            return self.proof.reservation.devices
        return self.asset.disks

    @property
    def primary(self) -> Node:
        return self.nodes[0]

    @property
    def outputs(self) -> str:
        """Where the output of `commands` lies, a file each: captured and restored like any other directory."""
        return f"/var/lib/tanist/{self.name}/commands"

    @property
    def own_paths(self) -> tuple[str, ...]:
        """What lies outside the tree and is the controller's; the cron entries are among it."""
        return (*self.outside.directories, *self.outside.files, *self.cron, self.identity.ssh_host_keys)

    @property
    def captured_paths(self) -> tuple[str, ...]:
        """Everything outside the tree that a capture holds."""
        return (*self.own_paths, *((self.outputs,) if self.commands else ()))
