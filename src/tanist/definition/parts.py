"""The tables of a definition -> the dataclasses of model/definition.py, each value checked on its own.

What must hold between values is in rules.py.
"""

from __future__ import annotations

import string
from typing import Literal

from tanist.definition import values as v
from tanist.definition.addresses import parse_cidr, parse_ip
from tanist.definition.busy import build_busy
from tanist.definition.captured import build_captured
from tanist.definition.drills import build_drill
from tanist.definition.layers import build_layers, check_layers, check_members
from tanist.definition.proofs import build_proof
from tanist.definition.table import Table
from tanist.model.definition import (
    Accounts,
    Asset,
    AssetKind,
    Bind,
    Controller,
    Export,
    FsType,
    Gate,
    Health,
    Identity,
    Mirror,
    Mode,
    Node,
    Outside,
    OwnershipMethod,
    Retention,
    Scope,
    Service,
    ServiceAddress,
    Standby,
    StoragePolicy,
    VersionSource,
)

_HealthKind = Literal["tcp", "http", "command"]
_VersionKind = Literal["properties", "dpkg", "rpm", "command"]
_ASSET_KINDS: tuple[AssetKind, ...] = ("filesystem", "directory", "nfs")
_OF_A_DISK = dict.fromkeys(("device", "fstype", "members", "layer"), "filesystem")
_METHODS: tuple[OwnershipMethod, ...] = ("auto", "map", "walk")
_MODES: tuple[Mode, ...] = ("host", "alias")
_FSTYPES: tuple[FsType, ...] = ("ext4", "xfs", "btrfs", "zfs")
_AT_REST: tuple[Literal["plain", "encrypted"], ...] = ("plain", "encrypted")
_HEALTH_KINDS: tuple[_HealthKind, ...] = ("tcp", "http", "command")
_VERSION_KINDS: tuple[_VersionKind, ...] = ("properties", "dpkg", "rpm", "command")
_HEALTH_KEYS: dict[str, _HealthKind] = {
    "address": "tcp",
    "port": "tcp",
    "url": "http",
    "argv": "command",
    "user": "command",
}
_VERSION_KEYS: dict[str, str] = {
    "file": "properties",
    "key": "properties",
    "package": "dpkg|rpm",
    "argv": "command",
}


def build_controller(root: Table, stem: str) -> Controller:
    _check_format(root)
    name = root.text("name", v.check_controller_name)
    if name and name != stem:
        root.complain("name", f'"{name}" is not the file\'s name; allowed: "{stem}" here, or call the file {name}.toml')
    nodes = tuple(_build_node(table) for table in root.tables("node"))
    tree = root.table("tree", required=True)
    commands, devices = build_captured(root.table("capture"))
    controller = Controller(
        name=name,
        asset=_build_asset(root.table("asset", required=True)),
        busy=build_busy(tree) if tree else (),
        tree=_build_tree(tree) if tree else "",
        identity=_build_identity(root.table("identity", required=True), name, nodes),
        nodes=nodes,
        outside=_build_outside(root.table("outside")),
        accounts=_build_accounts(root.table("accounts")),
        binds=tuple(_build_bind(table) for table in root.tables("bind")),
        exports=tuple(_build_export(table) for table in root.tables("export")),
        cron=_build_cron(root.table("cron")),
        services=tuple(_build_service(table) for table in root.tables("service")),
        health=tuple(_build_health(table) for table in root.tables("health")),
        version=_build_version(root.table("version")),
        scope=tuple(_build_scope(table) for table in root.tables("scope")),
        standby=_build_standby(root.table("standby")),
        retention=_build_retention(root.table("retention")),
        gate=_build_gate(root.table("gate")),
        proof=build_proof(root.table("proof")),
        mirror=_build_mirror(root.table("mirror")),
        commands=commands,
        devices=devices,
        drill=build_drill(root.table("drill")),
        storage=_build_storage(root.table("storage")),
    )
    root.finish()
    return controller


def _check_format(root: Table) -> None:
    if root.whole("format", 1, 10**6) > 1:
        root.complain("format", "is newer than this tanist, which reads format 1; allowed: 1")


def _build_node(table: Table) -> Node:
    node = Node(
        name=table.text("name", v.check_node_name),
        ssh=table.text("ssh", v.check_ssh),
        management=tuple(map(_plain, table.texts("management", v.check_management_address, required=True))),
    )
    table.finish()
    return node


def _build_storage(table: Table | None) -> StoragePolicy:
    if table is None:
        return StoragePolicy()
    found = StoragePolicy(
        redundant_by=table.text("redundant_by", default=""),
        min_fsyncs_per_s=table.whole("min_fsyncs_per_s", 1, 10**6, default=0),
        min_write_mib_per_s=table.whole("min_write_mib_per_s", 1, 10**6, default=0),
        min_read_mib_per_s=table.whole("min_read_mib_per_s", 1, 10**6, default=0),
        measure_every_hours=table.whole("measure_every_hours", 0, 24 * 90, default=24),
    )
    table.finish()
    return found


def _build_asset(table: Table | None) -> Asset:
    kind = table.one_of("kind", _ASSET_KINDS) if table else None
    if table is None or kind is None:
        return Asset(kind="directory")
    if kind == "directory":
        table.refuse_foreign(kind, {**_OF_A_DISK, "options": "filesystem|nfs", "export": "nfs"})
        table.finish()
        return Asset(kind=kind)
    if kind == "nfs":
        return _build_nfs(table)
    table.refuse_foreign(kind, {"export": "nfs"})
    fstype = table.one_of("fstype", _FSTYPES)
    asset = Asset(
        kind=kind,
        device=table.text("device", v.check_data_set if fstype == "zfs" else v.check_device),
        fstype=fstype or "",
        options=table.texts("options", v.check_mount_option(fstype) if fstype else v.check_any),
        members=table.texts("members", v.check_device),
        layers=build_layers(table),
    )
    check_layers(table, asset)
    check_members(table, asset)
    table.finish()
    return asset


def _build_nfs(table: Table) -> Asset:
    """What a filer exports. It has no disks here: nothing of it is a layer, or a device."""
    asset = Asset(
        kind="nfs",
        device=table.text("export", v.check_nfs_export),
        fstype="nfs4",
        options=table.texts("options", v.check_mount_option("nfs4")),
    )
    table.refuse_foreign("nfs", _OF_A_DISK)
    table.finish()
    return asset


def _build_tree(table: Table) -> str:
    path = table.text("path", v.check_absolute)
    table.finish()
    return path


def _build_identity(table: Table | None, name: str, nodes: tuple[Node, ...]) -> Identity:
    if table is None:
        return Identity(mode="host", hostname="", addresses=(), ssh_host_keys="")
    names = tuple(dict.fromkeys(node.name for node in nodes if node.name))
    addresses = tuple(_build_address(inner, names) for inner in table.tables("address"))
    if "address" not in table:
        table.complain("address", "is missing; allowed: at least one [[identity.address]]")
    identity = Identity(
        mode=table.one_of("mode", _MODES) or "host",
        hostname=table.text("hostname", v.check_hostname),
        addresses=addresses,
        ssh_host_keys=table.text("ssh_host_keys", v.check_absolute, default=f"/etc/tanist/identity/{name}"),
    )
    table.finish()
    return identity


def _build_address(table: Table, nodes: tuple[str, ...]) -> ServiceAddress:
    cidr = parse_cidr(table.text("address", v.check_service_address))
    interfaces = table.text_or_texts_by("interface", nodes, v.check_interface)
    table.finish()
    if cidr is None:
        return ServiceAddress(address="", prefix=0, interfaces=interfaces)
    return ServiceAddress(address=cidr[0].text, prefix=cidr[1], interfaces=interfaces)


def _build_outside(table: Table | None) -> Outside:
    if table is None:
        return Outside()
    files, directories = table.texts("files", v.check_absolute), table.texts("directories", v.check_absolute)
    table.finish()
    return Outside(files=files, directories=directories)


def _build_accounts(table: Table | None) -> Accounts:
    if table is None:
        return Accounts()
    users, groups = table.texts("users", v.check_account), table.texts("groups", v.check_account)
    ownership = (table.one_of("ownership", _METHODS) if "ownership" in table else None) or "auto"
    create = table.flag("create", default=False)
    table.finish()
    return Accounts(users=users, groups=groups, ownership=ownership, create=create)


def _build_bind(table: Table) -> Bind:
    bind = Bind(source=table.text("source", v.check_in_tree), target=table.text("target", v.check_absolute))
    table.finish()
    return bind


def _build_export(table: Table) -> Export:
    export = Export(
        path=table.text("path", v.check_in_tree),
        clients=table.texts("clients", v.check_client, required=True),
        options=table.texts("options", v.check_export_option, required=True),
    )
    for one, other in (("ro", "rw"), ("root_squash", "no_root_squash"), ("subtree_check", "no_subtree_check")):
        if one in export.options and other in export.options:
            table.complain("options", f'"{one}" and "{other}" contradict each other; allowed: one of them')
    table.finish()
    return export


def _build_cron(table: Table | None) -> tuple[str, ...]:
    if table is None:
        return ()
    files = table.texts("files", v.check_cron_file)
    table.finish()
    return files


def _build_service(table: Table) -> Service:
    service = Service(
        unit=table.text("unit", v.check_unit),
        start_timeout=table.seconds("start_timeout", 90.0),
        stop_timeout=table.seconds("stop_timeout", 90.0),
    )
    table.finish()
    return service


def _build_health(table: Table) -> Health:
    kind = table.one_of("kind", _HEALTH_KINDS)
    timeout = table.seconds("timeout", 30.0)
    if kind is None:
        return Health(kind="tcp")
    health = _build_check(table, kind, timeout)
    table.refuse_foreign(kind, _HEALTH_KEYS)
    table.finish()
    return health


def _build_check(table: Table, kind: _HealthKind, timeout: float) -> Health:
    match kind:
        case "tcp":
            address = _plain(table.text("address", v.check_address))
            return Health(kind=kind, timeout=timeout, address=address, port=table.whole("port", 1, 65535))
        case "http":
            return Health(kind=kind, timeout=timeout, url=table.text("url", v.check_url))
        case "command":
            argv = table.command("argv", v.check_program)
            return Health(kind=kind, timeout=timeout, argv=argv, user=table.text("user", v.check_user, default=""))


def _build_version(table: Table | None) -> VersionSource:
    kind = table.one_of("kind", _VERSION_KINDS) if table else None
    if table is None or kind is None:
        return VersionSource()
    version = _build_source(table, kind)
    table.refuse_foreign(kind, _VERSION_KEYS)
    table.finish()
    return version


def _build_source(table: Table, kind: _VersionKind) -> VersionSource:
    match kind:
        case "properties":
            return VersionSource(kind=kind, file=table.text("file", v.check_absolute), key=table.text("key"))
        case "dpkg":
            return VersionSource(kind=kind, package=table.text("package", _check_package))
        case "rpm":
            return VersionSource(kind=kind, package=table.text("package", _check_rpm_package))
        case "command":
            return VersionSource(kind=kind, argv=table.command("argv", v.check_program))


def _build_scope(table: Table) -> Scope:
    scope = Scope(
        file=table.text("file", v.check_absolute),
        key=table.text("key"),
        allowed=table.texts("allowed", required=True),
        otherwise=table.text("otherwise"),
    )
    table.finish()
    return scope


def _build_standby(table: Table | None) -> Standby:
    if table is None:
        return Standby()
    installed = table.texts("installed", v.check_absolute)
    unconfigured = table.texts("unconfigured", v.check_absolute)
    table.finish()
    return Standby(installed=installed, unconfigured=unconfigured)


def _build_retention(table: Table | None) -> Retention:
    if table is None:
        return Retention()
    keep = table.whole("keep", 1, 100_000, default=48)
    keep_days = table.whole("keep_days", 0, 36_500, default=14)
    table.finish()
    return Retention(keep=keep, keep_days=keep_days)


def _build_mirror(table: Table | None) -> Mirror:
    if table is None:
        return Mirror()
    at_rest = table.one_of("at_rest", _AT_REST)
    table.finish()
    return Mirror(at_rest=at_rest or "encrypted")


def _build_gate(table: Table | None) -> Gate:
    if table is None:
        return Gate()
    gate = Gate(
        every=table.seconds("every", 1.0),
        cannot_tell=table.seconds("cannot_tell", 60.0),
        stop_within=table.seconds("stop_within", 30.0),
        reset=table.flag("reset", default=True),
    )
    table.finish()
    return gate


def _plain(address: str) -> str:
    ip = parse_ip(address)
    return ip.text if ip else ""


def _check_package(text: str) -> str:
    """deb-control(5)."""
    if v.is_made_of(text, "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789+-.:"):
        return ""
    return f'"{text}" is no package name; allowed: small letters, digits, +, - and .'


def _check_rpm_package(text: str) -> str:
    """rpm(8): a name and nothing more; "-" in front would be an option."""
    letters = string.ascii_letters + string.digits
    if v.is_made_of(text, letters, f"{letters}+-._"):
        return ""
    return f'"{text}" is no package name; allowed: letters, digits, +, -, . and _'
