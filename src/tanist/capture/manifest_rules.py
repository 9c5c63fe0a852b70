"""What holds between the values of a manifest: nothing twice, nothing outside, nothing without its directory.

In: a Manifest whose single values were checked (manifest_format.py). Out: nothing, or a ValueError with the place.
"""

from __future__ import annotations

import os
from itertools import pairwise

from tanist.capture.manifest import Entry, Manifest, sort_key


def check_whole(manifest: Manifest) -> None:
    _check_asked(manifest)
    asked = {item.path: item for item in manifest.asked}
    known: dict[str, Entry] = {}
    last: list[str] = []
    content = 0
    for entry in manifest.entries:
        key = sort_key(entry.path)
        if key <= last:
            raise ValueError(f"{entry.path}: twice, or not in order")
        last = key
        if entry.path not in asked:
            above = known.get(os.path.dirname(entry.path))
            if above is None or above.kind != "directory":
                raise ValueError(f"{entry.path}: lies in none of the directories that were asked for")
        elif asked[entry.path].state == "absent":
            raise ValueError(f"{entry.path}: is said to be absent")
        if entry.kind == "hard link":
            _check_hard_link(entry, known, tuple(asked))
        if entry.kind == "file":
            content = _check_place(entry, content)
        known[entry.path] = entry
    _check_parts(manifest, content, known)


def _check_asked(manifest: Manifest) -> None:
    paths = [item.path for item in manifest.asked]
    keys = [sort_key(path) for path in paths]
    if any(one >= two for one, two in pairwise(keys)):
        raise ValueError("the paths asked for are not in order, or one is there twice")
    for one, two in pairwise(paths):
        if two.startswith(one + "/"):
            raise ValueError(f"{two} lies inside {one}")
    for parent in manifest.parents:
        if parent.kind != "directory" or not any(path.startswith(parent.path + "/") for path in paths):
            raise ValueError(f"{parent.path}: is not above any path that was asked for")


def _check_hard_link(entry: Entry, known: dict[str, Entry], asked: tuple[str, ...]) -> None:
    first = known.get(entry.target)
    if first is None or first.kind in ("directory", "hard link"):
        raise ValueError(f"{entry.path}: is a hard link to nothing")
    if not any(_inside(entry.path, path) and _inside(first.path, path) for path in asked):
        raise ValueError(f"{entry.path}: is a hard link to another path")


def _inside(path: str, top: str) -> bool:
    return path == top or path.startswith(top + "/")


def _check_place(entry: Entry, content: int) -> int:
    if entry.offset % 512 or entry.offset < content + 512:
        raise ValueError(f"{entry.path}: its place in files.tar cannot be right")
    return entry.offset + entry.size


def _check_parts(manifest: Manifest, content: int, known: dict[str, Entry]) -> None:
    parts = dict(manifest.parts)
    if set(parts) != {"files.tar", "README"}:
        raise ValueError("its parts are not files.tar and README")
    if content > parts["files.tar"].size:
        raise ValueError("files.tar is shorter than its content")
    for item in manifest.asked:
        if (item.path in known) != (item.state == "present"):
            raise ValueError(f"{item.path}: is said to be {item.state}")
