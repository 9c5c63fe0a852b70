"""Changes that tanist makes through descriptors of directories, seen by the fake host whose files they change.

In: this process's audit events (PEP 578), which tell of each such system call just before it is made. Out: a call of
`about_to_change` of the host, which may raise Crash: then it is not made. The hook is one for the process, as audit
hooks can't be taken away; a host that nobody refers to any more is forgotten. Never changes anything itself.

Not told by Python, so not seen: files that are created or written by descriptor (tanist does so under temporary names
only, and renames them, which is seen), mknod(2).
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Protocol

# event: where the descriptor is among its arguments, or -1 where a path leads to it (/proc/self/fd/N)
CHANGES = {
    "os.mkdir": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.rename": 3,
    "os.link": 3,
    "os.symlink": 2,
    "os.chown": -1,
    "os.chmod": -1,
    "os.utime": -1,
    "os.setxattr": -1,
    "os.removexattr": -1,
}
FD = "/proc/self/fd/"


class Watcher(Protocol):
    def owns(self, place: str) -> bool: ...
    def about_to_change(self, what: str) -> None: ...


_watchers: list[weakref.ref[Watcher]] = []


def watch(host: Watcher) -> None:
    if not _watchers:
        sys.addaudithook(_hear)
    _watchers[:] = [one for one in _watchers if one() is not None]
    _watchers.append(weakref.ref(host))


def _hear(event: str, args: tuple[object, ...]) -> None:
    at = CHANGES.get(event)
    if at is None:
        return
    place = _place(args[0], args[at] if at >= 0 else None)
    if not place:
        return
    for reference in _watchers:
        host = reference()
        if host is not None and host.owns(place):
            host.about_to_change(f"{event} {place}")
            return


def _place(path: object, descriptor: object) -> str:
    """Where the call changes something, "" where no descriptor is used: Files announces those itself."""
    name = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
    try:
        if isinstance(descriptor, int) and descriptor >= 0:
            return f"{os.readlink(f'{FD}{descriptor}')}/{name}"
        if isinstance(path, int):
            return os.readlink(f"{FD}{path}")
        return os.readlink(name) if name.startswith(FD) else ""
    except OSError:
        return ""
