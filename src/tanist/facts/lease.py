"""sanlock's places on the disk and its daemon's view of the other hosts: text and bytes -> values.

In: a host, and where the leases are. Out: values, or Unread with the words of the tool. Never joins, never writes, and
never asks the daemon for what could make it wait. A timestamp on the disk is its writer's own monotonic clock: it is
only ever compared with itself (sanlock's ondisk.h has the layout, sanlock(8) the states).
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Literal, cast, get_args

from tanist.facts.device import ask, crc32c, read_blocks
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

MIB = 1 << 20
RESOURCE_AT, RECORDS_AT, SIZE = MIB, 2 * MIB, 4 * MIB  # the lockspace, the resource, this tool's own records
HOST_MAGIC, RESOURCE_MAGIC = 0x12212010, 0x06152010
MAGIC_AT, BODY = struct.Struct("<I"), struct.Struct("<IIIIQQQQQ48s48sQ")
CHECKSUM_AT, SEED = 168, 0xFFFFFFFE  # of the first 168 bytes, begun with not 1
RESOURCE = "owner"
NO_LEASE = "there is no lease yet"
HostState = Literal["LIVE", "FAIL", "DEAD", "FREE", "UNKNOWN"]
_HOST = re.compile(r"^h (\d+) gen (\d+) timestamp (\d+) (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One lease as the disk has it. `timestamp` 0: nobody has it."""

    lockspace: str
    name: str  # of the host, or of the resource
    host_id: int
    generation: int
    timestamp: int

    @property
    def holder(self) -> str:
        """One life of one machine, or of its sanlock; "" where nobody has it."""
        return f"{self.host_id}:{self.generation}" if self.timestamp else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """What this node's daemon knows of a host. `seen`: this node's monotonic clock when it last saw it renew."""

    host_id: int
    generation: int
    timestamp: int
    state: HostState
    seen: int
    io_timeout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    watchdog: bool
    joined: tuple[str, ...]  # lockspaces, as sanlock writes them: NAME:HOST_ID:PATH:OFFSET
    held: tuple[str, ...]  # resources: LOCKSPACE:NAME:PATH:OFFSET
    renewed: tuple[tuple[str, int], ...]  # by lockspace: the monotonic second of the last renewal that worked

    def is_in(self, lockspace: str) -> bool:
        return any(one.startswith(f"{lockspace}:") for one in self.joined)


def lockspace_name(controller: str) -> str:
    return f"tanist-{controller}"


# -- the disk
def read_host_mark(host: Host, device: str, host_id: int) -> Mark | Unread:
    sector = read_sector_size(host, device)
    data = read_blocks(host, device, host_id - 1, 1, sector)
    return data if isinstance(data, Unread) else parse_mark(data, HOST_MAGIC)


def read_resource_mark(host: Host, device: str) -> Mark | Unread:
    sector = read_sector_size(host, device)
    data = read_blocks(host, device, RESOURCE_AT // sector, 1, sector)
    return data if isinstance(data, Unread) else parse_mark(data, RESOURCE_MAGIC)


def read_sector_size(host: Host, device: str) -> int:
    """sanlock's sectors are the disk's; a file has those of 512."""
    ran = ask(host, ["blockdev", "--getss", device])
    return 4096 if not isinstance(ran, Unread) and ran.status == 0 and ran.text.strip() == "4096" else 512


def parse_mark(sector: bytes, magic: int) -> Mark | Unread:
    """Whose bytes these are: blank, of something else, or a lease."""
    if len(sector) < 512:
        return Unread("cut short")
    (found,) = MAGIC_AT.unpack_from(sector)
    if not any(sector):
        return Unread(NO_LEASE)
    if found != magic:
        return Unread(f"this is no lease of sanlock (it begins with {found:#x})")
    _, _, _, _, _, _, host_id, generation, _, space, name, timestamp = BODY.unpack_from(sector)
    try:
        texts = [text.rstrip(b"\0").decode("ascii") for text in (space, name)]
    except UnicodeDecodeError:
        return Unread("the lease's names are garbage")
    (checksum,) = struct.unpack_from("<I", sector, CHECKSUM_AT)
    if checksum != crc32c(sector[:CHECKSUM_AT], SEED):
        return Unread("the lease has a wrong checksum")
    return Mark(lockspace=texts[0], name=texts[1], host_id=host_id, generation=generation, timestamp=timestamp)


# -- the daemon
def read_daemon(host: Host) -> Daemon | Unread:
    ran = ask(host, ["sanlock", "client", "status", "-D"])
    if isinstance(ran, Unread):
        return Unread(f"{ran.why} (apt-get install sanlock python3-sanlock)") if "not installed" in ran.why else ran
    if ran.status != 0 or not ran.text.startswith("daemon "):
        return Unread("sanlock does not run (systemctl start sanlock)")
    return parse_daemon(ran.text)


def parse_daemon(text: str) -> Daemon:
    joined, held, renewed, watchdog, space = list[str](), list[str](), list[tuple[str, int]](), False, ""
    for line in text.splitlines():
        words = line.split()
        if line.startswith("s ") and len(words) > 1:
            space = words[1]
            if "ADD" not in words[2:] and "REM" not in words[2:]:
                joined.append(space)
        elif line.startswith("r ") and len(words) > 1:
            held.append(words[1].rpartition(":")[0])
        elif line.strip() == "use_watchdog=1":
            watchdog = True
        elif space and line.strip().startswith("renewal_last_success="):
            renewed.append((space, int(line.partition("=")[2])))
    return Daemon(watchdog=watchdog, joined=tuple(joined), held=tuple(held), renewed=tuple(renewed))


def read_hosts(host: Host, lockspace: str) -> tuple[HostView, ...] | Unread:
    """Unread as well while the daemon has not watched the others for long enough."""
    states = ask(host, ["sanlock", "client", "gets", "-h", "1"])
    if isinstance(states, Unread):
        return states
    seen = ask(host, ["sanlock", "client", "host_status", "-s", lockspace, "-D"])
    if isinstance(seen, Unread):
        return seen
    return parse_hosts(states.text, seen.text, lockspace)


def parse_hosts(states: str, seen: str, lockspace: str) -> tuple[HostView, ...] | Unread:
    """`states`: of all lockspaces, `seen`: of this one. A host of which they do not say the same is left out."""
    part = next((one for one in re.split(r"^s ", states, flags=re.MULTILINE) if one.startswith(f"{lockspace}:")), "")
    if not part:
        return Unread("this node is not in the lockspace")
    if "hosts not ready" in part:
        return Unread("this node has just joined, and does not know the others yet")
    views, last = list[HostView](), _parse_seen(seen)
    for host_id, generation, timestamp, state in _HOST.findall(part):
        more = last.get(int(host_id), {})
        known = state in get_args(HostState) and more.keys() >= {"last_live", "io_timeout", "timestamp"}
        if not known or more["timestamp"] != int(timestamp):
            continue
        views.append(
            HostView(
                host_id=int(host_id),
                generation=int(generation),
                timestamp=int(timestamp),
                state=cast("HostState", state),
                seen=more["last_live"],
                io_timeout=more["io_timeout"],
            )
        )
    return tuple(views)


def _parse_seen(text: str) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    now: dict[str, int] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals and re.match(r"^\d+ timestamp \d+$", line):
            now = found.setdefault(int(line.split()[0]), {})
        elif value.isdigit():
            now[key] = int(value)
    return found
