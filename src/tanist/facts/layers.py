"""The layers below the file system as this node sees them: members of an md array, whose volume group, who assembles.

Never assembles, activates or writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.kinds import kind_of

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset
    from tanist.model.readout import LayerState


def read_layers(host: Host, asset: Asset) -> tuple[LayerState, ...]:
    return tuple(state for layer in asset.layers for state in kind_of(layer).read_states(host, layer))
