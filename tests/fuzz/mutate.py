"""Other inputs from an input: JSON stays JSON, and its values become those that are dangerous."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

INTERESTING: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 511, 512, 513, 4096, 2**31, 2**32 - 1, 2**32, 2**62, 2**63, 2**64, 10**30, 0.5),
    *(
        "",
        "/",
        "/etc",
        "/etc/pg",
        "/etc/pg/",
        "/etc/pg/..",
        "/etc/passwd",
        "../x",
        "etc/pg",
        "/etc/pg/link/x",
        "\0",
        "\ud800",
    ),
    *(
        "/outside/kept",
        "/etc/pg/x",
        "/etc/pg/conf.d/x",
        "/etc/pg/.tanist-restore-x",
        "/etc/pg/" + "n" * 255,
        "x" * 5000,
    ),
    *(
        "file",
        "directory",
        "link",
        "hard link",
        "fifo",
        "socket",
        "character device",
        "block device",
        "present",
        "absent",
    ),
    *("0644", "4755", "7777", "17777", "0", "postgres", "root", "nobody", "-x", "0", "a:b", "immutable", "append"),
    *(
        "0" * 64,
        "AAAA",
        "%",
        [],
        {},
        [[]],
        [0, 1],
        [[0, 512]],
        [[0, 1], [1, 1]],
        [[0, 2**62]],
        {"x": "y"},
        {"user.a": "AA=="},
    ),
    *({"system.posix_acl_access": "AgAAAAEABgD/////"}, {"security.capability": "AQAAAgAEAAAAAAAAAAAAAAAAAAA="}),
)


def mutate(data: bytes, rng: random.Random, limit: int = 1 << 20) -> bytes:
    """Of the same kind: the first byte stays."""
    if len(data) < 2:
        return data
    body = data[1:]
    lines = body.split(b"\n")
    if body[:1] == b"{" and (whole := parse(body)) is not None:
        body = render(change(whole, rng)) + b"\n"
    elif body[:1] == b"{" and len(lines) > 1:
        for _ in range(rng.randint(1, 3)):
            change_line(lines, rng)
        body = b"\n".join(lines)
    elif body[-1:] == b"\0" and b"\0\0" not in body and rng.random() < 0.8:
        body = change_names(body, rng)
    else:
        body = change_bytes(body, rng)
    return data[:1] + body[:limit]


def parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def render(value: Any) -> bytes:
    return json.dumps(value).encode()


def change_line(lines: list[bytes], rng: random.Random) -> None:
    number = rng.randrange(len(lines))
    value = parse(lines[number])
    match rng.randrange(6):
        case 0:
            lines.insert(rng.randrange(len(lines)), lines[number])
        case 1 if len(lines) > 1:
            del lines[number]
        case 2:
            other = rng.randrange(len(lines))
            lines[number], lines[other] = lines[other], lines[number]
        case _ if value is not None:
            lines[number] = render(change(value, rng))


def change(value: Any, rng: random.Random) -> Any:
    """Mostly one place of it, and mostly another value of the same kind: so it gets further than the first check."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = list(places(value))
        if not found:
            return rng.choice(INTERESTING)
        holder, key = rng.choice(found)
        match rng.randrange(9):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
            case 1:
                holder[str(rng.choice(INTERESTING))] = holder[key]
            case 2:
                other, there = rng.choice(found)
                holder[key] = copy.deepcopy(other[there])
            case 3:
                holder[key] = copy.deepcopy(rng.choice(INTERESTING))
            case _:
                holder[key] = similar(holder[key], rng)
    return value


def similar(value: Any, rng: random.Random) -> Any:
    same = [one for one in INTERESTING if type(one) is type(value)]
    if type(value) is int and rng.random() < 0.5:
        return value + rng.choice((-512, -1, 1, 512, 1024))
    if type(value) is str and value.startswith("/") and rng.random() < 0.5:
        return value + rng.choice(("/x", "x", "/..", "/"))
    return copy.deepcopy(rng.choice(same or INTERESTING))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from places(value[key])


def change_names(body: bytes, rng: random.Random) -> bytes:
    """A list of names, each ended by a zero byte, gets one more."""
    names = body.split(b"\0")
    new = str(rng.choice([one for one in INTERESTING if type(one) is str])).lstrip("/" * rng.randrange(2))
    names.insert(rng.randrange(len(names)), new.encode("utf-8", "replace").replace(b"\0", b"?"))
    return b"\0".join(names)


def change_bytes(data: bytes, rng: random.Random) -> bytes:
    at, body = rng.randrange(len(data) + 1), bytearray(data)
    match rng.randrange(5):
        case 0:
            return bytes(body[:at])
        case 1:
            body[at:at] = rng.randbytes(rng.randint(1, 8))
        case 2:
            del body[at : at + rng.randint(1, 64)]
        case 3:
            body[at:at] = body[: rng.randrange(len(data) + 1)]
        case _:
            if at < len(body):
                body[at] ^= 1 << rng.randrange(8)
    return bytes(body)
