"""What was read of a machine, as it is compared between nodes and kept in a capture, and how a comparison went."""

from __future__ import annotations

from tanist.model.beside import Beside
from tanist.model.dataclasses import dataclass
from tanist.model.host import Interface


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """One node. A `..._unread` says why the fact beside it could not be read; the fact itself is empty then."""

    node: str
    architecture: str = ""  # uname -m
    os_id: str = ""  # os-release(5) ID
    os_version: str = ""  # os-release(5) VERSION_ID; empty also for a system without versions
    kernel: str = ""  # uname -r
    version: str = ""  # the product's; empty also where the definition names no source
    interfaces: tuple[Interface, ...] = ()
    architecture_unread: str = ""
    os_unread: str = ""
    kernel_unread: str = ""
    version_unread: str = ""
    interfaces_unread: str = ""
    beside: Beside | None = None  # None: told by a tanist that did not look (captures of format 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was compared or checked. Not ok also when it could not be told; `says` tells the two apart."""

    name: str  # stable, for machines: "version", "interface 10.88.0.50"
    ok: bool
    theirs: str  # what was seen on the other node
    mine: str  # and here
    says: str  # for a person: what was seen, and why it matters
    mend: str = ""  # what to do; empty when ok
