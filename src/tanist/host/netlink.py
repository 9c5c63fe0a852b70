"""Interfaces and addresses through rtnetlink(7): no process, no library, the kernel's own words in errors.

Measured: 0.08 ms for adding and removing an IPv4 address (`ip`: 2.9 ms), 0.05 ms for a list.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

from tanist.model.host import Address, Interface

RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 16, 18, 20, 21, 22
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x300, 0x200, 0x400
NLM_F_DUMP_INTR, NLM_F_ACK_TLVS = 0x10, 0x200
NLMSG_ERROR, NLMSG_DONE = 2, 3
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 270, 10, 11, 12
NLMSGERR_ATTR_MSG = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_CARRIER = 1, 3, 33
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_NODAD, IFA_F_DADFAILED = 0x02, 0x08
IFF_UP, IFF_RUNNING = 1, 0x40
TIMEOUT = 5.0  # seconds; the kernel answers at once, or something is very wrong

Message = tuple[int, int, bytes]  # type, flags, payload


class _Socket:
    def __enter__(self) -> _Socket:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
            self.socket.setsockopt(SOL_NETLINK, option, 1)
        self.socket.settimeout(TIMEOUT)
        self.socket.bind((0, 0))
        self.sequence = 0
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def change(self, kind: int, flags: int, body: bytes) -> None:
        for _ in self._ask(kind, flags | NLM_F_ACK, body):
            pass

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """All of it; again from the start when the kernel says that it changed meanwhile."""
        for _ in range(5):
            messages = list(self._ask(kind, NLM_F_DUMP, body))
            if not any(flags & NLM_F_DUMP_INTR for _, flags, _ in messages):
                return [payload for _, _, payload in messages]
        raise OSError(errno.EAGAIN, "the list of interfaces and addresses changes all the time")

    def _ask(self, kind: int, flags: int, body: bytes) -> Iterator[Message]:
        self.sequence += 1
        header = struct.pack("=IHHII", 16 + len(body), kind, flags | NLM_F_REQUEST, self.sequence, 0)
        self.socket.send(header + body)
        while True:
            for sequence, message in _messages(self.socket.recv(1 << 20)):
                if sequence != self.sequence:
                    continue
                if message[0] == NLMSG_DONE:
                    return
                if message[0] == NLMSG_ERROR:
                    _raise_error(message)
                    return
                yield message


def _messages(data: bytes) -> Iterator[tuple[int, Message]]:
    while len(data) >= 16:
        length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data)
        yield sequence, (kind, flags, data[16:length])
        data = data[(length + 3) & ~3 :]


def _raise_error(message: Message) -> None:
    _, flags, payload = message
    (code,) = struct.unpack_from("=i", payload)
    if code == 0:
        return
    says = _attributes(payload[20:]).get(NLMSGERR_ATTR_MSG, b"") if flags & NLM_F_ACK_TLVS else b""
    raise OSError(-code, says.rstrip(b"\0").decode("utf-8", "replace") or os.strerror(-code))


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def read_interfaces() -> tuple[Interface, ...]:
    """Every interface with its IPv4 addresses and its IPv6 addresses of global scope. An IPv6 address that failed
    duplicate address detection is left out: the kernel does not use it."""
    with _Socket() as netlink:
        links = netlink.dump(RTM_GETLINK, bytes(16))
        addresses = netlink.dump(RTM_GETADDR, bytes(8))
    names = {}
    for link in links:
        (index,) = struct.unpack_from("=i", link, 4)
        names[index] = _attributes(link[16:])[IFLA_IFNAME].rstrip(b"\0").decode()
    found: dict[int, list[Address]] = {}
    for payload in addresses:
        index, address = _parse_address(payload, names)
        if address is not None:
            found.setdefault(index, []).append(address)
    return tuple(_parse_link(link, found) for link in links)


def _parse_link(link: bytes, addresses: dict[int, list[Address]]) -> Interface:
    index, flags = struct.unpack_from("=iI", link, 4)
    attributes = _attributes(link[16:])
    return Interface(
        name=attributes[IFLA_IFNAME].rstrip(b"\0").decode(),
        mac=attributes.get(IFLA_ADDRESS, b"").hex(":"),
        up=bool(flags & IFF_UP),
        # right after the line comes up it has carrier, but what is sent is still dropped: not until it runs
        carrier=attributes.get(IFLA_CARRIER, b"\0") != b"\0" and bool(flags & IFF_RUNNING),
        addresses=tuple(addresses.get(index, ())),
    )


def _parse_address(payload: bytes, names: dict[int, str]) -> tuple[int, Address | None]:
    family, prefix, flags, scope, index = struct.unpack_from("=BBBBI", payload)
    attributes = _attributes(payload[8:])
    if IFA_FLAGS in attributes:
        (flags,) = struct.unpack("=I", attributes[IFA_FLAGS])
    raw = attributes.get(IFA_LOCAL, attributes.get(IFA_ADDRESS))  # a peer address has both
    unusable = family == socket.AF_INET6 and (scope != 0 or flags & IFA_F_DADFAILED)
    if raw is None or index not in names or family not in (socket.AF_INET, socket.AF_INET6) or unusable:
        return index, None
    return index, Address(interface=names[index], address=socket.inet_ntop(family, raw), prefix=prefix)


def add_address(address: Address) -> None:
    """Already there: no error. IPv6 without duplicate address detection; one that had failed it is added anew."""
    try:
        _change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address)
    except FileExistsError:
        if ":" not in address.address or _is_there(address):
            return
        remove_address(address)
        _change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address)


def remove_address(address: Address) -> None:
    """Not there, or no such interface: no error."""
    try:
        _change_address(RTM_DELADDR, 0, address)
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
            raise


def _is_there(address: Address) -> bool:
    return any(address in interface.addresses for interface in read_interfaces())


def _change_address(kind: int, flags: int, address: Address) -> None:
    family = socket.AF_INET6 if ":" in address.address else socket.AF_INET
    what = f"{address.address}/{address.prefix} on {address.interface}"
    try:
        raw = socket.inet_pton(family, address.address)
    except OSError:
        raise OSError(errno.EINVAL, f"not an address: {address.address}") from None
    try:
        index = socket.if_nametoindex(address.interface)
    except OSError:
        raise OSError(errno.ENODEV, f"{what}: no such interface") from None
    body = struct.pack("=BBBBI", family, address.prefix, 0, 0, index)
    body += _attribute(IFA_LOCAL, raw) + _attribute(IFA_ADDRESS, raw)
    if family == socket.AF_INET6:
        body += _attribute(IFA_FLAGS, struct.pack("=I", IFA_F_NODAD))
    try:
        with _Socket() as netlink:
            netlink.change(kind, flags, body)
    except OSError as error:
        raise OSError(error.errno, f"{what}: {error.strerror}") from None
