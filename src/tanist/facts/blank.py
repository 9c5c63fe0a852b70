"""The first and the last MiB of a disk, past the page cache; and the token that proves a disk to be shared.

Never writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.device import read_blocks, read_size
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

MIB = 1 << 20
SECTOR = 4096
TOKEN = b"tanist storage prepare "


def read_edges(host: Host, device: str) -> bytes | Unread:
    """2 MiB. A disk that is not a multiple of 4096 bytes: what is left of the end is among it."""
    size = read_size(host, device)
    if isinstance(size, Unread):
        return size
    if size < 4 * MIB:
        return Unread(f"{device} has {size} bytes: too small to be looked at")
    first = read_blocks(host, device, 0, 1, MIB)
    if isinstance(first, Unread):
        return first
    block = next(one for one in (MIB, 65536, 4096, 512) if size % one == 0 or one == 512)
    last = read_blocks(host, device, (size - MIB) // block, MIB // block, block)
    return last if isinstance(last, Unread) else first + last


def read_token(edges: bytes) -> str:
    return edges[:SECTOR].split(b"\0")[0].decode("ascii", "replace").strip() if edges.startswith(TOKEN) else ""


def strip_token(edges: bytes, token: str) -> bytes:
    return edges[SECTOR:] if token else edges


def build_token(run: str, disk: str) -> bytes:
    """A block of a disk."""
    return (TOKEN + f"{run} {disk}\n".encode())[:SECTOR].ljust(SECTOR, b"\0")
