"""Layers below the file system -> the steps that bring them up, and what it is called to take them down. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from tanist.model.definition import Asset
from tanist.model.layers import Layer, LvmLayer, MdLayer
from tanist.model.steps import ActivateVolume, AssembleArray, LayerStep


def build_layers(asset: Asset) -> Iterator[tuple[str, LayerStep]]:
    """What lies below the file system, the lowest first."""
    return (_build(layer) for layer in asset.layers)


def _build(layer: Layer) -> tuple[str, LayerStep]:
    match layer:
        case MdLayer():
            array = AssembleArray(device=layer.device, uuid=layer.uuid, members=layer.members)
            return f"assemble {layer.device} from {', '.join(layer.members)}", array
        case LvmLayer():
            volume = ActivateVolume(group=layer.group, volume=layer.volume, device=layer.device)
            return f"take the volume group {layer.group} and activate {layer.device}", volume
        case _:
            assert_never(layer)


def describe_down(spec: LayerStep) -> str:
    match spec:
        case AssembleArray(device=device):
            return f"stop {device}"
        case ActivateVolume(device=device):
            return f"deactivate {device}"
        case _:
            assert_never(spec)
