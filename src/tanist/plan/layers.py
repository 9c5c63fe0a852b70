"""Layers below the file system -> the steps that bring them up, and what it is called to take them down. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from tanist.model.definition import Asset
from tanist.model.layer_steps import (
    ActivateVolume,
    AssembleArray,
    AttachDisk,
    GatherPaths,
    ImportPool,
    LayerStep,
    LogIn,
    PromoteReplica,
)
from tanist.model.layers import DrbdLayer, IscsiLayer, Layer, LvmLayer, MdLayer, MultipathLayer, ProgramLayer, ZfsLayer
from tanist.model.steps import StepSpec

Named = tuple[str, LayerStep]


def build_layers(asset: Asset, *, alone: bool = False) -> Iterator[Named]:
    """What lies below the file system, the lowest first. `alone`: a copy may be promoted without the other one."""
    yield from build_disks(asset)
    yield from build_stack(asset, alone=alone)


def build_disks(asset: Asset) -> Iterator[Named]:
    """What must be up before the asset's disks can be reserved."""
    return (_build(layer) for layer in asset.layers if layer.whole)


def build_stack(asset: Asset, *, alone: bool = False) -> Iterator[Named]:
    """What is put together on them."""
    return (_build(layer, alone=alone) for layer in asset.layers if not layer.whole)


def _build_promotion(layer: DrbdLayer, *, alone: bool) -> Named:
    how = ", without the other copy" if alone else ", which follows the other one"
    promote = PromoteReplica(resource=layer.resource, device=layer.device, alone=alone)
    return f"promote this node's copy of {layer.resource}{how}: {layer.device} is written here", promote


def _build(layer: Layer, *, alone: bool = False) -> Named:
    match layer:
        case MdLayer():
            array = AssembleArray(device=layer.device, uuid=layer.uuid, members=layer.members)
            return f"assemble {layer.device} from {', '.join(layer.members)}", array
        case LvmLayer():
            volume = ActivateVolume(group=layer.group, volume=layer.volume, device=layer.device)
            return f"take the volume group {layer.group} and activate {layer.device}", volume
        case DrbdLayer():
            return _build_promotion(layer, alone=alone)
        case IscsiLayer():
            log_in = LogIn(target=layer.target, portals=layer.portals, device=layer.device, stays=not layer.logout)
            shown = f", until {layer.device} is there" if layer.device else ""
            return f"log in to {layer.target} by {', '.join(layer.portals)}{shown}", log_in
        case MultipathLayer():
            paths = GatherPaths(device=layer.device, wwid=layer.wwid, paths=layer.paths, stays=not layer.flush)
            return f"gather the paths to {layer.device}, {layer.paths} if they are there", paths
        case ZfsLayer():
            wait = "; from an owner that did not export it, that waits to see that nothing writes to it"
            import_pool = ImportPool(pool=layer.pool, devices=layer.devices)
            return f"import the pool {layer.pool} from {', '.join(layer.devices)}{wait}", import_pool
        case ProgramLayer():
            return f"attach {layer.device} to this node, by {layer.program}", build_attach(layer)
        case _:
            assert_never(layer)


def build_attach(layer: ProgramLayer, proof: str = "") -> AttachDisk:
    return AttachDisk(
        program=layer.program, device=layer.device, settings=layer.settings, timeout=layer.timeout, proof=proof
    )


def stays(spec: StepSpec) -> bool:
    """Whether a release leaves it as it is."""
    return isinstance(spec, LogIn | GatherPaths) and spec.stays


def describe_down(spec: LayerStep) -> str:
    match spec:
        case AssembleArray(device=device):
            return f"stop {device}"
        case ActivateVolume(device=device):
            return f"deactivate {device}"
        case PromoteReplica(resource=resource):
            return f"demote {resource}: this node's copy follows the other one"
        case LogIn(target=target, stays=stays):
            return f"stay logged in to {target}" if stays else f"log out of {target}"
        case GatherPaths(device=device, stays=stays):
            return f"leave {device} as it is" if stays else f"flush {device}"
        case ImportPool(pool=pool):
            return f"export the pool {pool}"
        case AttachDisk(device=device):
            return f"detach {device} from this node"
        case _:
            assert_never(spec)
