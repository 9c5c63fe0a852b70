"""The captures of this node, readable: as they lie on the tree or the mirror, or unsealed for a while into memory.

/run is memory (file-hierarchy(7)): what is unsealed never gets to a disk, and is gone after a kill at the next
use, after a power cut at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence

from tanist.capture.generations import list_generations
from tanist.capture.render import scratch_directory
from tanist.capture.sealed import copy_store, is_sealed_store, unseal_store
from tanist.capture.sealing import Key, load_keys
from tanist.model.errors import BadCapture, Failed, Refused
from tanist.plan import places
from tanist.runs.session import Session, read_active


def capture_directory(session: Session) -> str:
    if read_active(session):
        return places.captures(session.controller.tree)
    return places.mirror(session.name)


def read_keys(session: Session) -> tuple[Key, ...]:
    """Refused where there are none and the definition wants them."""
    keys = load_keys(session.host.files, places.mirror_keys(session.name))
    if not keys and session.controller.mirror.at_rest == "encrypted":
        raise Refused(
            f"the mirror of {session.name} is to be encrypted, and {session.node} has no key for it",
            next_step=f"tanist captures key {session.name}   (on the node that has it, or on the active one)",
        )
    return keys


@contextlib.contextmanager
def readable(session: Session, names: Sequence[str] = ()) -> Iterator[str]:
    """A directory with these generations (without names: the newest) as plain stores. BadCapture for one that was
    altered or sealed with a key that is not here."""
    directory = capture_directory(session)
    wanted = tuple(names) or tuple(one.name for one in list_generations(session.host, directory)[:1])
    if any("/" in name for name in wanted) or not any(
        is_sealed_store(session.host, f"{directory}/{name}") for name in wanted
    ):
        yield directory
        return
    keys = read_keys(session)
    with scratch_directory(session.host, places.unsealed(session.name)) as memory:
        for name in dict.fromkeys(wanted):
            if session.host.files.exists(f"{directory}/{name}"):
                open_store(session, f"{directory}/{name}", f"{memory}/{name}", keys)
        yield memory


def open_store(session: Session, store: str, plain: str, keys: tuple[Key, ...] | None = None) -> None:
    """A store of the mirror, sealed or not, as a plain one in memory. BadCapture as for readable()."""
    _check_room(session, plain.rsplit("/", 1)[0], store)
    if is_sealed_store(session.host, store):
        found = read_keys(session) if keys is None else keys
        unseal_store(session.host, found, session.name, store, plain)
    else:
        copy_store(session.host, store, plain)


def _check_room(session: Session, memory: str, store: str) -> None:
    """Failed, before memory is full, and with a way out."""
    files = session.host.files
    needed = sum(info.st_size for name in files.list(store) if (info := files.stat(f"{store}/{name}", follow=False)))
    found = os.statvfs(files.real(memory))
    if needed > found.f_bavail * found.f_frsize:
        raise Failed(
            f"{os.path.basename(store)} has {needed >> 20} MiB, and /run has no room to open it "
            f"({os.strerror(errno.ENOSPC)})",
            node=session.node,
            next_step="mount -o remount,size=... /run",
        )


def find_generation(session: Session, word: str) -> str:
    """The name of one of this node's generations: its beginning will do where no other one has it."""
    directory = capture_directory(session)
    names = [one.name for one in list_generations(session.host, directory)]
    chosen = [name for name in names if name == word] or [name for name in names if name.startswith(word)]
    if len(chosen) != 1:
        what = "there is no capture" if not chosen else f"{len(chosen)} captures begin with"
        raise BadCapture(f"{what} {word!r} in {directory}", next_step=f"tanist captures {session.name}")
    return chosen[0]
