"""Ethernet frames that ask and tell who has an address: ARP (RFC 826, RFC 5227) and IPv6 neighbour discovery (RFC 4861,
RFC 4862). Values to bytes and back; nothing is sent here. Addresses are packed: 4 or 16 bytes, MACs 6."""

from __future__ import annotations

import struct

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
BROADCAST = b"\xff" * 6
NO_MAC, NO_IPV4, NO_IPV6 = bytes(6), bytes(4), bytes(16)
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
ALL_NODES_MAC = bytes.fromhex("333300000001")
ICMPV6, SOLICITATION, ADVERTISEMENT = 58, 135, 136
ARP_REQUEST, ARP_REPLY = 1, 2
OVERRIDE = 0x20000000
ARP_LENGTH, ND_LENGTH = 42, 78  # bytes, the Ethernet header included


def build_probe(mac: bytes, address: bytes) -> bytes:
    """Who has it, asked without using it: sender address 0.0.0.0 (RFC 5227, 2.1.1) or :: (RFC 4862, 5.4.2)."""
    if len(address) == 4:
        return _arp(ARP_REQUEST, mac, NO_IPV4, NO_MAC, address)
    target = bytes.fromhex("ff0200000000000000000001ff") + address[-3:]
    message = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + address
    return _icmpv6(mac, multicast_mac(target), NO_IPV6, target, message)


def build_announcements(mac: bytes, address: bytes) -> tuple[bytes, ...]:
    """A gratuitous ARP request and reply (some neighbours heed only one of them), or an unsolicited advertisement."""
    if len(address) == 4:
        # a reply counts as gratuitous for Linux only when its target hardware address is the sender's
        return _arp(ARP_REQUEST, mac, address, NO_MAC, address), _arp(ARP_REPLY, mac, address, mac, address)
    message = struct.pack("!BBHI", ADVERTISEMENT, 0, 0, OVERRIDE) + address + b"\x02\x01" + mac
    return (_icmpv6(mac, ALL_NODES_MAC, address, ALL_NODES, message),)


def multicast_mac(group: bytes) -> bytes:
    return b"\x33\x33" + group[-4:]  # RFC 2464, 7


def solicited_node_mac(address: bytes) -> bytes:
    """Where others' probes for an IPv6 address are sent to."""
    return b"\x33\x33\xff" + address[-3:]


def parse_claims(frame: bytes) -> tuple[bytes, bytes, bool] | None:
    """(address, MAC, False) of the one who has an address by this frame, with True of one who is probing for it; None
    when it says neither."""
    (kind,) = struct.unpack_from("!H", frame, 12) if len(frame) >= 14 else (0,)
    if kind == ETH_P_ARP and len(frame) >= ARP_LENGTH:
        return _parse_arp(frame)
    if kind == ETH_P_IPV6 and len(frame) >= ND_LENGTH:
        return _parse_discovery(frame)
    return None


def _parse_arp(frame: bytes) -> tuple[bytes, bytes, bool] | None:
    if frame[14:20] != b"\x00\x01\x08\x00\x06\x04":
        return None
    sender_mac, sender, target = frame[22:28], frame[28:32], frame[38:42]
    asks = sender == NO_IPV4
    return (target if asks else sender), sender_mac, asks


def _parse_discovery(frame: bytes) -> tuple[bytes, bytes, bool] | None:
    next_header, hops, source = frame[20], frame[21], frame[22:38]
    kind, target = frame[54], frame[62:78]
    if next_header != ICMPV6 or hops != 255:  # 255: came over no router (RFC 4861, 7.1)
        return None
    if kind == ADVERTISEMENT:
        has_mac = len(frame) >= ND_LENGTH + 8 and frame[78:80] == b"\x02\x01"
        return target, frame[80:86] if has_mac else frame[6:12], False
    if kind == SOLICITATION:
        asks = source == NO_IPV6
        return (target if asks else source), frame[6:12], asks
    return None


def _arp(operation: int, mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> bytes:
    header = BROADCAST + mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, operation)
    return header + mac + sender + target_mac + target


def _icmpv6(mac: bytes, to_mac: bytes, source: bytes, target: bytes, message: bytes) -> bytes:
    pseudo = source + target + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + _checksum(pseudo + message) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 255) + source + target
    return to_mac + mac + struct.pack("!H", ETH_P_IPV6) + header + message


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))  # everything here has an even length
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
