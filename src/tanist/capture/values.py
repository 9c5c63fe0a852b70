"""Single values of a manifest, as another machine wrote them: checked, or a ValueError that says what is wrong."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any, TypeVar

TEMPORARY = ".tanist-restore-"  # how names begin that a restore uses while it works: never captured, never accepted
ID_LIMIT = 1 << 32  # uid_t
SIZE_LIMIT = 1 << 62
PATH_LIMIT = 1 << 20  # bytes in all: more than the kernel takes at once (4096), because *at() calls go part by part
PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))(?!\.tanist-restore-)[^/\0]{1,255})+")
DIGEST = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")


def check(where: str, value: object, kind: type[T]) -> T:
    if type(value) is not kind:
        raise ValueError(f"{where}: expected {kind.__name__}, found {type(value).__name__}")
    return value


def take(body: dict[str, Any], name: str, kind: type[T]) -> T:
    value = body.get(name)
    if type(value) is kind:
        return value
    if name not in body:
        raise ValueError(f"{name!r} is missing")
    return check(name, value, kind)


def number(body: dict[str, Any], name: str, low: float, high: float) -> int:
    value = take(body, name, int)
    if not low <= value < high:
        raise ValueError(f"{name} {value} is out of range")
    return value


def check_path(path: object) -> str:
    """An absolute, normal path without "..", as the kernel can have it."""
    if isinstance(path, str) and path.isascii() and len(path) < PATH_LIMIT and PLAIN_PATH.fullmatch(path):
        return path
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path or len(path) >= PATH_LIMIT:
        raise ValueError(f"{str(path)[:200]!r} is not an absolute path")
    for part in path.split("/")[1:]:
        if part in ("", ".", ".."):
            raise ValueError(f"{path!r} is not a normal path")
        if len(encoded(part)) > 255:
            raise ValueError(f"{path!r} has a part of more than 255 bytes")
        if part.startswith(TEMPORARY):
            raise ValueError(f"{path!r} has a name that only a restore uses")
    return path


def encoded(text: str) -> bytes:
    try:
        return os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} cannot be a file name") from error


def check_digest(body: dict[str, Any]) -> str:
    digest = take(body, "sha256", str)
    if DIGEST.fullmatch(digest) is None:
        raise ValueError("a checksum is not one")
    return digest


@lru_cache(4096)
def check_name(text: str) -> str:
    """A user or group name that can be asked for safely; empty: there was none."""
    if len(encoded(text)) > 255 or text.startswith("-") or text.isdigit() or not text.isprintable():
        raise ValueError(f"{text!r} cannot be the name of an account")
    if set(text) & set(":/,"):
        raise ValueError(f"{text!r} cannot be the name of an account")
    return text
