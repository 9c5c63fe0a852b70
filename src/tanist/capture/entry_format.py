"""A line of entries.jsonl: Entry to text and back.

parse_entry() takes what another machine wrote, possibly with intent: every value is checked, and whatever does not fit
is a ValueError that names the entry. Lines are many, so the quick way is taken where it is as strict.
"""

from __future__ import annotations

import base64
import json
import re
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from tanist.capture.acl import is_acl, parse_acl
from tanist.capture.manifest import Entry
from tanist.capture.values import (
    ID_LIMIT,
    SIZE_LIMIT,
    check,
    check_digest,
    check_name,
    check_path,
    encoded,
    number,
    take,
)
from tanist.host.attributes import KEPT_FLAGS, Attributes

KINDS = {"file", "directory", "link", "fifo", "socket", "hard link", "character device", "block device"}
DEVICES = ("character device", "block device")
TIME_LIMIT = 1 << 66  # ns: more than any file system's years
XATTR_LIMIT = 65536  # XATTR_SIZE_MAX (xattr(7))
SEGMENTS = 8192  # stretches of data in one sparse file; one with more is stored as it reads
LINE_LIMIT = 4 << 20  # bytes
MODE = re.compile(r"[0-7]{1,5}")
KNOWN = {
    *("path", "kind", "mode", "uid", "gid", "user", "group", "mtime_ns", "size", "sha256", "offset", "target"),
    *("linked", "data", "device", "xattrs", "flags"),
}


def render_entry(entry: Entry) -> str:
    """All but where the content lies and the closing brace: what is the same as long as the entry is."""
    its = entry.attributes
    line = (
        f'{{"path": {quote(entry.path)}, "kind": "{entry.kind}", '
        f"{_owner(its.mode, its.uid, its.gid, entry.user, entry.group)}"
        f'"mtime_ns": {its.mtime_ns}'
    )
    if entry.kind == "file":
        line += f', "size": {entry.size}, "sha256": "{entry.sha256}"'
        if entry.data is not None:
            line += f', "data": {json.dumps(entry.data)}'
    if entry.target:
        line += f', "target": {quote(entry.target)}'
    if entry.linked:
        line += ', "linked": true'
    if entry.kind in DEVICES:
        line += f', "device": {json.dumps(entry.device)}'
    if its.xattrs:
        line += f', "xattrs": {json.dumps({key: base64.b64encode(value).decode() for key, value in its.xattrs})}'
    if its.flags:
        line += f', "flags": {json.dumps(its.flags)}'
    return line


def render_line(entry: Entry, body: str) -> bytes:
    """`body`: what render_entry() made of it."""
    return (f'{body}, "offset": {entry.offset}}}\n' if entry.kind == "file" else body + "}\n").encode("ascii")


@lru_cache(1024)
def _owner(mode: int, uid: int, gid: int, user: str, group: str) -> str:
    return f'"mode": "{mode:04o}", "uid": {uid}, "gid": {gid}, "user": {quote(user)}, "group": {quote(group)}, '


def path_in(line: bytes) -> str:
    """The path of a line, without reading the rest of it."""
    end = line.find(b'", "kind": ')
    if not line.startswith(b'{"path": "') or end < 0:
        raise ValueError("a line that is no entry")
    text = line[10:end]
    if b"\\" in text or not text.isascii():
        return check("path", json.loads(b'"' + text + b'"'), str)
    return text.decode()


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a value")


DECODER = json.JSONDecoder(parse_constant=_no_constant)


def parse_line(line: bytes, layer: int = 0) -> Entry:
    try:
        data = DECODER.decode(line.decode("ascii"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return parse_entry(data, layer)


def parse_entry(data: object, layer: int = 0) -> Entry:
    body = check("an entry", data, dict)
    path = check_path(body.get("path"))
    try:
        return _parse(body, path, layer)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _parse(body: dict[str, Any], path: str, layer: int) -> Entry:
    if not body.keys() <= KNOWN:
        raise ValueError(f"unknown {', '.join(sorted(body.keys() - KNOWN))}")
    kind = take(body, "kind", str)
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}")
    user, group = check_name(take(body, "user", str)), check_name(take(body, "group", str))
    entry = Entry(path=path, kind=kind, attributes=_parse_attributes(body), user=user, group=group, layer=layer)  # type: ignore[arg-type]
    if kind == "file":
        entry.size = number(body, "size", 0, SIZE_LIMIT)
        entry.sha256 = check_digest(body)
        entry.offset = number(body, "offset", 0, SIZE_LIMIT)
        if "data" in body:
            entry.data = _parse_data(body["data"], entry.size)
    elif kind in ("link", "hard link"):
        entry.target = _parse_target(body, kind)
    elif kind in DEVICES:
        entry.device = _parse_device(body)
    if "linked" in body:
        if body["linked"] is not True or kind in ("directory", "hard link"):
            raise ValueError("it cannot be linked")
        entry.linked = True
    return entry


def _parse_data(value: object, size: int) -> tuple[tuple[int, int], ...]:
    found, end = [], 0
    stretches = check("data", value, list)
    if len(stretches) > SEGMENTS:
        raise ValueError("too many stretches of data")
    for one in stretches:
        pair = check("data", one, list)
        if len(pair) != 2 or not all(type(item) is int for item in pair):
            raise ValueError("a stretch of data is not one")
        begin, length = pair
        if begin < end or length <= 0 or begin + length > size:
            raise ValueError("its stretches of data do not fit")
        end = begin + length
        found.append((begin, length))
    return tuple(found)


def _parse_device(body: dict[str, Any]) -> tuple[int, int]:
    pair = take(body, "device", list)
    if len(pair) != 2 or not all(type(item) is int and 0 <= item < 1 << 20 for item in pair):
        raise ValueError("its device number is not one")
    return pair[0], pair[1]


def _parse_target(body: dict[str, Any], kind: str) -> str:
    if kind == "hard link":
        return check_path(body.get("target"))
    target = take(body, "target", str)
    if not target or "\0" in target or len(encoded(target)) > 4095:
        raise ValueError("its target cannot be one")
    return target


def _parse_attributes(body: dict[str, Any]) -> Attributes:
    return Attributes(
        mode=_parse_mode(take(body, "mode", str)),
        uid=number(body, "uid", 0, ID_LIMIT - 1),
        gid=number(body, "gid", 0, ID_LIMIT - 1),
        mtime_ns=number(body, "mtime_ns", -TIME_LIMIT, TIME_LIMIT),
        xattrs=_parse_xattrs(body["xattrs"]) if "xattrs" in body else (),
        flags=_parse_flags(body["flags"]) if "flags" in body else (),
    )


@lru_cache(1024)
def _parse_mode(text: str) -> int:
    if MODE.fullmatch(text) is None or int(text, 8) > 0o7777:
        raise ValueError(f"mode {text!r} is not one")
    return int(text, 8)


def _parse_flags(value: object) -> tuple[str, ...]:
    flags = tuple(sorted(check("a flag", flag, str) for flag in check("flags", value, list)))
    if set(flags) - set(KEPT_FLAGS) or len(set(flags)) != len(flags):
        raise ValueError(f"unknown flags {', '.join(flags)}")
    return flags


def _parse_xattrs(value: object) -> tuple[tuple[str, bytes], ...]:
    found = check("xattrs", value, dict)
    return tuple((key, _parse_xattr(key, found[key])) for key in sorted(found))


def _parse_xattr(name: str, value: object) -> bytes:
    if "\0" in name or "." not in name or len(encoded(name)) > 255:
        raise ValueError(f"{name!r} cannot be an extended attribute")
    data = base64.b64decode(check(name, value, str), validate=True)
    if len(data) > XATTR_LIMIT:
        raise ValueError(f"{name} is too long")
    if is_acl(name):
        parse_acl(data)
    return data
