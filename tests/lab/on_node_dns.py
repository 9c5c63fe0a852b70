"""Runs in a node: a name server that knows a few names, for as long as it is let.

Argument: JSON of names (of addresses too, as "50.0.88.10.in-addr.arpa") to what they are. Each line of its output is
a name that somebody asked for.
"""

from __future__ import annotations

import json
import socket
import sys

TYPES = {"A": 1, "PTR": 12, "AAAA": 28}


def main(zone: dict[str, str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 53))
        while True:
            message, asker = server.recvfrom(512)
            name, end = read_name(message, 12)
            wanted = int.from_bytes(message[end : end + 2], "big")
            print(name, flush=True)
            server.sendto(reply(message, end + 4, wanted, zone.get(name.lower())), asker)


def reply(message: bytes, end: int, wanted: int, value: str | None) -> bytes:
    """One record of the wanted type, none of another, or "no such name"; what else was asked for (EDNS) is left out."""
    data = b""
    if value is not None and wanted == TYPES["PTR"]:
        data = b"".join(bytes((len(one),)) + one for one in value.encode().split(b".")) + b"\0"
    elif value is not None and wanted == TYPES["A"] and value[0].isdigit():
        data = socket.inet_aton(value)
    record = b"\xc0\x0c" + wanted.to_bytes(2, "big") + b"\0\x01\0\0\0\x3c" + len(data).to_bytes(2, "big") + data
    flags = b"\x81\x80" if value is not None else b"\x81\x83"
    return (
        message[:2]
        + flags
        + b"\0\x01"
        + (b"\0\x01" if data else b"\0\0")
        + bytes(4)
        + message[12:end]
        + (record if data else b"")
    )


def read_name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), at + 1


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
