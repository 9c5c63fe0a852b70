"""What the lab is made of: names, paths and numbers. Nothing here touches the machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabRefused

CACHE = Path("/var/cache/tanist-lab")
STATE = Path("/var/lib/tanist-lab")
LOCKS = Path("/run/lock")
GUEST_FILES = Path(__file__).resolve().parent / "guest"
REPOSITORY = Path(__file__).resolve().parent.parent

SVC_NET, MGMT_NET = "10.88.0", "10.99.0"
SVC_NET6 = "fd88:"
NETWORKS = ("svc", "mgmt")
SAN, SAN_NET = "san", "10.66.0"  # virtual machines only: the way to the store, which isolate leaves alone unless named
MAC_OCTETS = {"svc": "88", "mgmt": "99", SAN: "66"}
DISK_COUNT = 2
DISK_BYTES = 1 << 30
# service names that every host knows: the data base and the controller
SERVICE_NAMES = ((f"{SVC_NET}.50", "db.lab.test", "db"), (f"{SVC_NET}.60", "ec.lab.test", "ec"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    name: str
    uid: int
    gid: int
    foreign: bool = False  # a person's account with files of its own, no part of the controller


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One host. `number` is the last octet of its addresses and of its MACs."""

    name: str
    number: int
    has_disks: bool
    accounts: tuple[Account, ...]
    uceadm_gid: int

    @property
    def svc_ip(self) -> str:
        return f"{SVC_NET}.{self.number}"

    @property
    def svc_ip6(self) -> str:
        return f"{SVC_NET6}:{self.number}"

    @property
    def mgmt_ip(self) -> str:
        return f"{MGMT_NET}.{self.number}"

    def mac(self, network: str) -> str:
        return f"02:{MAC_OCTETS[network]}:00:00:00:{self.number:02x}"


def _spec(name: str, number: int, ids: dict[str, tuple[int, int]], uceadm: int, foreign: str, disks: bool) -> NodeSpec:
    accounts = tuple(Account(name=n, uid=u, gid=g, foreign=n == foreign) for n, (u, g) in ids.items())
    return NodeSpec(name=name, number=number, has_disks=disks, accounts=accounts, uceadm_gid=uceadm)


# Numbers differ on purpose: swapped (ucectl, uceproxy), and colliding (ec-b's localadmin has ec-a's postgres).
EC_A = _spec(
    "ec-a",
    11,
    {"postgres": (113, 120), "ucectl": (951, 951), "uceproxy": (952, 952), "alice": (1001, 1001)},
    960,
    "alice",
    True,
)
EC_B = _spec(
    "ec-b",
    12,
    {"postgres": (118, 126), "ucectl": (952, 952), "uceproxy": (951, 951), "localadmin": (113, 120)},
    961,
    "localadmin",
    True,
)
CLIENT = _spec("client", 101, {"postgres": (115, 122), "bob": (1001, 1001)}, 962, "bob", False)
NODES: dict[str, NodeSpec] = {s.name: s for s in (EC_A, EC_B, CLIENT)}


@dataclass(frozen=True, slots=True)
class Layout:
    """Names and paths of one lab. All begin with `prefix` or lie below `directory`: `down` finds them by that."""

    lab: str

    def __post_init__(self) -> None:
        # no dash: otherwise the prefix of lab "a" would match the things of lab "a-b"
        if not re.fullmatch(r"[a-z][a-z0-9]{0,15}", self.lab):
            raise LabRefused(f"lab name {self.lab!r}: use 1 to 16 small letters and digits, a letter first")

    @property
    def prefix(self) -> str:
        return f"tl-{self.lab}-"

    @property
    def directory(self) -> Path:
        return STATE / self.lab

    @property
    def lock(self) -> Path:
        return LOCKS / f"tanist-lab-{self.lab}.lock"

    @property
    def switch(self) -> str:
        return f"{self.prefix}sw"

    @property
    def observer_log(self) -> Path:
        return self.directory / "observer.jsonl"

    def machine(self, node: str) -> str:
        """The name of the node outside: machine, netns and cgroup carry it."""
        return f"{self.prefix}{node}"

    def node_dir(self, node: str) -> Path:
        return self.directory / node

    def image(self, disk: int) -> Path:
        return self.directory / "disks" / f"asset{disk}.img"

    def port(self, node: str, network: str) -> str:
        """The switch's end of the cable (at most 15 characters)."""
        return f"{network}-{node}"


def node_spec(name: str) -> NodeSpec:
    if name not in NODES:
        raise LabRefused(f"no node {name!r}; there are {', '.join(NODES)}")
    return NODES[name]
