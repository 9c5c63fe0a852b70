"""A first look at whether anything changed since the last capture: a few milliseconds, and no byte of content read.

Only a hint, by sizes, owners, times and inode numbers: where it says "unchanged", a capture that reads everything
must still follow before the asset is let go, and does (SaveCapture). It decides whether a release makes one before it
stops the services, too.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tanist.journal.slots import new_sha256
from tanist.plan import places

if TYPE_CHECKING:
    from tanist.host.files import Files
    from tanist.runs.session import Session


def read_fingerprint(files: Files, paths: Sequence[str]) -> str:
    """Of everything at `paths`; "" when it can't be read. To be read before the capture that it stands for."""
    digest = new_sha256()
    try:
        for path in paths:
            for text in _look(files.real(path), path):
                digest.update(text.encode(errors="surrogateescape"))
    except OSError:
        return ""
    return str(digest.hexdigest())


def _look(place: str, path: str) -> Iterator[str]:
    """A text for the path itself, and one for each directory from it on."""
    try:
        info = os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        yield f"{path} absent\n"
        return
    yield f"{path} {_describe(info)}\n"
    waiting = [place] if stat.S_ISDIR(info.st_mode) else []
    while waiting:
        place = waiting.pop()
        with os.scandir(place) as found:
            entries = sorted(found, key=lambda one: one.name)
        yield "".join(f"{one.name} {_describe(one.stat(follow_symlinks=False))}\n" for one in entries) + "/\n"
        waiting += [one.path for one in entries if one.is_dir(follow_symlinks=False)]


def _describe(info: os.stat_result) -> str:
    owner, times = f"{info.st_uid}:{info.st_gid}", f"{info.st_mtime_ns} {info.st_ctime_ns}"
    return f"{info.st_dev}:{info.st_ino} {info.st_mode:o} {owner} {info.st_size} {times}"


def note_captured(session: Session, generation: str, fingerprint: str) -> None:
    """A boot forgets it."""
    text = json.dumps({"format": 1, "generation": generation, "fingerprint": fingerprint})
    session.host.files.write(glance_file(session), text.encode() + b"\n")


def seems_captured(session: Session) -> bool:
    """Nothing seems to have changed since the last capture, and every other node took that one in this boot."""
    files = session.host.files
    try:
        noted = json.loads(files.read(glance_file(session), 4096))
        generation, fingerprint = noted["generation"], noted["fingerprint"]
        peers = session.controller.peers(session.node)
        if any(files.read(mirrored_file(session, one.name), 4096).decode() != generation for one in peers):
            return False
        if not files.exists(f"{places.captures(session.controller.tree)}/{generation}"):
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(fingerprint) and fingerprint == read_fingerprint(files, session.controller.own_paths)


def glance_file(session: Session) -> str:
    return f"{places.runtime(session.name)}/captured.json"


def mirrored_file(session: Session, node: str) -> str:
    """Where the newest generation stands that a node took. A boot forgets it."""
    return f"{places.runtime(session.name)}/mirrored-{node}"
