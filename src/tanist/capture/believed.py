"""Which mirrored generation was found good, and what its files looked like then.

Believed means: it need not be read again to be the base of a newer one. Whoever uses a capture reads every byte of it
all the same, and the daily verification takes a wrong belief back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tanist.host.host import Host

BELIEVED = "believed.json"
LIMIT = 1 << 16  # bytes


def believe(host: Host, directory: str, name: str) -> None:
    """Every byte of the generation `name` was read, when it came or just now."""
    text = json.dumps({"format": 1, "generation": name, "files": _look(host, f"{directory}/{name}")})
    host.files.write(f"{directory}/{BELIEVED}", text.encode() + b"\n")


def is_believed(host: Host, directory: str, name: str) -> bool:
    """And nothing about its files has changed since."""
    try:
        noted = json.loads(host.files.read(f"{directory}/{BELIEVED}", LIMIT))
        return bool(noted == {"format": 1, "generation": name, "files": _look(host, f"{directory}/{name}")})
    except (OSError, ValueError, RecursionError):
        return False


def doubt(host: Host, directory: str) -> None:
    host.files.remove(f"{directory}/{BELIEVED}")


def _look(host: Host, store: str) -> dict[str, list[int]]:
    found = {name: host.files.stat(f"{store}/{name}", follow=False) for name in host.files.list(store)}
    return {name: [info.st_size, info.st_mtime_ns, info.st_ino] for name, info in found.items() if info}
