"""A witness on the service network: who claims which address, seen from the switch.

Runs in the switch's namespace. Writes a JSON line per ARP frame and per IPv6 neighbour solicitation or advertisement.
Usage: python -m lab.observer FILE
"""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

BRIDGE = "svc"
ETH_ALL, ETH_ARP, ETH_IP6 = 0x0003, 0x0806, 0x86DD
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1


@dataclass(frozen=True, slots=True)
class Sighting:
    """One frame. `sender_ip` is what the sender says of itself ("" in a solicitation that probes); times in seconds."""

    monotonic: float
    wall: float
    kind: str  # request, reply, solicitation, advertisement
    mac: str
    sender_ip: str
    target_ip: str


@dataclass(frozen=True, slots=True)
class ObserverLog:
    path: Path

    def sightings(self) -> list[Sighting]:
        if not self.path.exists():
            return []
        return [Sighting(**json.loads(line)) for line in self.path.read_text().splitlines() if line.endswith("}")]

    def macs(self, ip: str) -> list[tuple[float, str]]:
        """Claims of the address in order: (monotonic time, MAC) of each frame whose sender says that it has it."""
        wanted = str(ipaddress.ip_address(ip))
        return [(s.monotonic, s.mac) for s in self.sightings() if s.sender_ip == wanted]


def parse_frame(frame: bytes) -> tuple[str, str, str, str] | None:
    """Ethernet frame -> (kind, MAC, sender address, target address), or None if it says nothing about neighbours."""
    if len(frame) < 42:
        return None
    (protocol,) = struct.unpack_from("!H", frame, 12)
    if protocol == ETH_ARP:
        return _parse_arp(frame)
    if protocol == ETH_IP6 and frame[20] == 58 and len(frame) >= 78:
        return _parse_neighbour(frame)
    return None


def _parse_arp(frame: bytes) -> tuple[str, str, str, str] | None:
    operation, mac, sender, _, target = struct.unpack_from("!H6s4s6s4s", frame, 20)
    if operation not in (1, 2):
        return None
    # a probe (RFC 5227) has no sender address: it asks and claims nothing
    sender_ip = "" if sender == bytes(4) else socket.inet_ntoa(sender)
    return ("request" if operation == 1 else "reply", mac.hex(":"), sender_ip, socket.inet_ntoa(target))


def _parse_neighbour(frame: bytes) -> tuple[str, str, str, str] | None:
    source, kind = frame[22:38], frame[54]
    target = str(ipaddress.IPv6Address(frame[62:78]))
    mac = frame[6:12].hex(":")
    if kind == NEIGHBOUR_ADVERTISEMENT:
        return "advertisement", mac, target, target
    if kind == NEIGHBOUR_SOLICITATION:
        sender = "" if source == bytes(16) else str(ipaddress.IPv6Address(source))
        return "solicitation", mac, sender, target
    return None


def frames(bridge: str) -> Iterator[bytes]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL)) as s:
        s.bind((bridge, ETH_ALL))
        # a bridge passes up what it forwards between others only when promiscuous
        membership = struct.pack("=iHH8s", socket.if_nametoindex(bridge), PACKET_MR_PROMISC, 0, b"")
        s.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        while True:
            yield s.recv(2048)


def main(path: str) -> None:
    with Path(path).open("a", buffering=1) as out:
        for frame in frames(BRIDGE):
            found = parse_frame(frame)
            if found is not None:
                kind, mac, sender, target = found
                sighting = Sighting(time.monotonic(), time.time(), kind, mac, sender, target)
                out.write(json.dumps(asdict(sighting)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
