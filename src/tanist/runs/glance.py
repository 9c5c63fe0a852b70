"""A first look at whether anything changed since the last capture: a few milliseconds, and no byte of content read.

Only a hint, by sizes, owners, times and inode numbers: where it says "unchanged", a capture that reads everything
must still follow before the asset is let go, and does (SaveCapture). It decides whether a release makes one before it
stops the services, too.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tanist.journal.slots import sha256
from tanist.plan import places

if TYPE_CHECKING:
    from tanist.host.files import Files
    from tanist.runs.session import Session


def read_fingerprint(files: Files, paths: Sequence[str]) -> str:
    """Of everything at `paths`; "" when it can't be read. To be read before the capture that it stands for."""
    try:
        return sha256("\n".join(line for path in paths for line in _look(files, path)).encode(errors="surrogateescape"))
    except OSError:
        return ""


def _look(files: Files, path: str) -> Iterator[str]:
    info = files.stat(path, follow=False)
    if info is None:
        yield f"{path} absent"
        return
    owner, times = f"{info.st_uid}:{info.st_gid}", f"{info.st_mtime_ns} {info.st_ctime_ns}"
    yield f"{path} {info.st_dev}:{info.st_ino} {info.st_mode:o} {owner} {info.st_size} {times}"
    if stat.S_ISDIR(info.st_mode):
        for name in files.list(path):
            yield from _look(files, f"{path}/{name}")


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
