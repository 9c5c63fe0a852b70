"""A packed list of names and values, as the labels of a pool hold it (XDR, RFC 4506; OpenZFS: module/nvpair). Pure."""

from __future__ import annotations

import struct

HEADER = b"\1\1\0\0"  # encoding XDR, made on a little-endian machine: XDR itself is big-endian
BOOLEAN, UINT64, STRING, UINT64_ARRAY, LIST, LIST_ARRAY = 1, 8, 9, 16, 19, 20  # data_type_t; others are left out
DEEPEST = 16  # lists in one another: a tree of devices has four
Value = bool | int | str | tuple[int, ...] | dict[str, "Value"] | tuple[dict[str, "Value"], ...]
Values = dict[str, Value]


def parse_packed(data: bytes) -> Values:
    """ValueError: no such list."""
    if data[:1] != HEADER[:1]:
        raise ValueError("not packed by XDR")
    try:
        return _parse_list(data, 4, 0)[0]
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def _parse_list(data: bytes, at: int, depth: int) -> tuple[Values, int]:
    if depth > DEEPEST:
        raise ValueError("too many lists in one another")
    found: Values = {}
    at += 8  # version, flags
    while True:
        size = struct.unpack_from(">i", data, at)[0]
        if size == 0:
            return found, at + 8
        if size < 20 or at + size > len(data):
            raise ValueError("a pair is cut off")
        name, place = _parse_string(data, at + 8)
        kind, count = struct.unpack_from(">iI", data, place)
        value = _parse_value(data, place + 8, kind, count, depth)
        if value is not None:
            found[name] = value
        at += size


def _parse_value(data: bytes, at: int, kind: int, count: int, depth: int) -> Value | None:
    if kind == BOOLEAN:
        return True
    if kind == UINT64:
        return int(struct.unpack_from(">Q", data, at)[0])
    if kind == STRING:
        return _parse_string(data, at)[0]
    if kind == UINT64_ARRAY:
        return tuple(struct.unpack_from(f">{count}Q", data, at))
    if kind == LIST:
        return _parse_list(data, at, depth + 1)[0]
    if kind == LIST_ARRAY:
        lists = []
        for _ in range(count):
            one, at = _parse_list(data, at, depth + 1)
            lists.append(one)
        return tuple(lists)
    return None


def _parse_string(data: bytes, at: int) -> tuple[str, int]:
    length = struct.unpack_from(">I", data, at)[0]
    text = data[at + 4 : at + 4 + length]
    if len(text) != length:
        raise ValueError("a text is cut off")
    return text.decode(), at + 4 + (length + 3 & ~3)
