"""[[asset.layer]] -> the dataclasses of model/layers.py: each value checked, and what lies on what."""

from __future__ import annotations

from collections.abc import Callable

from tanist.definition import values as v
from tanist.definition.table import Table
from tanist.model.definition import Asset
from tanist.model.layers import DrbdLayer, IscsiLayer, Layer, LvmLayer, MdLayer, MultipathLayer, ProgramLayer, ZfsLayer


def build_layers(asset: Table) -> tuple[Layer, ...]:
    return tuple(layer for table in asset.tables("layer") if (layer := _build_layer(table)) is not None)


def _build_layer(table: Table) -> Layer | None:
    kind = table.one_of("kind", tuple(KINDS))
    if kind is None:
        return None
    layer = KINDS[kind](table)
    table.finish()
    return layer


def _build_md(table: Table) -> MdLayer:
    return MdLayer(
        device=table.text("device", v.check_device),
        uuid=table.text("uuid", v.check_md_uuid),
        members=table.texts("members", v.check_device, required=True),
    )


def _build_lvm(table: Table) -> LvmLayer:
    return LvmLayer(
        group=table.text("group", v.check_lvm_name),
        volume=table.text("volume", v.check_lvm_name),
        disk=table.text("disk", v.check_device, default=""),
    )


def _build_drbd(table: Table) -> DrbdLayer | None:
    resource, device = table.text("resource", v.check_drbd_name), table.text("device", v.check_drbd_device)
    return DrbdLayer(resource=resource, device=device) if resource and device else None


def _build_iscsi(table: Table) -> IscsiLayer:
    return IscsiLayer(
        target=table.text("target", v.check_iscsi_name),
        portals=table.texts("portals", v.check_portal, required=True),
        device=table.text("device", v.check_device, default=""),
        logout=table.flag("logout", default=False),
    )


def _build_multipath(table: Table) -> MultipathLayer:
    return MultipathLayer(
        device=table.text("device", v.check_device),
        wwid=table.text("wwid", v.check_wwid),
        paths=table.whole("paths", 1, 64, default=2),
        flush=table.flag("flush", default=False),
    )


def _build_program(table: Table) -> ProgramLayer:
    return ProgramLayer(
        program=table.text("program", v.check_absolute),
        device=table.text("device", v.check_device),
        settings=table.options("settings", v.check_any),
        timeout=table.seconds("timeout", 120.0),
    )


def _build_zfs(table: Table) -> ZfsLayer | None:
    dataset = table.text("dataset", v.check_data_set)
    devices = table.texts("devices", v.check_device, required=True)
    return ZfsLayer(dataset=dataset, devices=devices) if dataset and devices else None


KINDS: dict[str, Callable[[Table], Layer | None]] = {
    "md": _build_md,
    "lvm": _build_lvm,
    "drbd": _build_drbd,
    "iscsi": _build_iscsi,
    "multipath": _build_multipath,
    "program": _build_program,
    "zfs": _build_zfs,
}


def check_layers(table: Table, asset: Asset) -> None:
    """Each lies on the one before it, and the file system on the last. Disks that are made to appear come first."""
    if not _fits_zfs(table, asset) or not asset.layers:
        return
    first, uppermost = asset.layers[0], asset.layers[-1]
    if asset.replicated and asset.fstype == "btrfs":
        what = "btrfs with drbd: the kernel would find it on each node's own disk as well, and may mount that"
        table.complain("fstype", f"{what}; allowed with drbd: ext4, xfs")
    if asset.replicated and len(asset.layers) > 1:
        what = "drbd with other layers: LVM or md would be found on each node's own disk as well, and be written there"
        table.complain("layer", f"{what}; allowed: drbd alone, a volume below it in DRBD's own configuration")
    if first.lacks:
        table.complain("layer", f"the lowest layer is {first.kind} without a disk; allowed: {first.lacks}")
    on = [layer for layer in asset.layers if not layer.source]
    for below, layer in zip(asset.layers, asset.layers[1:], strict=False):
        if layer.source and not below.source:
            table.complain("layer", f"{layer.kind} lies on nothing; allowed: before all layers that lie on a disk")
            break
    named = [layer.device for layer in asset.layers if layer.source]
    if not all(named) and not (on and on[0].disks):
        table.complain("layer", "iscsi has no device and nothing above names its disks; allowed: device, its disk")
    if any(isinstance(layer, IscsiLayer) and layer.logout for layer in asset.layers) and any(
        isinstance(layer, MultipathLayer) and not layer.flush for layer in asset.layers
    ):
        table.complain("layer", "a log-out leaves the multipath map without a disk; allowed: flush = true")
    if any(layer.disks for layer in on[1:]):
        table.complain("layer", "an upper layer lies on the one before it; allowed: lvm without a disk")
    if asset.device and uppermost.device and uppermost.device != asset.device:
        table.complain("device", f'"{asset.device}" is not the uppermost layer\'s; allowed: "{uppermost.device}"')


def _fits_zfs(table: Table, asset: Asset) -> bool:
    """A data set lies in a pool, and nothing else does."""
    if asset.fstype == "zfs" and ("layer" not in table or (asset.layers and asset.layers[-1] is not asset.zfs)):
        table.complain("layer", 'a data set lies in a pool; allowed with zfs: a last layer of kind "zfs"')
    elif asset.zfs and asset.fstype and asset.fstype != "zfs":
        table.complain("fstype", f"{asset.fstype} on a pool; allowed with the layer zfs: zfs")
    elif asset.zfs and any(not layer.source for layer in asset.layers if layer is not asset.zfs):
        what = "zfs names its own devices, whatever they lie on"
        table.complain("layer", f"{what}; allowed below it: iscsi, program")
    else:
        return True
    return False


def check_members(table: Table, asset: Asset) -> None:
    """A btrfs spreads over disks by itself, without a layer."""
    if asset.members and asset.fstype and asset.fstype != "btrfs":
        table.complain("members", f"{asset.fstype} lies on one device; allowed: with btrfs alone")
    if asset.members and asset.layers:
        table.complain("members", "only one device can lie on a layer; allowed: a btrfs on whole disks")
    if asset.device in asset.members:
        table.complain("members", f'"{asset.device}" is named by device already; allowed: the other disks')
