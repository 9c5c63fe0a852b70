"""One slot of a claim file or a lease record as a JSON object, its checksum verified (claimfile.py has the format).

Apart from claimfile.py because `tanist status` reads a claim and must start in a few milliseconds: no dataclasses here.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    import hashlib
    from typing import Any

FORMAT = 1
SLOT = 4096
SIZE = 2 * SLOT
PLACE = ".tanist/claim"  # below the tree, and below the root of the file system


def fill_slot(what: str, value: object, seq: int) -> bytes:
    """`value` must be JSON. ValueError when a slot has no room for it."""
    body: dict[str, Any] = {"format": FORMAT, "seq": seq, what: value}
    line = json.dumps({**body, "sum": checksum(body)}, sort_keys=True).encode()
    if len(line) >= SLOT:
        raise ValueError(f"the {what} takes {len(line)} bytes, a slot holds {SLOT - 1}")
    return line.ljust(SLOT - 1) + b"\n"


def parse_slot(slot: bytes) -> dict[str, Any] | str:
    """{"format", "seq", "claim", "sum"}, or what is wrong with it."""
    if len(slot) != SLOT or slot[-1:] != b"\n":
        return "cut short"
    try:
        body = json.loads(slot)
    except (ValueError, RecursionError) as error:
        return f"not a claim ({type(error).__name__})"
    if not isinstance(body, dict) or body.get("sum") != checksum(body):
        return "wrong checksum"
    if body.get("format") != FORMAT:
        return f"format {body.get('format')!r}, this tanist knows {FORMAT}"
    if type(body.get("seq")) is not int or body["seq"] < 1:
        return f"number {body.get('seq')!r}"
    return body


def next_slot(data: bytes) -> tuple[int, int]:
    """Where to write, and with which number: never over the slot that counts."""
    slots = [parse_slot(data[at : at + SLOT]) for at in (0, SLOT)]
    first, second = (-1 if isinstance(slot, str) else int(slot["seq"]) for slot in slots)
    return (0 if first <= second else SLOT), max(first, second, 0) + 1


def newest_slot(data: bytes) -> dict[str, Any] | str:
    """The slot that counts, or why neither can be read."""
    if len(data) != SIZE:
        return f"the claim file has {len(data)} bytes instead of {SIZE}"
    slots = [parse_slot(data[at : at + SLOT]) for at in (0, SLOT)]
    valid = [slot for slot in slots if not isinstance(slot, str)]
    if valid:
        return max(valid, key=lambda slot: int(slot["seq"]))
    return f"both slots of the claim are unreadable: {slots[0]}; {slots[1]}"


def checksum(body: dict[str, Any]) -> str:
    rest = {name: value for name, value in body.items() if name != "sum"}
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())


def sha256(data: bytes) -> str:
    return str(new_sha256(data).hexdigest())


def new_sha256(data: bytes = b"") -> hashlib._Hash:
    """hashlib loads OpenSSL, which takes longer than the rest of a status; CPython 3.11 has its own beside it."""
    try:
        from _sha256 import sha256 as digest  # type: ignore[import-not-found]
    except ImportError:  # pragma: no cover - another Python
        from hashlib import sha256 as digest
    found: hashlib._Hash = digest(data)
    return found
