"""Text of an address <-> its number, and whether it lies in a subnet. Pure; IPv4 needs no import.

`ipaddress` takes milliseconds to import, which every `tanist status` would pay: IPv6 alone asks for it.
"""

from __future__ import annotations

from typing import NamedTuple

_LOOPBACK4, _LINK_LOCAL4, _MULTICAST4 = (127 << 24, 8), (0xA9FE0000, 16), (0xE0000000, 3)
_LINK_LOCAL6, _MULTICAST6, _MAPPED6 = (0xFE80 << 112, 10), (0xFF << 120, 8), (0xFFFF << 32, 96)


class Ip(NamedTuple):  # half a millisecond quicker to define than a dataclass
    text: str  # canonical (RFC 5952), as the kernel prints it
    bits: int  # 32 or 128
    number: int

    def network(self, prefix: int) -> int:
        return self.number >> (self.bits - prefix)

    def inside(self, network: tuple[int, int]) -> bool:
        start, prefix = network
        return self.network(prefix) == start >> (self.bits - prefix)

    @property
    def oddity(self) -> str:
        """What makes it no address that one machine on a subnet can have; empty for an ordinary one."""
        v4 = self.bits == 32
        if self.number == 0:
            return "the unspecified address"
        if self.inside(_LOOPBACK4) if v4 else self.number == 1:
            return "a loopback address"
        if self.inside(_LINK_LOCAL4 if v4 else _LINK_LOCAL6):
            return "a link-local address"
        if self.inside(_MULTICAST4 if v4 else _MULTICAST6):
            return "a multicast or reserved address"
        if not v4 and self.inside(_MAPPED6):
            return "an IPv4 address in IPv6 clothes"
        return ""


def parse_ip(text: str) -> Ip | None:
    """None for anything that is no address. Leading zeros and zone names are refused, as inet_pton(3) does."""
    return _parse_v6(text) if ":" in text else _parse_v4(text)


def parse_cidr(text: str) -> tuple[Ip, int] | None:
    """Address and prefix length of `10.88.0.50/24`."""
    address, slash, length = text.partition("/")
    ip = parse_ip(address)
    if ip is None or not slash or not _is_decimal(length) or int(length) > ip.bits:
        return None
    return ip, int(length)


def share_subnet(one: str, other: str, prefix: int) -> bool:
    """Whether two addresses of one family lie in the same subnet of that prefix length; False for no address."""
    a, b = parse_ip(one), parse_ip(other)
    return a is not None and b is not None and a.bits == b.bits and a.network(prefix) == b.network(prefix)


def render_subnet(address: str, prefix: int) -> str:
    """`10.88.0.11`, 24 -> `10.88.0.0/24`."""
    ip = parse_ip(address)
    if ip is None:
        return f"{address}/{prefix}"
    base = ip.network(prefix) << (ip.bits - prefix)
    if ip.bits == 32:
        return ".".join(str(base >> shift & 255) for shift in (24, 16, 8, 0)) + f"/{prefix}"
    from ipaddress import IPv6Address

    return f"{IPv6Address(base)}/{prefix}"


def _parse_v4(text: str) -> Ip | None:
    parts = text.split(".")
    if len(parts) != 4 or not all(_is_decimal(part) and int(part) <= 255 for part in parts):
        return None
    number = int.from_bytes(bytes(map(int, parts)), "big")
    return Ip(text=text, bits=32, number=number)


def _parse_v6(text: str) -> Ip | None:
    from ipaddress import IPv6Address

    if "%" in text or "/" in text:
        return None
    try:
        address = IPv6Address(text)
    except ValueError:
        return None
    return Ip(text=str(address), bits=128, number=int(address))


def _is_decimal(text: str) -> bool:
    return 0 < len(text) <= 3 and text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
