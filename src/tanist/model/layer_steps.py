"""Steps that bring the disks of an asset, one kind of layer each; plan/layers.py makes them of the definition."""

from __future__ import annotations

from typing import get_args

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembleArray:
    """An md array from those of its members that are there; undone: stopped."""

    device: str
    uuid: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateVolume:
    """A volume group becomes this node's, and the volume active; undone: inactive, the group still this node's."""

    group: str
    volume: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """A log-in to an iSCSI target by each of its portals; undone: logged out, or nothing where it stays."""

    target: str
    portals: tuple[str, ...]
    device: str  # that is waited for; empty: the next step waits
    stays: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherPaths:
    """A multipath map with its paths; undone: flushed, or nothing where it stays."""

    device: str
    wwid: str
    paths: int  # that are waited for; one is enough to go on with
    stays: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachDisk:
    """A disk attached to this node by a program; undone: detached.

    `proof`: that its old owner is stopped, "" for none: then it is not taken away from another node."""

    program: str
    device: str
    settings: tuple[tuple[str, str], ...]
    timeout: float  # seconds for each act
    proof: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteReplica:
    """This node's copy of a device becomes the one that is written; undone: it follows the other one again.

    `alone`: also where it does not follow the other copy now, because that one's node was proved to be stopped."""

    resource: str
    device: str
    alone: bool = False

    @property
    def minor(self) -> int:
        return int(self.device.removeprefix("/dev/drbd"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPool:
    """A ZFS pool that this node has, nothing of it mounted; undone: exported."""

    pool: str
    devices: tuple[str, ...]


LayerStep = AssembleArray | ActivateVolume | LogIn | GatherPaths | AttachDisk | PromoteReplica | ImportPool
LAYER_STEPS: tuple[type, ...] = get_args(LayerStep)
