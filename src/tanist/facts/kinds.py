"""What a kind of layer tells of itself on a node: the module of this package that is named after it.

Its functions only look: they never mount, assemble, activate, log in, lock or write. Modules are imported when a
definition names their kind: most assets have no layers, and each start would pay for them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from tanist.model.dataclasses import dataclass
from tanist.model.growing import Room

if TYPE_CHECKING:
    from tanist.facts.device import Place
    from tanist.host.host import Host
    from tanist.model.hardware import Identity
    from tanist.model.layers import Layer
    from tanist.model.readout import LayerState
    from tanist.model.unread import Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """`missing`: devices that it knows and does not find; `identities`: what both nodes must see alike."""

    missing: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What keeps another node from using it at the same time. Neither ready nor failing: there is none."""

    about: str
    says: str
    ready: bool = False
    fails: bool = False
    mend: str = ""


class Kind(Protocol):
    def find_place(self, host: Host, layer: Any, below: Place) -> Place | Unread:
        """Where its bytes are: its own device where it is up, or else a part of what lies `below`."""

    def read_states(self, host: Host, layer: Any) -> Iterable[LayerState]:
        """What is to be known of it for a takeover, and what is wrong."""

    def read_marks(self, host: Host, layer: Any, below: Place) -> Marks:
        """Its own marks on the disk, as this node reads them."""

    def read_guards(self, host: Host, layer: Any) -> Iterable[Guard]:
        """What of it hinders two nodes from using it at once."""

    def find_ends(self, host: Host, layer: Any) -> dict[str, tuple[str, ...]]:
        """The disks that it names, and the devices of this node by which each is reached."""

    def read_room(self, host: Host, layer: Any, sizes: Mapping[str, int], below: int) -> Room | Unread:
        """What it has and could have, where it is up: of disks of `sizes` bytes, on `below` bytes of the layer below.
        Unread too where it can't be grown as it is now."""


def read_room_of_disk(host: Host, layer: Any, sizes: Mapping[str, int], below: int) -> Room:  # noqa: ARG001
    """The read_room() of a kind that is a disk itself: it is as large as it says."""
    size = sizes.get(layer.device, 0)
    return Room(device=layer.device, now=size, could=size)


def kind_of(layer: Layer) -> Kind:
    return cast("Kind", importlib.import_module(f"tanist.facts.{layer.kind}"))
