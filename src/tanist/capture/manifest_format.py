"""manifest.json: Manifest to text and back, without its entries, which have files of their own (entry_format.py).

parse_manifest() takes what another machine wrote, possibly with intent: everything is checked before anything is used,
and whatever does not fit is a ValueError that names the place.
"""

from __future__ import annotations

import json
from typing import Any

from tanist.capture.entry_format import parse_line, render_entry
from tanist.capture.manifest import Asked, Manifest, Numbers, Part
from tanist.capture.manifest_rules import check_whole
from tanist.capture.names import FORMAT, READABLE
from tanist.capture.values import ID_LIMIT, SIZE_LIMIT, check, check_digest, check_name, check_path, number, take

NUMBERS = ("owners", "owner_groups", "acl_users", "acl_groups")


def render_manifest(manifest: Manifest) -> bytes:
    head: dict[str, Any] = {"format": FORMAT}
    for name in ("controller", "node", "created", "epoch", "run", "version"):
        head[name] = getattr(manifest, name)
    head["asked"] = [_render_asked(item) for item in manifest.asked]
    head["users"], head["groups"] = dict(manifest.users), dict(manifest.groups)
    for name in NUMBERS:
        head[name] = {str(one): text for one, text in getattr(manifest, name)}
    head["unsteady"] = list(manifest.unsteady)
    head["count"] = manifest.count
    head["parts"] = {name: {"size": part.size, "sha256": part.sha256} for name, part in manifest.parts}
    head["facts"] = manifest.facts
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    parents = ",\n".join(f"  {render_entry(item)}}}" for item in manifest.parents)
    lines.append(f' "parents": [\n{parents}\n ]' if parents else ' "parents": []')
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def _render_asked(asked: Asked) -> dict[str, object]:
    body: dict[str, object] = {"path": asked.path, "state": asked.state}
    if asked.state == "absent":
        return {**body, "missing_from": asked.missing_from}
    return {**body, "directory": asked.directory, "count": asked.count}


def parse_manifest(text: bytes) -> Manifest:
    try:
        data = json.loads(text.decode("ascii"), parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    body = check("the manifest", data, dict)
    if take(body, "format", int) not in READABLE:
        raise ValueError(f"format {body['format']!r} is not known to this tanist (it knows {FORMAT})")
    owners, owner_groups, acl_users, acl_groups = (_parse_ids(body, name) for name in NUMBERS)
    manifest = Manifest(
        controller=take(body, "controller", str),
        node=take(body, "node", str),
        created=take(body, "created", str),
        epoch=number(body, "epoch", 0, SIZE_LIMIT),
        run=take(body, "run", str),
        version=take(body, "version", str),
        asked=tuple(_parse_asked(item) for item in take(body, "asked", list)),
        parents=tuple(parse_line(json.dumps(item).encode()) for item in take(body, "parents", list)),
        users=_parse_accounts(body, "users"),
        groups=_parse_accounts(body, "groups"),
        owners=owners,
        owner_groups=owner_groups,
        acl_users=acl_users,
        acl_groups=acl_groups,
        unsteady=tuple(check_path(item) for item in take(body, "unsteady", list)),
        facts=body.get("facts"),
        count=number(body, "count", 0, SIZE_LIMIT),
        parts=tuple((name, _parse_part(item)) for name, item in take(body, "parts", dict).items()),
    )
    check_whole(manifest)
    return manifest


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a value")


def _parse_asked(data: object) -> Asked:
    body = check("asked", data, dict)
    path, state = check_path(body.get("path")), body.get("state")
    if state == "present":
        directory, count = take(body, "directory", bool), number(body, "count", 1, SIZE_LIMIT)
        return Asked(path=path, state="present", directory=directory, count=count)
    if state != "absent":
        raise ValueError(f"{path}: unknown state {state!r}")
    missing_from = check_path(body.get("missing_from"))
    if path != missing_from and not path.startswith(missing_from + "/"):
        raise ValueError(f"{path}: {missing_from} is not above it")
    return Asked(path=path, state="absent", missing_from=missing_from)


def _parse_accounts(body: dict[str, Any], name: str) -> tuple[tuple[str, int | None], ...]:
    found = take(body, name, dict)
    return tuple(
        (check_name(key), None if value is None else number(found, key, 0, ID_LIMIT)) for key, value in found.items()
    )


def _parse_ids(body: dict[str, Any], name: str) -> Numbers:
    found = take(body, name, dict)
    if not all(key.isascii() and key.isdigit() and len(key) < 11 for key in found):
        raise ValueError(f"{name}: not a number")
    return tuple((int(key), check_name(check(name, value, str))) for key, value in found.items())


def _parse_part(data: object) -> Part:
    body = check("parts", data, dict)
    return Part(size=number(body, "size", 0, SIZE_LIMIT), sha256=check_digest(body))
