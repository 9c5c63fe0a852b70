"""What a node says of its NFS server."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NfsReadout:
    others: tuple[str, ...]  # what this node exports besides the controller's
    grace: int = 0  # seconds that NFSv4 clients may claim opens and locks after a start; 0: the kernel does not tell
    lockd_grace: int = 0  # seconds, the same for NFSv3's locks
