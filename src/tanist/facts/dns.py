"""DNS messages (RFC 1035, RFC 3596), as far as one question has one answer: addresses of a name, names of an address.

What a server said is never trusted further than this: values for a person to compare, or Unread.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Literal

from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

Kind = Literal["A", "AAAA", "PTR"]
NUMBERS: dict[Kind, int] = {"A": 1, "PTR": 12, "AAAA": 28}
INTERNET = 1
HEADER = struct.Struct("!6H")
RECORD = struct.Struct("!HHIH")  # type, class, time to live, length
RECURSE, REPLY, TRUNCATED, CODE = 0x0100, 0x8000, 0x0200, 0x000F
NO_SUCH_NAME = 3
CODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}
POINTER, LONGEST_LABEL, LONGEST_NAME, MOST_LABELS = 0xC0, 63, 253, 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    name: str
    kind: Kind


def reverse_question(address: str) -> Question:
    """Of the names of an address (RFC 1035 section 3.5)."""
    return Question(name=ipaddress.ip_address(address).reverse_pointer, kind="PTR")


def render_question(question: Question, number: int) -> bytes:
    """ValueError for what can't be a name in DNS."""
    labels = question.name.rstrip(".").encode("ascii").split(b".")
    if len(question.name) > LONGEST_NAME or any(not 0 < len(label) <= LONGEST_LABEL for label in labels):
        raise ValueError(f"{question.name}: no name for DNS")
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return HEADER.pack(number, RECURSE, 1, 0, 0, 0) + name + struct.pack("!HH", NUMBERS[question.kind], INTERNET)


def number_of(message: bytes) -> int:
    """Which question it belongs to; -1 for what is no message."""
    return int(HEADER.unpack_from(message)[0]) if len(message) >= HEADER.size else -1


def parse_reply(message: bytes, kind: Kind) -> tuple[str, ...] | Unread:
    """Every record of that type among the answers; () for a name that is not there, or has none."""
    try:
        _, flags, questions, answers, _, _ = HEADER.unpack_from(message)
        code = flags & CODE
        if not flags & REPLY:
            return Unread("no DNS answer")
        if code not in (0, NO_SUCH_NAME):
            return Unread(f"the name server says {CODES.get(code, f'error {code}')}")
        if flags & TRUNCATED:
            return Unread("the answer is longer than a datagram")
        at = HEADER.size
        for _ in range(questions):
            at = _skip_name(message, at) + 4
        return tuple(sorted(set(_parse_records(message, at, answers, kind))))
    except (struct.error, IndexError, ValueError):
        return Unread("no DNS answer")


def _parse_records(message: bytes, at: int, count: int, kind: Kind) -> list[str]:
    found = []
    for _ in range(count):
        at = _skip_name(message, at)
        number, class_, _, length = RECORD.unpack_from(message, at)
        at += RECORD.size
        if (number, class_) == (NUMBERS[kind], INTERNET):
            found.append(_parse_name(message, at) if kind == "PTR" else _parse_address(message[at : at + length], kind))
        at += length
    return found


def _parse_address(data: bytes, kind: Kind) -> str:
    return str(ipaddress.IPv4Address(data) if kind == "A" else ipaddress.IPv6Address(data))


def _skip_name(message: bytes, at: int) -> int:
    while (length := message[at]) != 0:
        if length >= POINTER:
            return at + 2
        at += 1 + length
    return at + 1


def _parse_name(message: bytes, at: int) -> str:
    """Pointers (section 4.1.4) may go round in a circle: no name has more than 127 labels."""
    labels: list[str] = []
    for _ in range(MOST_LABELS):
        length = message[at]
        if length >= POINTER:
            at = (length & ~POINTER) << 8 | message[at + 1]
        elif length == 0:
            return ".".join(labels)
        else:
            labels.append(message[at + 1 : at + 1 + length].decode("ascii"))
            at += 1 + length
    raise ValueError("a name without an end")
