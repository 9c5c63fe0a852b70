"""Layers below the file system -> the steps that bring them up, and what it is called to take them down. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from tanist.model.definition import Asset
from tanist.model.layers import DrbdLayer, Layer, LvmLayer, MdLayer
from tanist.model.steps import ActivateVolume, AssembleArray, LayerStep, PromoteReplica


def build_layers(asset: Asset, *, alone: bool = False) -> Iterator[tuple[str, LayerStep]]:
    """What lies below the file system, the lowest first. `alone`: a copy may be promoted without the other one."""
    return (_build(layer, alone=alone) for layer in asset.layers)


def _build_promotion(layer: DrbdLayer, *, alone: bool) -> tuple[str, LayerStep]:
    how = ", without the other copy" if alone else ", which follows the other one"
    promote = PromoteReplica(resource=layer.resource, device=layer.device, alone=alone)
    return f"promote this node's copy of {layer.resource}{how}: {layer.device} is written here", promote


def _build(layer: Layer, *, alone: bool) -> tuple[str, LayerStep]:
    match layer:
        case MdLayer():
            array = AssembleArray(device=layer.device, uuid=layer.uuid, members=layer.members)
            return f"assemble {layer.device} from {', '.join(layer.members)}", array
        case LvmLayer():
            volume = ActivateVolume(group=layer.group, volume=layer.volume, device=layer.device)
            return f"take the volume group {layer.group} and activate {layer.device}", volume
        case DrbdLayer():
            return _build_promotion(layer, alone=alone)
        case _:
            assert_never(layer)


def describe_down(spec: LayerStep) -> str:
    match spec:
        case AssembleArray(device=device):
            return f"stop {device}"
        case ActivateVolume(device=device):
            return f"deactivate {device}"
        case PromoteReplica(resource=resource):
            return f"demote {resource}: this node's copy follows the other one"
        case _:
            assert_never(spec)
