"""manifest.json: Manifest to text and back.

parse_manifest() takes what another machine wrote, possibly with intent: everything is checked before anything is used,
and whatever does not fit is a ValueError that names the place. The text has one entry a line, for grep and diff.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from tanist.capture.acl import is_acl, parse_acl
from tanist.capture.manifest import Asked, Entry, Kind, Manifest, Part
from tanist.capture.manifest_rules import check_whole
from tanist.capture.names import FORMAT
from tanist.host.attributes import KEPT_FLAGS, Attributes

KINDS = ("file", "directory", "link", "fifo", "socket", "hard link")
TEMPORARY = ".tanist-restore-"  # how names begin that a restore uses while it works: never captured, never accepted
ID_LIMIT = 1 << 32  # uid_t
SIZE_LIMIT = 1 << 62
TIME_LIMIT = 1 << 66  # ns: more than any file system's years
XATTR_LIMIT = 65536  # XATTR_SIZE_MAX (xattr(7))
T = TypeVar("T")


def render_manifest(manifest: Manifest) -> bytes:
    head: dict[str, Any] = {"format": FORMAT}
    for name in ("controller", "node", "created", "epoch", "run", "version"):
        head[name] = getattr(manifest, name)
    head["asked"] = [_render_asked(item) for item in manifest.asked]
    head["users"], head["groups"] = dict(manifest.users), dict(manifest.groups)
    head["acl_users"] = {str(number): name for number, name in manifest.acl_users}
    head["acl_groups"] = {str(number): name for number, name in manifest.acl_groups}
    head["unsteady"] = list(manifest.unsteady)
    head["parts"] = {name: {"size": part.size, "sha256": part.sha256} for name, part in manifest.parts}
    head["facts"] = manifest.facts
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    lines += [f' "{name}": [{_render_lines(getattr(manifest, name))}]' for name in ("parents", "entries")]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def _render_lines(entries: Iterable[Entry]) -> str:
    lines = ",\n".join("  " + json.dumps(_render_entry(item)) for item in entries)
    return f"\n{lines}\n " if lines else ""


def _render_asked(asked: Asked) -> dict[str, str]:
    body = {"path": asked.path, "state": asked.state}
    return {**body, "missing_from": asked.missing_from} if asked.state == "absent" else body


def _render_entry(entry: Entry) -> dict[str, Any]:
    its = entry.attributes
    body: dict[str, Any] = {"path": entry.path, "kind": entry.kind, "mode": f"{its.mode:04o}"}
    body |= {"uid": its.uid, "gid": its.gid, "user": entry.user, "group": entry.group, "mtime_ns": its.mtime_ns}
    if entry.kind == "file":
        body |= {"size": entry.size, "sha256": entry.sha256, "offset": entry.offset}
    if entry.kind in ("link", "hard link"):
        body["target"] = entry.target
    if its.xattrs:
        body["xattrs"] = {key: base64.b64encode(value).decode() for key, value in its.xattrs}
    if its.flags:
        body["flags"] = list(its.flags)
    return body


def parse_manifest(text: bytes) -> Manifest:
    try:
        data = json.loads(text.decode("ascii"), parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    body = _check("the manifest", data, dict)
    if _take(body, "format", int) != FORMAT:
        raise ValueError(f"format {body['format']!r} is not known to this tanist (it knows {FORMAT})")
    asked = tuple(_parse_asked(item) for item in _take(body, "asked", list))
    manifest = Manifest(
        controller=_take(body, "controller", str),
        node=_take(body, "node", str),
        created=_take(body, "created", str),
        epoch=_number(body, "epoch", 0, SIZE_LIMIT),
        run=_take(body, "run", str),
        version=_take(body, "version", str),
        asked=asked,
        parents=tuple(_parse_entry(item) for item in _take(body, "parents", list)),
        entries=tuple(_parse_entry(item) for item in _take(body, "entries", list)),
        users=_parse_accounts(body, "users"),
        groups=_parse_accounts(body, "groups"),
        acl_users=_parse_ids(body, "acl_users"),
        acl_groups=_parse_ids(body, "acl_groups"),
        unsteady=tuple(check_path(item) for item in _take(body, "unsteady", list)),
        facts=body.get("facts"),
        parts=tuple((name, _parse_part(item)) for name, item in _take(body, "parts", dict).items()),
    )
    check_whole(manifest)
    return manifest


def check_path(path: object) -> str:
    """An absolute, normal path without "..", as the kernel can have it."""
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        raise ValueError(f"{path!r} is not an absolute path")
    for part in path.split("/")[1:]:
        if part in ("", ".", ".."):
            raise ValueError(f"{path!r} is not a normal path")
        if len(_encoded(part)) > 255:
            raise ValueError(f"{path!r} has a part of more than 255 bytes")
        if part.startswith(TEMPORARY):
            raise ValueError(f"{path!r} has a name that only a restore uses")
    return path


def _encoded(text: str) -> bytes:
    try:
        return os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} cannot be a file name") from error


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a value")


def _check(where: str, value: object, kind: type[T]) -> T:
    if type(value) is not kind:
        raise ValueError(f"{where}: expected {kind.__name__}, found {type(value).__name__}")
    return value


def _take(body: dict[str, Any], name: str, kind: type[T]) -> T:
    if name not in body:
        raise ValueError(f"{name!r} is missing")
    return _check(name, body[name], kind)


def _number(body: dict[str, Any], name: str, low: float, high: float) -> int:
    value = _take(body, name, int)
    if not low <= value < high:
        raise ValueError(f"{name} {value} is out of range")
    return value


def _parse_asked(data: object) -> Asked:
    body = _check("asked", data, dict)
    path, state = check_path(body.get("path")), body.get("state")
    if state == "present":
        return Asked(path=path, state="present")
    if state != "absent":
        raise ValueError(f"{path}: unknown state {state!r}")
    missing_from = check_path(body.get("missing_from"))
    if path != missing_from and not path.startswith(missing_from + "/"):
        raise ValueError(f"{path}: {missing_from} is not above it")
    return Asked(path=path, state="absent", missing_from=missing_from)


def _parse_accounts(body: dict[str, Any], name: str) -> tuple[tuple[str, int | None], ...]:
    found = _take(body, name, dict)
    return tuple(
        (_name(key), None if value is None else _number(found, key, 0, ID_LIMIT)) for key, value in found.items()
    )


def _parse_ids(body: dict[str, Any], name: str) -> tuple[tuple[int, str], ...]:
    found = _take(body, name, dict)
    if not all(key.isascii() and key.isdigit() and len(key) < 11 for key in found):
        raise ValueError(f"{name}: not a number")
    return tuple((int(key), _name(_check(name, value, str))) for key, value in found.items())


def _name(text: str) -> str:
    """A user or group name that can be asked for safely; empty: there was none."""
    if len(_encoded(text)) > 255 or text.startswith("-") or text.isdigit() or not text.isprintable():
        raise ValueError(f"{text!r} cannot be the name of an account")
    if set(text) & set(":/,"):
        raise ValueError(f"{text!r} cannot be the name of an account")
    return text


def _parse_part(data: object) -> Part:
    body = _check("parts", data, dict)
    return Part(size=_number(body, "size", 0, SIZE_LIMIT), sha256=_digest(body))


def _digest(body: dict[str, Any]) -> str:
    digest = _take(body, "sha256", str)
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ValueError("a checksum is not one")
    return digest


def _parse_entry(data: object) -> Entry:
    body = _check("an entry", data, dict)
    path = check_path(body.get("path"))
    try:
        kind = _take(body, "kind", str)
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}")
        is_file = kind == "file"
        return Entry(
            path=path,
            kind=cast(Kind, kind),
            attributes=_parse_attributes(body),
            user=_name(_take(body, "user", str)),
            group=_name(_take(body, "group", str)),
            size=_number(body, "size", 0, SIZE_LIMIT) if is_file else 0,
            sha256=_digest(body) if is_file else "",
            offset=_number(body, "offset", 0, SIZE_LIMIT) if is_file else 0,
            target=_parse_target(body, kind),
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _parse_target(body: dict[str, Any], kind: str) -> str:
    if kind == "hard link":
        return check_path(body.get("target"))
    if kind != "link":
        return ""
    target = _take(body, "target", str)
    if not target or "\0" in target or len(_encoded(target)) > 4095:
        raise ValueError("its target cannot be one")
    return target


def _parse_attributes(body: dict[str, Any]) -> Attributes:
    mode = _take(body, "mode", str)
    if not 0 < len(mode) <= 5 or set(mode) - set("01234567") or int(mode, 8) > 0o7777:
        raise ValueError(f"mode {mode!r} is not one")
    flags = tuple(sorted(_check("a flag", flag, str) for flag in _check("flags", body.get("flags", []), list)))
    if set(flags) - set(KEPT_FLAGS) or len(set(flags)) != len(flags):
        raise ValueError(f"unknown flags {', '.join(flags)}")
    found = _check("xattrs", body.get("xattrs", {}), dict)
    xattrs = tuple((key, _parse_xattr(key, found[key])) for key in sorted(found))
    return Attributes(
        mode=int(mode, 8),
        uid=_number(body, "uid", 0, ID_LIMIT - 1),
        gid=_number(body, "gid", 0, ID_LIMIT - 1),
        mtime_ns=_number(body, "mtime_ns", -TIME_LIMIT, TIME_LIMIT),
        xattrs=xattrs,
        flags=flags,
    )


def _parse_xattr(name: str, value: object) -> bytes:
    if "\0" in name or "." not in name or len(_encoded(name)) > 255:
        raise ValueError(f"{name!r} cannot be an extended attribute")
    data = base64.b64decode(_check(name, value, str), validate=True)
    if len(data) > XATTR_LIMIT:
        raise ValueError(f"{name} is too long")
    if is_acl(name):
        parse_acl(data)
    return data
