"""Asking and telling the wire who has an address, through packet(7) sockets.

Silence proves nothing (a switch port may still be learning, a host may be set not to answer); an answer proves that
a kernel has the address. Another's probe for it is heard as well, and told apart: of two that probe at once at least
one sees the other. An interface on which nothing could be heard is an error, never silence.
Measured: an address in use is found in 0.1 ms. Closing a bound packet socket takes the kernel 12 to 16 ms: a thread
does it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence

from tanist.host import frames
from tanist.host.netlink import read_interfaces
from tanist.model.dataclasses import dataclass
from tanist.model.host import Address, Answer, Interface

PROBES = 3
SHARES = 4  # probes at 0, 1/4 and 2/4 of the window: the last one has half of it to be answered
FRESH = 5.0  # seconds that a head start may last: whoever comes later asks anew
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_MULTICAST = 263, 1, 0
PACKET_OUTGOING = 4
SO_ATTACH_FILTER = 26
# ldb [20]; jeq 58; ldb [54]; jeq 135; jeq 136; accept; drop: neighbour discovery only, whatever else the line carries
DISCOVERY_ONLY = (
    (0x30, 0, 0, 20),
    (0x15, 0, 4, frames.ICMPV6),
    (0x30, 0, 0, 54),
    (0x15, 1, 0, frames.SOLICITATION),
    (0x15, 0, 1, frames.ADVERTISEMENT),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ear:
    """One socket: what is asked over an interface in one address family."""

    socket: socket.socket
    interface: str
    mac: bytes
    addresses: dict[bytes, str]

    def ask(self) -> None:
        for packed in self.addresses:
            self.socket.send(frames.build_probe(self.mac, packed))

    def hear(self) -> Iterable[Answer]:
        """What has arrived. Frames of this machine do not count."""
        while True:
            try:
                frame, sender = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            claimed = frames.parse_claims(frame)
            if claimed is None or sender[2] == PACKET_OUTGOING or self.mac in (frame[6:12], claimed[1]):
                continue
            if claimed[0] in self.addresses:
                yield Answer(address=self.addresses[claimed[0]], mac=claimed[1].hex(":"), asks=claimed[2])


def probe_addresses(addresses: Sequence[Address], seconds: float) -> tuple[Answer, ...]:
    """Who answers, or asks for the same: each (address, MAC) once. Returns early once every address has an answer."""
    ears = _open_ears(addresses)
    try:
        found = _listen(ears, {address.address for address in addresses}, seconds)
    finally:
        threading.Thread(target=_close, args=(ears,), daemon=True).start()
    _check_silence(addresses, found)
    return found


class HeadStart:
    """A probe that was begun before its answer is wanted: it goes on asking and listening until then.

    OSError at once when the wire can't be asked."""

    def __init__(self, addresses: Sequence[Address], seconds: float) -> None:
        self._addresses, self._seconds = tuple(addresses), seconds
        self._found: tuple[Answer, ...] | None = None  # None: the wire could not be asked all the time
        ears = _open_ears(addresses)
        self._wanted = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._heard = threading.Event()  # before the ears are closed, which takes a while
        self._began = time.monotonic()
        threading.Thread(target=self._ask, args=(ears,), daemon=True).start()

    def _ask(self, ears: list[_Ear]) -> None:
        wanted = {address.address for address in self._addresses}
        try:
            self._found = _listen(ears, wanted, self._seconds, self._wanted)
        except OSError:
            pass  # whoever asks anew is told
        finally:
            self._heard.set()
            _close(ears)

    def was_silent(self, seconds: float) -> bool:
        """True when a probe of that length, which ends now, has heard nothing. Else one has to ask anew: what was heard
        may have been another's question, and an address in use answers again."""
        os.eventfd_write(self._wanted, 1)
        self._heard.wait()
        os.close(self._wanted)
        if seconds > self._seconds or time.monotonic() > self._began + FRESH:
            return False
        if self._found is None or self._found:
            return False
        _check_silence(self._addresses, ())
        return True


def _open_ears(addresses: Sequence[Address]) -> list[_Ear]:
    ears: list[_Ear] = []
    try:
        for interface, mac in usable_macs(addresses, read_interfaces()).items():
            own = [item.address for item in addresses if item.interface == interface]
            for family in (socket.AF_INET, socket.AF_INET6):
                packed = {socket.inet_pton(family, item): item for item in own if _family(item) == family}
                if packed:
                    ears.append(_open_ear(interface, mac, packed))
    except OSError:
        _close(ears)
        raise
    return ears


def _check_silence(addresses: Sequence[Address], found: Iterable[Answer]) -> None:
    """The line may have dropped meanwhile: then silence says nothing."""
    if {address.address for address in addresses} - {answer.address for answer in found}:
        usable_macs(addresses, read_interfaces())


def announce_addresses(addresses: Sequence[Address]) -> None:
    macs = usable_macs(addresses, read_interfaces())
    voice = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        for address in addresses:
            packed = socket.inet_pton(_family(address.address), address.address)
            kind = frames.ETH_P_ARP if len(packed) == 4 else frames.ETH_P_IPV6
            for frame in frames.build_announcements(macs[address.interface], packed):
                voice.sendto(frame, (address.interface, kind))
    finally:
        threading.Thread(target=voice.close, daemon=True).start()


def usable_macs(addresses: Sequence[Address], there: Iterable[Interface]) -> dict[str, bytes]:
    """MAC by interface, of those that are `there`. OSError for one on which the wire cannot be asked."""
    interfaces = {item.name: item for item in there}
    found = {}
    for name in dict.fromkeys(item.interface for item in addresses):
        interface = interfaces.get(name)
        if interface is None:
            raise OSError(errno.ENODEV, f"{name}: no such interface")
        if not interface.up:
            raise OSError(errno.ENETDOWN, f"{name} is down: the wire cannot be asked")
        if not interface.carrier:
            raise OSError(errno.ENETDOWN, f"{name} has no carrier: the wire cannot be asked")
        mac = bytes.fromhex(interface.mac.replace(":", ""))
        if len(mac) != 6 or mac == frames.NO_MAC:
            raise OSError(errno.EOPNOTSUPP, f"{name} is not Ethernet: the wire cannot be asked")
        found[name] = mac
    return found


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _open_ear(interface: str, mac: bytes, addresses: dict[bytes, str]) -> _Ear:
    # protocol 0 and a later bind: 0.1 ms instead of 8, and nothing is heard before the filter is in place
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    try:
        if len(next(iter(addresses))) == 4:
            sock.bind((interface, frames.ETH_P_ARP))
        else:
            _attach_filter(sock)
            sock.bind((interface, frames.ETH_P_IPV6))
            index = socket.if_nametoindex(interface)
            for packed in addresses:
                group = frames.solicited_node_mac(packed) + b"\0\0"
                request = struct.pack("=iHH8s", index, PACKET_MR_MULTICAST, 6, group)
                sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{interface}: {error.strerror}") from None
    return _Ear(socket=sock, interface=interface, mac=mac, addresses=addresses)


def _attach_filter(sock: socket.socket) -> None:
    code = b"".join(struct.pack("=HBBI", *line) for line in DISCOVERY_ONLY)
    program = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(DISCOVERY_ONLY), ctypes.addressof(program))
    )


def _listen(ears: Sequence[_Ear], wanted: set[str], seconds: float, until: int | None = None) -> tuple[Answer, ...]:
    """`until`: an eventfd. The window is at least `seconds` long then, asks all along, and ends when it is written."""
    start = time.monotonic()
    asked, end = 0, start + (seconds if until is None else FRESH)
    found: dict[Answer, None] = {}
    with selectors.DefaultSelector() as selector:
        for ear in ears:
            selector.register(ear.socket, selectors.EVENT_READ, ear)
        if until is not None:
            selector.register(until, selectors.EVENT_READ)
        while wanted - {answer.address for answer in found if not answer.asks}:
            now = time.monotonic()
            due = start + seconds * asked / SHARES if asked < PROBES or until is not None else end
            if now >= end:
                break
            if now >= due:
                asked += 1
                _ask_all(ears)
                continue
            for key, _ in selector.select(min(due, end) - now):
                if key.data is None:
                    selector.unregister(key.fileobj)
                    until, end = None, max(start + seconds, now)
                else:
                    found.update(dict.fromkeys(key.data.hear()))
    return tuple(one for one in found if not (one.asks and Answer(address=one.address, mac=one.mac) in found))


def _ask_all(ears: Sequence[_Ear]) -> None:
    for ear in ears:
        try:
            ear.ask()
        except OSError as error:
            raise OSError(error.errno, f"{ear.interface}: {error.strerror}: the wire cannot be asked") from None


def _close(ears: Sequence[_Ear]) -> None:
    for ear in ears:
        with contextlib.suppress(OSError):
            ear.socket.close()
