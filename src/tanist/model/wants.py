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
    ports: tuple[tuple[str, int], ...]  # (address, port) that the health checks ask for; "" : any address
    units: tuple[str, ...]
    paths: tuple[str, ...]  # what a restore replaces
    makes: tuple[str, ...]  # accounts and groups that a takeover may make, and its undoing remove
