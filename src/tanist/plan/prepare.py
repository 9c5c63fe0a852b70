"""From bare disks to the asset that the definition states: the steps, complete before the first change. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from tanist.model.asset_steps import ERASED, EraseDisk, MakeArray, MakeFileSystem, MakeVolume, ProveShared
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller
from tanist.model.disks import Programs
from tanist.model.errors import Refused
from tanist.model.layer_steps import ActivateVolume, AssembleArray
from tanist.model.layers import Layer, LvmLayer, MdLayer
from tanist.model.steps import Plan, PlannedStep, StepSpec
from tanist.plan.disks import AUTOACTIVATION, Chosen, Wanted, describe, keys, says
from tanist.plan.filesystems import build_make, version_key
from tanist.plan.release import numbered

DATA_OFFSET = "16M"  # where a mirror's data begins: within what was zeroed, so that nothing old shows up in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """Names for what is made that nothing else has."""

    filesystem: str
    volume: str  # LVM's own form


def build_prepare(
    controller: Controller,
    chosen: Sequence[Chosen],
    programs: Sequence[Programs],
    fresh: Fresh,
    run: str,
    wanted: Wanted,
) -> Plan:
    asset = controller.asset
    steps: list[PlannedStep] = []
    for disk in chosen:
        lost = f"; lost for good: {says(disk.here)}" if keys(disk.here) else "; it is blank"
        ends = f"zeros over the first and the last {ERASED >> 20} MiB"
        steps.append(_apply(f"erase {disk.path} ({describe(disk.here)}): {ends}{lost}", erasing(disk, run)))
    paths = tuple(disk.path for disk in chosen)
    shared = "see that the nodes mean the same disk: a token written here is read there, and wiped"
    steps.append(_apply(shared, ProveShared(devices=paths, run=run)))
    down: list[PlannedStep] = []
    below = paths[0]
    for layer in asset.layers:
        made = list(_make_layer(layer, controller.name, below, programs, fresh))
        steps += made
        put_away = made[-1].spec
        down.insert(0, PlannedStep(id="", says=f"put {layer.device} away", direction="undo", spec=put_away))
        below = layer.device
    argv = build_make(
        asset.fstype, asset.device, uuid=fresh.filesystem, label=controller.name, programs=programs, quota=wanted.quota
    )
    make = MakeFileSystem(device=asset.device, fstype=asset.fstype, uuid=fresh.filesystem, argv=argv)
    steps.append(_apply(f"make the file system: {shlex.join(argv)}", make))
    return Plan(title=f"prepare the storage of {controller.name}", steps=numbered("prepare", [*steps, *down]))


def erasing(disk: Chosen, run: str) -> EraseDisk:
    mine = disk.here
    marks = tuple(sorted(keys(mine)))
    return EraseDisk(device=disk.path, wwn=mine.wwn, serial=mine.serial, size=mine.size, marks=marks, run=run)


def _make_layer(
    layer: Layer, name: str, below: str, programs: Sequence[Programs], fresh: Fresh
) -> Iterator[PlannedStep]:
    match layer:
        case MdLayer():
            return _make_array(layer, name)
        case LvmLayer():
            return _make_volume(layer, below, programs, fresh)
        case _:
            raise Refused(f"a layer of kind {layer.kind} is not made by tanist")


def _make_array(layer: MdLayer, name: str) -> Iterator[PlannedStep]:
    argv = (
        *("mdadm", "--create", layer.device, "--run", "--metadata=1.2", "--level=1"),
        *(f"--raid-devices={len(layer.members)}", f"--uuid={layer.uuid}", f"--name={name}", "--homehost=none"),
        *("--bitmap=internal", f"--data-offset={DATA_OFFSET}", *layer.members),
    )
    make = MakeArray(device=layer.device, uuid=layer.uuid, members=layer.members, argv=argv)
    yield _apply(f"make the mirror: {shlex.join(argv)}", make)
    there = AssembleArray(device=layer.device, uuid=layer.uuid, members=layer.members)
    yield _apply(f"have {layer.device} assembled", there)


def _make_volume(layer: LvmLayer, below: str, programs: Sequence[Programs], fresh: Fresh) -> Iterator[PlannedStep]:
    disk = layer.disk or below
    quiet = all(version_key(one.lvm) >= version_key(AUTOACTIVATION) for one in programs)
    manual = ("--setautoactivation", "n") if quiet else ()
    commands = (
        ("pvcreate", "-q", "-y", "-ff", "--uuid", fresh.volume, "--norestorefile", disk),
        ("vgcreate", "-q", "-y", *manual, layer.group, disk),
        ("lvcreate", "-q", "-y", "-n", layer.volume, "-l", "100%FREE", layer.group),
    )
    volume = MakeVolume(
        group=layer.group, volume=layer.volume, device=layer.device, disk=disk, uuid=fresh.volume, commands=commands
    )
    yield _apply(f"make the volume: {'; '.join(map(shlex.join, commands))}", volume)
    active = ActivateVolume(group=layer.group, volume=layer.volume, device=layer.device)
    yield _apply(f"have {layer.device} active", active)


def _apply(text: str, spec: StepSpec) -> PlannedStep:
    return PlannedStep(id="", says=text, direction="apply", spec=spec)
