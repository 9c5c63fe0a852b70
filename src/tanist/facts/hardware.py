"""What the asset and the service addresses stand on, as this node sees it. Nothing is mounted, assembled or written.

The first block of each disk of the asset is read, past the page cache, all at once: one that hangs holds nobody up for
longer than one look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.blockdevices import add_unused_paths, read_devices
from tanist.facts.carriers import read_carriers
from tanist.facts.device import PATIENCE, Place, is_block_device
from tanist.facts.fshealth import read_health, read_mounted_health
from tanist.facts.kinds import kind_of
from tanist.facts.raid import mark_failed_paths, read_arrays, read_states
from tanist.facts.space import read_space
from tanist.model.dataclasses import replace
from tanist.model.hardware import Array, BlockDevice, FileSystemHealth, Identity, Opened, Space, StorageReadout
from tanist.model.paths import find_holder
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Asset, Controller
    from tanist.model.host import Mount


def read_hardware(host: Host, controller: Controller, node: str) -> StorageReadout | Unread:
    try:
        return _read_hardware(host, controller, node)
    except OSError as error:
        return Unread(error.strerror or str(error))


def _read_hardware(host: Host, controller: Controller, node: str) -> StorageReadout:
    asset = controller.asset
    mount = find_tree(host, controller)
    disks = (
        asset.disks or own_disk(host, asset) or ((mount.source,) if mount and mount.source.startswith("/dev/") else ())
    )
    opened = read_opened(host, disks)
    here = [one.path for one in opened if not one.why]
    top = (disks[0] if asset.replicated and disks else asset.device) or (disks[0] if disks else "")
    up = [top] if top and (top in here or (asset.layers and is_block_device(host, top))) else []
    devices, arrays, names = read_stack(host, [*dict.fromkeys([*up, *here])])
    missing, identities = read_marks(host, asset)
    interfaces = [one.interface_on(node) for one in controller.identity.addresses]
    return StorageReadout(
        opened=tuple(replace(one, name=names.get(one.path, "")) for one in opened),
        top=names.get(top, ""),
        devices=devices,
        arrays=arrays,
        missing=missing,
        identities=identities,
        filesystem=read_filesystem(host, controller.asset, mount, names.get(top, "")),
        room=read_room(host, controller, mount),
        carriers=read_carriers(host, interfaces),
    )


def own_disk(host: Host, asset: Asset) -> tuple[str, ...]:
    """What this node's copy of a replicated device lies on."""
    if asset.replicated is None:
        return ()
    from tanist.facts.drbd import read_lower  # most assets have no layers

    found = read_lower(host, asset.replicated.resource)
    return () if isinstance(found, Unread) else (found,)


def read_stack(
    host: Host, paths: list[str]
) -> tuple[tuple[BlockDevice, ...] | Unread, tuple[Array, ...] | Unread, dict[str, str]]:
    """The devices, those of them that are arrays, and the names of what lies at the paths."""
    found = read_devices(host, paths)
    if isinstance(found, Unread):
        return found, (), {}
    devices, names = found
    states = read_states(host, devices)
    marked = mark_failed_paths(host, add_unused_paths(host, devices), states)
    return marked, read_arrays(host, marked, states), names


def read_opened(host: Host, disks: tuple[str, ...]) -> tuple[Opened, ...]:
    """O_RDONLY and one read; never a mount."""
    look = "iflag=direct", "bs=4096", "count=1", "of=/dev/null", "status=none"
    begun = [(path, host.begin(["dd", f"if={path}", *look], timeout=PATIENCE, ok=None)) for path in disks]
    found = []
    for path, wait in begun:
        try:
            ran = wait()
            found.append(Opened(path=path, why=ran.complaint if ran.status else ""))
        except OSError as error:
            found.append(Opened(path=path, why=error.strerror or str(error)))
    return tuple(found)


def find_tree(host: Host, controller: Controller) -> Mount | None:
    """The mount that holds the tree: its own or, of a plain directory, the one that it lies in."""
    try:
        mounts = host.mounts()
    except OSError:
        return None
    if controller.asset.kind == "directory":
        if not host.files.exists(controller.tree):
            return None
        return find_holder(mounts, controller.tree)
    return next((one for one in reversed(mounts) if one.target == controller.tree), None)


def read_room(host: Host, controller: Controller, mount: Mount | None) -> Space | Unread | None:
    if mount is None:
        return None
    found = read_space(host, (controller.tree,))
    return found if isinstance(found, Unread) else found[0]


def read_filesystem(host: Host, asset: Asset, mount: Mount | None, name: str) -> FileSystemHealth | Unread | None:
    if asset.kind != "directory":
        return read_health(host, asset, f"drbd{asset.replicated.minor}" if asset.replicated else name)
    return read_mounted_health(host, mount) if mount else None


def read_marks(host: Host, asset: Asset) -> tuple[tuple[str, ...], tuple[Identity, ...]]:
    """What the layers lack, such as physical volumes that the group has lost, and the UUIDs that lie on the disks."""
    missing: list[str] = []
    found: list[Identity] = []
    place = Place(device="", offset=0, size=0)
    for layer in asset.layers:
        kind = kind_of(layer)
        marks = kind.read_marks(host, layer, place)
        missing += marks.missing
        found += marks.identities
        below = kind.find_place(host, layer, place) if layer != asset.layers[-1] else place
        if isinstance(below, Unread):
            break
        place = below
    return tuple(missing), tuple(found)
