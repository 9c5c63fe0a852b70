"""A device that DRBD replicates, as this node sees it (drbdadm(8), drbdsetup(8); drivers/block/drbd/drbd_proc.c).

In: a resource's name and its device. Out: what the kernel says of both copies, where this node's copy lies, and what an
administrator has set. Never connects, promotes or writes, and never opens the DRBD device of a Secondary: 8.4 refuses
that, 9 makes a Primary of one that is opened for writing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tanist.facts.device import Place, read_size
from tanist.facts.kinds import Guard, Marks
from tanist.facts.tool import read_text
from tanist.model.dataclasses import dataclass
from tanist.model.growing import Room
from tanist.model.readout import LayerState
from tanist.model.replica import Generations, Replica, ReplicaReadout
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.layer_steps import PromoteReplica
    from tanist.model.layers import DrbdLayer

PROC = "/proc/drbd"
VERSION = re.compile(r"^version: (\d+)\.(\S+)", re.MULTILINE)
STATE = re.compile(r"cs:(\S+)(?: ro:(\w+)/(\w+) ds:(\w+)/(\w+)(?: ([ABC]))?)?")
OUT_OF_SYNC = re.compile(r"\boos:(\d+)")
SIZE = re.compile(r"(\d+)([sKMGT]?)", re.IGNORECASE)
SECTOR, BLOCK = 512, 4096  # bytes
UNITS = {"": SECTOR, "S": SECTOR, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MOST_COPIES = 8  # for which DRBD 9 may have made room in its meta data
NO_SUCH = 10  # drbdsetup's exit status where the kernel does not have the resource
KIND = "replication"


def read_replica(host: Host, layer: DrbdLayer | PromoteReplica) -> Replica | Unread:
    """Unread too where there are more copies than two: which of them is the newest is more than this node can tell."""
    version = read_version(host)
    if isinstance(version, Unread):
        return version
    if not version:
        return Replica(resource=layer.resource)
    if version < 9:
        return parse_proc(_read_proc(host), layer)
    said = read_text(host, ("drbdsetup", "status", "--json", layer.resource), ok=(0, NO_SUCH))
    return said if isinstance(said, Unread) else parse_status(said, layer.resource)


def read_version(host: Host) -> int | Unread:
    """The kernel's: 8 or 9; 0 where its module is not loaded."""
    if not host.files.exists(PROC):
        return 0
    found = VERSION.search(_read_proc(host))
    return int(found[1]) if found else Unread(f"{PROC} does not tell the version of DRBD")


def _read_proc(host: Host) -> str:
    return host.files.read(PROC, 1 << 20).decode("utf-8", "replace")


def parse_proc(text: str, layer: DrbdLayer | PromoteReplica) -> Replica | Unread:
    """/proc/drbd of 8.4: a line with a number for each device, and one or two of counters after it."""
    blocks = re.split(r"^ *(?=\d+: cs:)", text, flags=re.MULTILINE)[1:]
    block = next((one for one in blocks if int(one.partition(":")[0]) == layer.minor), "")
    state = STATE.search(block)
    if state is None or state[1] == "Unconfigured":
        return Replica(resource=layer.resource)
    connection, role, peer_role, disk, peer_disk, protocol = state.groups()
    if role is None:
        return Unread(f"{PROC} has no roles for {layer.device}")
    kib = OUT_OF_SYNC.search(block)
    return Replica(
        resource=layer.resource,
        role=role,
        peer_role=peer_role,
        connection=connection,
        disk=disk,
        peer_disk=peer_disk,
        behind=int(kib[1]) << 10 if kib else 0,
        protocol=protocol or "",
    )


def parse_status(text: str, resource: str) -> Replica | Unread:
    """drbdsetup status --json of DRBD 9: connection and replication are told apart there, 8.4 has one word for both."""
    try:
        found = next((one for one in json.loads(text or "[]") if one["name"] == resource), None)
        if found is None:
            return Replica(resource=resource)
        devices, peers = found["devices"], found["connections"]
        if len(devices) != 1 or len(peers) > 1:
            what = f"{len(devices)} volumes and {len(peers)} other nodes"
            return Unread(f"{resource} has {what}; tanist moves one volume that two nodes have")
        peer: dict[str, Any] = peers[0] if peers else {}
        its: dict[str, Any] = (peer.get("peer_devices") or [{}])[0]
        return Replica(
            resource=resource,
            role=found["role"],
            peer_role=peer.get("peer-role", "Unknown"),
            connection=_connection(peer.get("connection-state", "StandAlone"), its.get("replication-state", "Off")),
            disk=devices[0]["disk-state"],
            peer_disk=its.get("peer-disk-state", "DUnknown"),
            behind=int(its.get("out-of-sync", 0)) << 10,
        )
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        return Unread(f"what drbdsetup says of {resource} can't be understood")


def _connection(connection: str, replication: str) -> str:
    if connection != "Connected":
        return "WFConnection" if connection == "Connecting" else connection
    return {"Established": "Connected", "Off": "WFReportParams"}.get(replication, replication)


def read_generations(host: Host, resource: str) -> Generations | Unread:
    """From the kernel where the resource is up, else from the meta data on the disk; nothing is written."""
    said = read_text(host, ("drbdadm", "get-gi", resource))
    return said if isinstance(said, Unread) else parse_generations(said)


def parse_generations(text: str) -> Generations | Unread:
    """Four generations and flags with colons between them."""
    fields = text.strip().split(":")
    try:
        current, bitmap, younger, older = (int(one, 16) for one in fields[:4])
    except ValueError:
        return Unread(f"drbdadm get-gi: {text.strip()!r} are no generations")
    return Generations(current=current, bitmap=bitmap, history=(younger, older))


def read_link_lost(host: Host, resource: str) -> str:
    """When this node's kernel last saw the copies stop following each other; "" where its log does not tell.
    Never too late: what no log saw (a power cut) came after it."""
    grep = rf"drbd {re.escape(resource)}\b.*conn\( Connected ->"
    argv = ["journalctl", "_TRANSPORT=kernel", "--reverse", "--lines=1", "--output=short-iso", "--quiet", "--no-pager"]
    said = read_text(host, (*argv, f"--grep={grep}"))
    return "" if isinstance(said, Unread) or not said.strip() else said.split(maxsplit=1)[0]


def read_readout(host: Host, layer: DrbdLayer) -> ReplicaReadout | Unread:
    replica = read_replica(host, layer)
    if isinstance(replica, Unread):
        return replica
    found, config = read_generations(host, layer.resource), read_config(host, layer.resource)
    return ReplicaReadout(
        replica=replica,
        generations=None if isinstance(found, Unread) else found,
        lost="" if replica.linked else read_link_lost(host, layer.resource),
        by_name=isinstance(config, Config) and config.by_name,
    )


def read_lower(host: Host, resource: str) -> str | Unread:
    """This node's own disk, by DRBD's configuration."""
    disk = read_text(host, ("drbdadm", "sh-ll-dev", resource))
    if isinstance(disk, Unread):
        return disk
    name = disk.strip()
    return name if name.startswith("/dev/") else Unread(f"{resource} has no disk on this node")


# -- as a layer
def find_place(host: Host, layer: DrbdLayer, below: Place) -> Place | Unread:  # noqa: ARG001
    """The device of a Primary; else this node's own disk, whose first bytes are the device's: the meta data lie at its
    end, or on another."""
    replica = read_replica(host, layer)
    if isinstance(replica, Unread):
        return replica
    if replica.role == "Primary":
        return Place(device=layer.device, offset=0, size=0)
    disk = read_lower(host, layer.resource)
    return disk if isinstance(disk, Unread) else Place(device=disk, offset=0, size=0)


def read_marks(host: Host, layer: DrbdLayer, below: Place) -> Marks:  # noqa: ARG001
    """Nothing lies there that both nodes must read alike: each has a disk of its own."""
    return Marks()


def read_guards(host: Host, layer: DrbdLayer) -> tuple[Guard, ...]:
    """While the copies are connected the kernel refuses a second Primary; alone, nothing does."""
    replica = read_replica(host, layer)
    if isinstance(replica, Unread):
        return (Guard(about=layer.resource, says=replica.why, fails=True),)
    if not replica.linked:
        return (Guard(about=layer.resource, says=f"{replica.states}: nothing hinders a second Primary"),)
    return (Guard(about=layer.resource, says=f"{replica.states}: DRBD refuses a second Primary", ready=True),)


def find_ends(host: Host, layer: DrbdLayer) -> dict[str, tuple[str, ...]]:  # noqa: ARG001
    """Each node has a disk of its own (read_capacity)."""
    return {}


def read_capacity(host: Host, layer: DrbdLayer, disk: str) -> int | Unread:
    """Bytes of the device for which this node's own disk has room: no more than an administrator has set, and not what
    the meta data take behind them (DRBD User's Guide, "Estimating metadata size")."""
    config, size = read_config(host, layer.resource), read_size(host, disk)
    if isinstance(config, Unread):
        return config
    if isinstance(size, Unread):
        return size
    version = read_version(host)
    copies = 1 if version == 8 else MOST_COPIES
    meta = (-(-size // (128 << 20)) * 8 * copies + 72) * SECTOR if config.internal else 0
    return min(size - meta, config.size or size)


def read_room(host: Host, layer: DrbdLayer, sizes: Mapping[str, int], below: int) -> Room | Unread:  # noqa: ARG001
    """As much as both disks have. Both copies have to be there and alike, or one that comes back may be too small."""
    replica, size = read_replica(host, layer), read_size(host, layer.device)
    if isinstance(replica, Unread):
        return replica
    if isinstance(size, Unread):
        return size
    if (replica.connection, replica.disk, replica.peer_disk) != ("Connected", "UpToDate", "UpToDate"):
        return Unread(f"{replica.states}: both copies have to be there and alike to grow")
    return Room(device=layer.device, now=size, could=max(size, sizes.get(layer.device, 0) // BLOCK * BLOCK))


def read_states(host: Host, layer: DrbdLayer) -> Iterator[LayerState]:
    """What an administrator has set that would go wrong; how the copies are is told for both nodes together."""
    config = read_config(host, layer.resource)
    if isinstance(config, Unread):
        mend = f"a resource {layer.resource} in /etc/drbd.d on both nodes, with {layer.device}"
        yield LayerState(kind=KIND, name=layer.resource, says="", wrong=config.why, mend=mend)
        return
    version = read_version(host)
    found = [
        *judge_config(config, layer, version if isinstance(version, int) else 0),
        *read_start(host, layer, config),
    ]
    for about, wrong, mend in found:
        yield LayerState(kind=KIND, name=f"{layer.resource} {about}", says="", wrong=wrong, mend=mend)
    if not found:
        yield LayerState(kind=KIND, name=layer.resource, says=f"{layer.resource} is set up as tanist needs it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A resource as the files in /etc/drbd.d have it (drbdadm dump-xml): `options` by "section/name"."""

    minors: tuple[int, ...]
    by_name: bool  # its nodes are told by host name
    options: dict[str, str]
    internal: bool = True  # the meta data lie behind the data
    size: int = 0  # bytes that the device has at most; 0: nobody has set any


def read_config(host: Host, resource: str) -> Config | Unread:
    said = read_text(host, ("drbdadm", "dump-xml", resource))
    return said if isinstance(said, Unread) else parse_config(said, resource)


def parse_config(text: str, resource: str) -> Config | Unread:
    import xml.etree.ElementTree as tree

    try:
        root = tree.fromstring(text)  # noqa: S314 - what DRBD's own program wrote
        body = root if root.tag == "resource" else root.find(f"resource[@name='{resource}']")
    except tree.ParseError as error:
        return Unread(f"drbdadm dump-xml can't be read: {error}")
    if body is None:
        return Unread(f"drbdadm knows no resource {resource}")
    options: dict[str, str] = {}
    for section in (*root.iterfind("common/section"), *body.iterfind("section")):
        for one in section.iterfind("option"):
            options[f"{section.get('name', '')}/{one.get('name', '')}"] = one.get("value", "yes")
    minors = [int(one.get("minor", "-1")) for one in body.iterfind("host/volume/device")]
    by_name = any(one.get("name") for one in body.iterfind("host"))
    return Config(
        minors=tuple(minors),
        by_name=by_name,
        options=options,
        internal=all(one.text == "internal" for one in body.iterfind("host/volume/meta-disk")),
        size=parse_size(options.get("disk/size", "0")),
    )


def parse_size(text: str) -> int:
    """Bytes; without a unit it is told in sectors (drbd.conf(5), size). 0 where that can't be read."""
    found = SIZE.fullmatch(text)
    return int(found[1]) * UNITS[found[2].upper()] if found else 0


def judge_config(config: Config, layer: DrbdLayer, version: int) -> Iterator[tuple[str, str, str]]:
    """(about what, what is wrong, what mends it). Defaults are DRBD's own: drbd.conf(5)."""
    name, options = layer.resource, config.options
    where = f"in /etc/drbd.d, on both nodes; then: drbdadm adjust {name}"
    if set(config.minors) != {layer.minor}:
        minors = ", ".join(f"/dev/drbd{one}" for one in config.minors) or "no device"
        yield "device", f"{name} is {minors}, and the definition says {layer.device}", "one of the two"
    if options.get("net/allow-two-primaries", "no") != "no":
        wrong = "allow-two-primaries: both nodes may write at once, and DRBD itself would not hinder it"
        yield "allow-two-primaries", wrong, f"take allow-two-primaries out {where}"
    for policy in ("after-sb-0pri", "after-sb-1pri", "after-sb-2pri"):
        if (value := options.get(f"net/{policy}", "disconnect")) != "disconnect":
            wrong = f"{policy} {value}: after a split brain DRBD throws one side's data away without asking anybody"
            yield policy, wrong, f"{policy} disconnect {where}"
    if (protocol := options.get("net/protocol", "C")) != "C":
        wrong = f"protocol {protocol}: what the owner has acknowledged need not be on the other node yet"
        yield "protocol", wrong, f"protocol C {where}"
    if "startup/become-primary-on" in options:
        wrong = "become-primary-on: a boot makes this copy the one that is written, past tanist"
        yield "become-primary-on", wrong, f"take become-primary-on out {where}"
    if version >= 9 and options.get("options/auto-promote", "yes") != "no":
        wrong = "auto-promote: whoever opens the device for writing makes this copy the one that is written"
        yield "auto-promote", wrong, f"options {{ auto-promote no; }} {where}"
    fencing = options.get("disk/fencing") or options.get("net/fencing") or "dont-care"
    if fencing != "dont-care" and "handlers/fence-peer" not in options:
        wrong = f"fencing {fencing} without a handler fence-peer: a Primary that loses the other node may stop writing"
        yield "fencing", wrong, f"fencing dont-care, or a handler fence-peer that works, {where}"


def read_start(host: Host, layer: DrbdLayer, config: Config) -> Iterator[tuple[str, str, str]]:
    """A copy that nothing brings up after a boot follows nobody until somebody notices. Seen: drbd.service waits alone
    for the other node, and the boot waits with it."""
    name = layer.resource
    waits, up = (_is_enabled(host, unit) for unit in ("drbd.service", f"drbd@{name}.target"))
    if waits and config.options.get("startup/wfc-timeout", "0") == "0":
        wrong = "drbd.service waits for the other node at a boot, without an end where that one is dead"
        yield "at boot", wrong, f"systemctl disable drbd.service; systemctl enable drbd@{name}.target"
    elif not waits and not up:
        wrong = f"nothing brings {name} up at a boot of this node: its copy would not follow the other one"
        yield "at boot", wrong, f"systemctl enable drbd@{name}.target"


def _is_enabled(host: Host, unit: str) -> bool:
    return host.run(["systemctl", "is-enabled", unit], ok=None, timeout=10.0).text.strip() == "enabled"
