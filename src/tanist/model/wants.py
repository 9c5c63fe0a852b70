"""What a controller takes of a node while it is active there, as far as another one could want the same."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    name: str
    mode: str  # of the identity: "host" or "alias"
    hostname: str
    nodes: tuple[str, ...]
    tree: str
    devices: tuple[str, ...]
    addresses: tuple[str, ...]
    ports: tuple[tuple[str, str, int], ...]  # (protocol, address, port), "*": every address
    units: tuple[str, ...]
    paths: tuple[str, ...]  # what a takeover replaces or binds over
    makes: tuple[str, ...]  # accounts and groups that a takeover may make, and its undoing remove
    exports: tuple[str, ...] = ()  # over NFS, relative to the tree
